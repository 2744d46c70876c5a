"""False listings: a page that is sent again, an end that comes too early."""

from __future__ import annotations

import re
from typing import Final

from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.http import HttpReply, Request

_TRUNCATED: Final = b"<IsTruncated>true</IsTruncated>"
_UNTRUNCATED: Final = b"<IsTruncated>false</IsTruncated>"
_NEXT: Final = re.compile(rb"<Next(ContinuationToken|Marker)>[^<]*</Next(ContinuationToken|Marker)>")
_MOST_REMEMBERED: Final = 64


class FalsePages:
    """Falsifies pages. While `repeat_page` is armed, it remembers the last two true pages of each listing."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str, str], tuple[bytes, bytes]] = {}

    def can(self, fault: FaultConfig, request: Request, reply: HttpReply) -> bool:
        """Whether a fault would change this true page."""
        if fault.kind == "repeat_page":
            return bool(self._previous(request, reply.body)) and _is_later_page(request)
        return _TRUNCATED in reply.body

    def falsified(self, fault: FaultConfig, request: Request, body: bytes) -> bytes:
        """The page as a fault changes it."""
        if fault.kind == "repeat_page":
            return self._pages[_listing(request)][0]
        if fault.variant != "no_token":
            body = body.replace(_TRUNCATED, _UNTRUNCATED)
        return body if fault.variant == "token_kept" else _NEXT.sub(b"", body)

    def _previous(self, request: Request, body: bytes) -> bytes:
        listing = _listing(request)
        previous, current = self._pages.pop(listing, (b"", b""))
        if len(self._pages) >= _MOST_REMEMBERED:
            self._pages.pop(next(iter(self._pages)))
        self._pages[listing] = (previous, current) if current == body else (current, body)
        return self._pages[listing][0]


def _listing(request: Request) -> tuple[str, str, str]:
    query = request.parameters
    return request.path, query.get("prefix", ""), query.get("delimiter", "")


def _is_later_page(request: Request) -> bool:
    query = request.parameters
    return bool(query.get("continuation-token") or query.get("marker"))
