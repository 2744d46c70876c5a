"""SearchMedia and GetVideoList: pages of a library, with the limits of their pages (2025-12).

By page number alone both reach the first 5,000 media that match. SearchMedia goes on with a ScrollToken: from the page
that the token stands for, by at most 100 media at a time, up to the two-millionth.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.match import Filter, read_match
from vod_migrate.sandbox.vod.media import STATUSES, Media
from vod_migrate.sandbox.vod.parameters import (
    Parameters,
    invalid,
    one_of,
    page_of,
    several_of,
    time_range,
    whole_number,
)
from vod_migrate.sandbox.vod.videos import base_row, ids_of

MAX_PAGE: Final = 100
MAX_BY_PAGE: Final = 5_000
MAX_SCROLL: Final = 100
MAX_SCROLLED: Final = 2_000_000
_REMEMBERED: Final = 10_000
_ORDERS: Final = ("CreationTime:Desc", "CreationTime:Asc")
_TYPES: Final = ("video", "audio", "image", "attached")
_COMMON_FIELDS: Final = (
    "Title", "Description", "Tags", "CoverURL", "CateId", "CateName", "ReferenceId", "Status", "Size", "Duration",
    "StorageClass", "StorageLocation", "AppId", "CreationTime", "ModificationTime", "DownloadSwitch", "MediaSource",
    "PreprocessStatus", "TranscodeMode", "Snapshots", "SpriteSnapshots", "RestoreStatus", "RestoreExpiration",
)  # fmt: skip
_FIELDS: Final = ("VideoId", "AudioId", *_COMMON_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """What a listing asks for. Queries with the same `text` are equal."""

    text: str
    passes: Filter
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scroll:
    """Where a page starts, and where the next one does: places in the order of registration; `end` is None after the last."""

    query: str
    size: int
    number: int
    start: int
    end: int | None


class Scrolls:
    """The ScrollTokens of an account."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Scroll] = OrderedDict()

    def issue(self, scroll: _Scroll) -> str:
        """A new token of 32 characters."""
        token = secrets.token_hex(16)
        self._known[token] = scroll
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return token

    def get(self, token: str) -> _Scroll | None:
        """What a token stands for."""
        return self._known.get(token)


class Listings:
    """The two APIs that list a library, and what they remember between calls."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scrolls: dict[str, Scrolls] = {}
        self._totals: dict[tuple[str, str], tuple[int, int]] = {}

    def search_media(self, account: Account, parameters: Parameters) -> dict[str, Any]:
        """SearchMedia."""
        kind = one_of(parameters, "SearchType", _TYPES)
        order = one_of(parameters, "SortBy", _ORDERS)
        fields = several_of(parameters, "Fields", _FIELDS)
        number, size = page_of(parameters, MAX_PAGE)
        match = parameters.get("Match", "")
        matches = read_match(match)
        query = _Query(
            text=f"{kind}\0{order}\0{match}",
            passes=lambda media: media.kind == kind and matches(media),
            descending=order.endswith("Desc"),
        )
        token = parameters.get("ScrollToken", "")
        scrolls = self._scrolls.setdefault(account.uid, Scrolls())
        if token:
            start = self._scrolled_to(account, query, scrolls.get(token), number, size)
        else:
            _check_reach(number, size, "set ScrollToken to read further")
            start = self._first(account, query, (number - 1) * size)
        page = list(islice(self._walk(account, query, start), size + 1))
        end = page[size][0] if len(page) > size else None
        known = _Scroll(query=query.text, size=size, number=number, start=start, end=end)
        return {
            "Total": self._total(account, query),
            "ScrollToken": scrolls.issue(known),
            "MediaList": [_found(media, fields) for _, media in page[:size]],
        }

    def video_list(self, account: Account, parameters: Parameters) -> dict[str, Any]:
        """GetVideoList."""
        statuses = set(several_of(parameters, "Status", STATUSES))
        order = one_of(parameters, "SortBy", _ORDERS)
        number, size = page_of(parameters, MAX_PAGE)
        since, until = time_range(parameters)
        category = whole_number(parameters, "CateId", 0, least=-1, most=2**63 - 1)
        location, references = parameters.get("StorageLocation", ""), set(ids_of(parameters, "ReferenceIds"))
        _check_reach(number, size, "narrow the time range, or call SearchMedia")

        def passes(media: Media) -> bool:
            extras = media.registration.extras
            return (
                since <= media.created < until
                and (category in {0, extras.cate_id})
                and (not location or media.storage_location == location)
                and (not references or extras.reference_id in references)
                and (not statuses or media.status in statuses)
            )

        text = "\0".join(f"{name}={parameters[name]}" for name in sorted(parameters) if not name.startswith("Page"))
        query = _Query(text=text, passes=passes, descending=order.endswith("Desc"))
        start = self._first(account, query, (number - 1) * size)
        page = [media for _, media in islice(self._walk(account, query, start), size)]
        rows = [{**base_row(media), "Snapshots": {"Snapshot": []}} for media in page]
        return {"Total": self._total(account, query), "VideoList": {"Video": rows}}

    def _scrolled_to(self, account: Account, query: _Query, scroll: _Scroll | None, number: int, size: int) -> int:
        if scroll is None:
            raise invalid("ScrollToken", "it is unknown")
        if (scroll.query, scroll.size) != (query.text, size):
            raise invalid("ScrollToken", "it belongs to a search with another filter, order or page size")
        jump = (number - scroll.number) * size
        if abs(jump) > MAX_SCROLL:
            raise invalid(
                "PageNo", f"it is {abs(jump)} media away from the page of the ScrollToken, more than {MAX_SCROLL}"
            )
        if number * size > MAX_SCROLLED:
            raise invalid("PageNo", f"it lies beyond the first {MAX_SCROLLED} media")
        if jump == 0:
            return scroll.start
        if jump > 0:
            end = _beyond(account, query) if scroll.end is None else scroll.end
            return self._first(account, query, jump - size, end)
        backwards = _Query(text=query.text, passes=query.passes, descending=not query.descending)
        before = scroll.start + (1 if query.descending else -1)
        earlier = [place for place, _ in islice(self._walk(account, backwards, before), -jump)]
        return earlier[-1] if earlier else scroll.start

    def _first(self, account: Account, query: _Query, skipped: int, start: int | None = None) -> int:
        """The place where a page starts that skips this many media."""
        begin = (len(account.library.in_order()) - 1 if query.descending else 0) if start is None else start
        if not skipped:
            return begin
        found = next(islice(self._walk(account, query, begin), skipped, None), None)
        return _beyond(account, query) if found is None else found[0]

    def _walk(self, account: Account, query: _Query, start: int) -> Iterator[tuple[int, Media]]:
        places = account.library.in_order()
        span = range(min(start, len(places) - 1), -1, -1) if query.descending else range(max(start, 0), len(places))
        for place in span:
            found = places[place]
            if account.library.exists(found):
                media = Media(self._world, account, found)
                if media.visible and query.passes(media):
                    yield place, media

    def _total(self, account: Account, query: _Query) -> int:
        """How many media match. They are counted again only if the number can have changed."""
        settings = self._world.settings
        ageing = settings.seen_after_ms or settings.analysis_s or settings.queue_s or settings.transcode_s
        remembered = account.uid, query.text
        version, total = self._totals.get(remembered, (-1, 0))
        if ageing or version != account.library.version:
            total = sum(1 for _ in self._walk(account, query, self._first(account, query, 0)))
            if len(self._totals) >= _REMEMBERED:
                self._totals.clear()
            self._totals[remembered] = account.library.version, total
        return total


def _beyond(account: Account, query: _Query) -> int:
    return -1 if query.descending else len(account.library.in_order())


def _check_reach(number: int, size: int, fix: str) -> None:
    if number * size > MAX_BY_PAGE:
        raise invalid("PageNo", f"it lies beyond the first {MAX_BY_PAGE} media; {fix}")


def _found(media: Media, fields: list[str]) -> dict[str, Any]:
    label = "VideoId" if media.kind == "video" else "AudioId"
    known: dict[str, Any] = {
        **base_row(media),
        "DownloadSwitch": "on",
        "MediaSource": "general",
        "PreprocessStatus": "UnPreprocess",
        "Snapshots": [],
        "SpriteSnapshots": [],
        "TranscodeMode": "FastTranscode" if media.template_group_id else "NoTranscode",
    }
    shown = {name: known[name] for name in ("CreationTime", *fields) if name in known and name != "VideoId"}
    return {
        "MediaId": media.id,
        "MediaType": media.kind,
        "CreationTime": media.created,
        media.kind.capitalize(): {label: media.id, **shown},
    }
