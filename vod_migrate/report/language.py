"""The languages of the reports: English as it stands in code and templates, and Chinese beside it, text by text.

A text is its own key. `{name}` in it is filled in afterwards, so that word order is the translation's own business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vod_migrate.report import text_format
from vod_migrate.report.message_forms import MessageForms


@dataclass(frozen=True, kw_only=True)
class Language:
    """tag: BCP 47, for the page's `lang`; texts, messages: English → this language, empty for English itself."""

    tag: str
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    messages: Mapping[str, str] = field(default_factory=dict, repr=False)

    def say(self, text: str, **values: Any) -> str:
        """The text with its values filled in; one without a translation stays English."""
        told = self.texts.get(text, text)
        return told.format(**values) if values else told

    def translate(self, message: str) -> str:
        """A message that was composed in English, see `MessageForms`; one that is not known stays English."""
        return self._forms.translated(message) if self.messages else message

    @cached_property
    def _forms(self) -> MessageForms:
        return MessageForms(self.messages)

    def form(self, number: int, one: str, many: str) -> str:
        """Which of two texts fits the number. Chinese has one form, the translation of `many`."""
        return one if number == 1 and not self.texts else self.say(many)

    def count(self, number: int, one: str, many: str, **values: Any) -> str:
        """The one that fits, with the grouped number for its `{n}`, and other values."""
        return self.form(number, one, many).format(n=text_format.grouped(number), **values)

    def pair(self, what: str, value: str) -> str:
        """'What: value', with this language's colon."""
        return self.say("{what}: {value}", what=what, value=value)

    def duration(self, seconds: float) -> str:
        """'2 min 3 s', in this language's units."""
        return text_format.duration(seconds, (self.say("h"), self.say("min"), self.say("s")))

    def knowing(self, more: Mapping[str, str]) -> Language:
        """This language with more texts; English needs none."""
        return replace(self, texts={**self.texts, **more}) if self.texts else self


def texts_in(file: Path) -> dict[str, str]:
    """A catalogue: a JSON object, English → other language."""
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


ENGLISH = Language(tag="en")
_HERE = Path(__file__).parent
CHINESE = Language(tag="zh-CN", texts=texts_in(_HERE / "zh-CN.json"), messages=texts_in(_HERE / "zh-CN.messages.json"))


def language(tag: str) -> Language:
    """The language for a BCP 47 tag, a locale or a whole Accept-Language header: Chinese in any script or region, else English."""
    first = tag.split(",", maxsplit=1)[0].strip().lower().replace("_", "-").partition(".")[0]
    return CHINESE if first == "zh" or first.startswith("zh-") else ENGLISH


def language_of_locale(environment: Mapping[str, str]) -> Language:
    """The language of messages, as POSIX has it: LC_ALL, else LC_MESSAGES, else LANG. An empty variable counts as not set."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    return language(next((environment[name] for name in names if environment.get(name)), ""))
