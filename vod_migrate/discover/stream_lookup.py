"""Asks OSS for playlists: which ones a folder holds, and what each says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice

from vod_migrate.cloud.oss import BucketClient
from vod_migrate.cloud.retry import patiently
from vod_migrate.discover.prefix_pages import list_pages
from vod_migrate.discover.stream_text import MOST_BYTES, StreamText, read_text
from vod_migrate.discover.streams import is_playlist
from vod_migrate.errors import ManifestBroken, SourceDenied

log = logging.getLogger(__name__)

_PAGES_ABOVE = 5
"""Pages of a folder above a segment's own that are looked through: 5,000 files and folders."""
_MOST_PLAYLISTS = 5_000
_TRIES = 4
_TEXTS_KEPT = 1_024


class StreamLookup:
    """Looks for playlists in one bucket. prefix: what the run must be able to list, if anything; elsewhere, a denial means that nothing is known."""

    def __init__(self, client: BucketClient, *, prefix: str | None, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._prefix = prefix
        self._sleep = sleep
        self._denied = threading.Event()
        # A variant is read for its master, and then for its own folder.
        self.read = lru_cache(_TEXTS_KEPT)(self._read)

    def look(self, folder: str, whole: bool) -> Sequence[str]:
        """The playlists and manifests of a folder itself, not those below it. whole: look through all of it."""
        pages = list_pages(self._client, folder, delimiter="/", sleep=self._sleep)
        try:
            found = (one.key for page in (pages if whole else islice(pages, _PAGES_ABOVE)) for one in page.objects)
            return list(islice(filter(is_playlist, found), _MOST_PLAYLISTS))
        except SourceDenied:
            if self._prefix is not None and folder.startswith(self._prefix):
                raise
            log.info("folder %r cannot be listed, so its playlists are unknown", folder)
            return ()

    def _read(self, key: str) -> StreamText | None:
        if self._denied.is_set():
            return None
        try:
            told = patiently(lambda: self._client.beginning(key, MOST_BYTES), sleep=self._sleep, tries=_TRIES)
        except ManifestBroken:
            return None
        except SourceDenied as error:
            if not self._denied.is_set():
                self._denied.set()
                log.warning(
                    "playlists cannot be read, so the folder layout decides which files are segments: %s", error
                )
            return None
        return None if told is None else read_text(key, told[0], bucket=self._client.name, whole=told[1])
