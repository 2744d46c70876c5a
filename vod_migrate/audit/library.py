"""Walks VOD's library for the media of a bucket's files that no fact names: those that a console or another program registered.

SearchMedia gives a hundred media a call and does not name their files, so those that nobody knows are asked for, twenty with one call of
BatchGetMediaInfos. One search reaches two million media; the next one begins at the time of the last.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vod_migrate.audit.media_states import MOST_IDS, MediaStates
from vod_migrate.audit.vod_queries import VodQueries
from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import BrokenReply, Interrupted, RequestRefused
from vod_migrate.results.books import LibraryMedia, Shelf
from vod_migrate.results.store import Store

SEARCH_MEDIA = "SearchMedia"
SEARCHES_PER_SECOND = {SEARCH_MEDIA: 47.0}
"""94 % of 50 calls/s an account (limits page, 2024-10)."""
MOST_MEDIA = 100
"""Media on one page (SearchMedia page, 2025-12)."""
MOST_SCROLLED = 2_000_000
"""Media that one search reaches with a ScrollToken (the same page)."""

_Page = Sequence[Mapping[str, Any]]
_KINDS = ("video", "audio")
_END = "2100-01-01T00:00:00Z"
_UNDATED = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
_THREADS = 8
_ASKED_TOGETHER = MOST_IDS * 50


class LibraryWalk:
    """One walk through the media of a bucket. pages, asked: how many calls of SearchMedia and BatchGetMediaInfos it has made; media: found."""

    def __init__(
        self,
        connection: Connection,
        store: Store,
        states: MediaStates,
        *,
        bucket: str,
        stop: threading.Event,
        reach: int = MOST_SCROLLED,
    ) -> None:
        """reach: how many media one search may go through."""
        self._queries = VodQueries(connection, store, SEARCHES_PER_SECOND, stop=stop)
        self._store = store
        self._states = states
        self._bucket = bucket
        self._address = connection.storage_address(bucket)
        self._stop = stop
        self._reach = reach
        self.pages = self.asked = self.media = 0

    def run(self, shelf: Shelf) -> dt.datetime:
        """Walks to the end; what was found is in the store. Returns when it began, by the database's clock.

        Raises:
            RegisterError: VOD cannot be asked. Interrupted: what was found stays, and is not asked for again. StoreUnreachable.
        """
        began = self._store.now()
        # A set that keeps its order: where one search goes on after another, media come twice.
        waiting: dict[str, None] = {}
        with ThreadPoolExecutor(_THREADS) as threads:
            for page in self._pages():
                if self._stop.is_set():
                    raise Interrupted(
                        "the walk through VOD's library was stopped; run the command again", code="interrupted"
                    )
                self.media += len(page)
                waiting |= dict.fromkeys(self._store.unknown_media(shelf, [str(row["MediaId"]) for row in page]))
                if len(waiting) >= _ASKED_TOGETHER:
                    together, rest = list(waiting)[:_ASKED_TOGETHER], list(waiting)[_ASKED_TOGETHER:]
                    self._ask(threads, shelf, together)
                    waiting = dict.fromkeys(rest)
            self._ask(threads, shelf, list(waiting))
        self._store.forget_library(shelf)
        return began

    def _ask(self, threads: ThreadPoolExecutor, shelf: Shelf, media_ids: Sequence[str]) -> None:
        """Which file each media is of. A file at a custom domain is one of this bucket, since VOD says that the media is stored there."""
        parts = [media_ids[start : start + MOST_IDS] for start in range(0, len(media_ids), MOST_IDS)]
        self.asked += len(parts)
        for states in threads.map(self._states.of, parts):
            found = [
                LibraryMedia(key=state.key, media_id=state.media_id, made_at=state.made_at or _UNDATED)
                for state in states.values()
                if state.key and state.bucket in (self._bucket, "")
            ]
            self._store.keep_library(shelf, found)

    def _pages(self) -> Iterator[_Page]:
        for kind in _KINDS:
            since = ""
            while (following := (yield from self._search(kind, since))) is not None:
                if following == since:
                    raise RequestRefused(
                        f"{kind} media: more than {self._reach:,} were registered in the second {since}, and SearchMedia reaches no more",
                        code="out_of_reach",
                    )
                since = following

    def _search(self, kind: str, since: str) -> Generator[_Page, None, str | None]:
        """The pages of one search, in the order of registration. Returns the time at which the next one goes on, None after the last page."""
        match = f"StorageLocation = '{self._address}'"
        if since:
            match += f" and CreationTime = ['{since}', '{_END}')"
        token = None
        for number in range(1, self._reach // MOST_MEDIA + 1):
            body = self._queries.call(
                SEARCH_MEDIA,
                search_type=kind,
                sort_by="CreationTime:Asc",
                match=match,
                page_no=number,
                page_size=MOST_MEDIA,
                scroll_token=token,
            )
            self.pages += 1
            page, token = body.get("MediaList") or [], body.get("ScrollToken")
            if not all(isinstance(row, Mapping) and row.get("MediaId") and row.get("CreationTime") for row in page):
                raise BrokenReply(f"VOD's response to {SEARCH_MEDIA} has media without a MediaId or a CreationTime")
            yield page
            if len(page) < MOST_MEDIA:
                return None
        return str(page[-1]["CreationTime"])
