"""Looking a media up after its registration: is it the file that was meant?

GetMezzanineInfo names the source file of a MediaId. Where that is another key than the one that was sent, VOD reads FileURLs in
another way than they are written, and registers other files, or none, without a word.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from vod_migrate.cloud.clients import open_bucket, open_vod
from vod_migrate.cloud.connection import Connection
from vod_migrate.discover.prefix_pages import list_pages
from vod_migrate.errors import BadSetting, Denied, RegisterError, RequestRefused, Retryable, SourceError
from vod_migrate.media import MediaObject
from vod_migrate.shutdown import StopClock, Timings

_ASK_SECONDS = 3.0


class Match(StrEnum):
    """What a look at a media came to."""

    SAME = "same"
    OTHER = "other"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaCheck:
    """One look at a media. match: its result; explanation: the same in words."""

    match: Match
    explanation: str


class MediaChecker:
    """Looks media of one bucket up, each within a few seconds."""

    def __init__(
        self, connection: Connection, bucket: str, *, sizes: bool, stop: threading.Event, timings: Timings
    ) -> None:
        """sizes: whether the objects' sizes are OSS's own, not a manifest's; stop: ends every waiting."""
        self._connection = connection
        self._bucket = bucket
        self._host = connection.storage_address(bucket).lower()
        self._sizes = sizes
        self._clock = StopClock(stop)
        self._timings = timings
        self._client: Any = None

    def check(self, found: MediaObject, media_id: str) -> MediaCheck:
        """Whether a MediaId is the object's.

        Raises:
            Interrupted: the worker was stopped.
        """
        until = time.monotonic() + self._timings.media_patience
        while True:
            try:
                self._client = self._client or open_vod(self._connection, timeouts=(_ASK_SECONDS, _ASK_SECONDS))
                body = self._client.call("GetMezzanineInfo", video_id=media_id, output_type="oss")
                return self._judged(found, body.get("Mezzanine") or {})
            except Denied as error:
                return MediaCheck(match=Match.NOT_CHECKED, explanation=str(error))
            except (RegisterError, BadSetting) as error:
                passing = isinstance(error, Retryable) or (
                    isinstance(error, RequestRefused) and ".NotFound" in error.code
                )
                if not passing or time.monotonic() > until:
                    return MediaCheck(match=Match.NOT_CHECKED, explanation=str(error))
            self._clock.sleep(self._timings.media_again)

    def _judged(self, found: MediaObject, mezzanine: Any) -> MediaCheck:
        url = str(mezzanine.get("FileURL") or "")
        host, _, path = url.partition("://")[2].partition("/")
        if host.lower() != self._host or not path:
            return MediaCheck(
                match=Match.NOT_CHECKED,
                explanation=f"its FileURL is {url[:200]!r}, which is not the address of a key in the bucket",
            )
        # A signature may follow; a key may hold a question mark itself.
        bare = path.partition("?")[0]
        if found.key not in {path, unquote(path), bare, unquote(bare)}:
            return MediaCheck(match=Match.OTHER, explanation=f"VOD says that the media is {unquote(bare)!r}")
        size = mezzanine.get("Size")
        if not self._sizes or not isinstance(size, int) or not size or found.size in (None, size):
            return MediaCheck(match=Match.SAME, explanation="the same key")
        if self._size_now(found.key) in (None, size):
            return MediaCheck(match=Match.NOT_CHECKED, explanation="the object changed since it was listed")
        return MediaCheck(
            match=Match.OTHER,
            explanation=f"the object has {found.size:,} bytes, and the media that VOD made of it {size:,}",
        )

    def _size_now(self, key: str) -> int | None:
        try:
            page = next(list_pages(open_bucket(self._connection, self._bucket), key, sleep=self._clock.sleep))
        except (SourceError, StopIteration):
            return None
        return next((found.size for found in page.objects if found.key == key), None)
