"""The `${…}` places of a compose file, as Docker Compose reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_PLACE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One `${NAME}`, `${NAME:-default}` or `${NAME:?message}`."""

    name: str
    default: str | None
    required: bool


def _place(match: re.Match[str]) -> Place:
    return Place(
        name=match["name"],
        default=match["rest"] if match["kind"] == "-" else None,
        required=match["kind"] == "?",
    )


def places(text: str) -> Iterator[Place]:
    return (_place(match) for match in _PLACE.finditer(text))


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """What Docker Compose makes of the text; `$$` becomes `$`."""

    def value(match: re.Match[str]) -> str:
        place = _place(match)
        return values.get(place.name) or place.default or ""

    return _PLACE.sub(value, text).replace("$$", "$")
