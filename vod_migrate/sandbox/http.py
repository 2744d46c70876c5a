"""Requests and replies as both services see them: raw paths and decoded queries, without a framework."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote_plus

from vod_migrate.sandbox.errors import BadRequest

_SPECIAL: Final = re.compile("[&<>]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request. `path` is exactly what was on the wire, `query` is decoded and in wire order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def parameters(self) -> dict[str, str]:
        """The query as a mapping. If a name is repeated, its last value counts."""
        return dict(self.query)

    def header(self, name: str) -> str:
        """The value of a header as it was sent, empty if it was not."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """One HTTP reply. If `chunks` is set, the body is streamed and `length` is its size in bytes."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Iterator[bytes] | None = None
    length: int | None = None


def split_target(target: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A raw request target as (raw path, decoded query pairs). `+` is a space in a query and a plus in a path."""
    path, _, query = target.partition("?")
    return path, decode_form(query)


def decode_form(encoded: str) -> tuple[tuple[str, str], ...]:
    """`a=1&b=%20` as pairs, in order; a name without a value has the empty value.

    Text that is not UTF-8 is a `BadRequest`: a lenient decoder would hide a broken client.
    """
    try:
        return tuple(
            (unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
            for name, _, value in (part.partition("=") for part in encoded.split("&") if part)
        )
    except UnicodeDecodeError as error:
        raise BadRequest("The query is not percent-encoded UTF-8.") from error


def percent_encode(text: str, *, safe: str = "~") -> str:
    """RFC 3986 encoding as both signatures need it: upper-case hex, `~` unescaped."""
    return quote(text, safe=safe)


def xml_text(text: str) -> str:
    """Text as XML character data."""
    return _SPECIAL.sub(lambda found: _ENTITIES[found.group()], text)


def element(name: str, text: str | int) -> str:
    """One XML element that holds a text."""
    return f"<{name}>{xml_text(str(text))}</{name}>"
