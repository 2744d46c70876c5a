"""The media search protocol: the filter in Match of SearchMedia.

    Title in ('interview', 'news') and Status = 'Normal'
    (CateId = 7 or CateId = 8) and CreationTime = ['2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z')

Source: "Protocol for media asset search", 2024. Exact match `field = value`, fuzzy match with `=` or `in` for texts,
several values with `in`, ranges with round (open) and square (closed) brackets, `and`, `or`, parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.vod.media import Media
from vod_migrate.sandbox.vod.parameters import invalid

Filter = Callable[[Media], bool]
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<word>[\w.:+-]+)|(?P<sign>[()\[\],=]))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """A field that Match may name: how to read its value, and how to compare it."""

    read: Callable[[Media], str | float | None]
    kind: Literal["exact", "fuzzy", "number", "time"]


_FIELDS: Final[dict[str, _Field]] = {
    "VideoId": _Field(kind="exact", read=lambda media: media.id),
    "AudioId": _Field(kind="exact", read=lambda media: media.id),
    "MediaId": _Field(kind="exact", read=lambda media: media.id),
    "ReferenceId": _Field(kind="exact", read=lambda media: media.registration.extras.reference_id),
    "Status": _Field(kind="exact", read=lambda media: media.status),
    "StorageLocation": _Field(kind="exact", read=lambda media: media.storage_location),
    "Title": _Field(kind="fuzzy", read=lambda media: media.registration.title),
    "Description": _Field(kind="fuzzy", read=lambda media: media.registration.extras.description),
    "Tags": _Field(kind="fuzzy", read=lambda media: media.registration.extras.tags),
    "CateName": _Field(kind="fuzzy", read=lambda media: media.cate_name),
    "CateId": _Field(kind="number", read=lambda media: media.registration.extras.cate_id),
    "Size": _Field(kind="number", read=lambda media: media.size),
    "Duration": _Field(kind="number", read=lambda media: media.duration_s),
    "CreationTime": _Field(kind="time", read=lambda media: media.created),
    "ModificationTime": _Field(kind="time", read=lambda media: media.modified),
}


def read_match(text: str) -> Filter:
    """The filter of a Match; an empty one passes every media."""
    if not text.strip():
        return lambda _: True
    reader = _Reader(text)
    found = reader.alternatives()
    reader.end()
    return found


class _Reader:
    """Reads a Match from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0

    def alternatives(self) -> Filter:
        choices = [self._all()]
        while self._skip("or"):
            choices.append(self._all())
        return choices[0] if len(choices) == 1 else lambda media: any(choice(media) for choice in choices)

    def end(self) -> None:
        if self._place < len(self._tokens):
            raise _bad(f"{self._tokens[self._place]!r} was not expected")

    def _all(self) -> Filter:
        parts = [self._one()]
        while self._skip("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda media: all(part(media) for part in parts)

    def _one(self) -> Filter:
        if self._skip("("):
            inner = self.alternatives()
            self._expect(")")
            return inner
        name = self._take()
        field = _FIELDS.get(name)
        if field is None:
            raise _bad(f"{name!r} is not a field; known: {', '.join(_FIELDS)}")
        if self._skip("in"):
            return self._any_of(field)
        self._expect("=")
        if self._peek() in {"(", "["}:
            return self._range(field)
        return _equals(field, self._value(field))

    def _any_of(self, field: _Field) -> Filter:
        self._expect("(")
        choices = [_equals(field, self._value(field))]
        while self._skip(","):
            choices.append(_equals(field, self._value(field)))
        self._expect(")")
        return lambda media: any(choice(media) for choice in choices)

    def _range(self, field: _Field) -> Filter:
        if field.kind not in {"number", "time"}:
            raise _bad("only numbers and times have ranges")
        low_open = self._take() == "("
        low: Any = self._value(field)
        self._expect(",")
        high: Any = self._value(field)
        closing = self._take()
        if closing not in {")", "]"}:
            raise _bad("a range ends with ) or ]")

        def within(media: Media) -> bool:
            value: Any = field.read(media)
            if value is None:
                return False
            above = low < value if low_open else low <= value
            return bool(above and (value < high if closing == ")" else value <= high))

        return within

    def _value(self, field: _Field) -> str | float:
        token = self._take()
        text = re.sub(r"\\(.)", r"\1", token[1:-1]) if token[:1] in {"'", '"'} else token
        if field.kind != "number":
            return text
        try:
            return float(text)
        except ValueError:
            raise _bad(f"{token} is not a number") from None

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise _bad("it ends too early")
        self._place += 1
        return token

    def _skip(self, token: str) -> bool:
        found = self._peek().lower() == token
        self._place += found
        return found

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise _bad(f"{token!r} was expected, not {self._peek()!r}")


def _tokens(text: str) -> Iterator[str]:
    place = 0
    text = text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _bad(f"it cannot be read from {text[place : place + 20]!r} on")
        yield found[found.lastgroup or ""]
        place = found.end()


def _equals(field: _Field, wanted: str | float) -> Filter:
    if field.kind == "fuzzy":
        part = str(wanted).lower()
        return lambda media: part in str(field.read(media) or "").lower()
    return lambda media: field.read(media) == wanted


def _bad(rule: str) -> VodError:
    return invalid("Match", rule)
