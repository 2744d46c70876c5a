"""Whether a cover image exists, remembered for as long as the worker lives."""

from __future__ import annotations

import threading

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.retry import patiently
from vod_migrate.errors import Denied, SourceDenied
from vod_migrate.shutdown import StopClock

MOST_REMEMBERED = 200_000


class Covers:
    """Whether objects exist in one bucket: one HEAD each, remembered."""

    def __init__(self, connection: Connection, bucket: str, *, stop: threading.Event) -> None:
        """stop: ends every waiting."""
        self._clock = StopClock(stop)
        self._bucket = open_bucket(connection, bucket)
        self._known: dict[str, bool] = {}

    def exists(self, key: str) -> bool:
        """Whether the bucket holds an object under that key.

        Raises:
            Denied: the credentials may not look. Interrupted: told to stop.
        """
        if key not in self._known:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            try:
                self._known[key] = patiently(lambda: self._bucket.head(key), sleep=self._clock.sleep) is not None
            except SourceDenied as error:
                raise Denied(
                    f"the cover {key!r} cannot be looked up: {error}; or turn describe.cover_if_exists off"
                ) from error
        return self._known[key]
