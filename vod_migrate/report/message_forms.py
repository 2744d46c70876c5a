"""Messages that are composed in English before anybody knows who reads them, in another language.

An error, the reason why a run stopped, a check or the detail of an action is written where it arises, stored and logged as
English text. A form is such a text with `{name}` for each part that varies. It recognises the message and finds the parts,
which its translation puts in its own order; `{name:t}` in a translation stands for a part that is a message itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

import re2


class MessageForms:
    """Forms in English, each with its translation."""

    def __init__(self, catalogue: Mapping[str, str]) -> None:
        self._whole = {form: text for form, text in catalogue.items() if "{" not in form}
        # The more of a form is fixed, the less it fits by accident.
        forms = sorted((form for form in catalogue if "{" in form), key=_fixed, reverse=True)
        self._forms = [(re2.compile(_pattern(form)), catalogue[form]) for form in forms]

    def translated(self, message: str) -> str:
        """The message in the other language; unchanged where no form fits it."""
        if message in self._whole:
            return self._whole[message]
        for pattern, translation in self._forms:
            if found := pattern.fullmatch(message):
                return translation.format(
                    **{name: _Value(text=text, forms=self) for name, text in found.groupdict().items()}
                )
        return message


@dataclass(frozen=True, kw_only=True, slots=True)
class _Value:
    text: str
    forms: MessageForms

    def __format__(self, spec: str) -> str:
        return self.forms.translated(self.text) if spec == "t" else self.text


def _fixed(form: str) -> int:
    return sum(len(literal) for literal, *_ in Formatter().parse(form))


def _pattern(form: str) -> str:
    parts = (
        re2.escape(literal) + ("" if name is None else f"(?P<{name}>.+?)")
        for literal, name, *_ in Formatter().parse(form)
    )
    return f"(?s){''.join(parts)}"
