"""Whether a cover image exists, remembered for as long as the worker lives."""

from __future__ import annotations

import threading

import oss2

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import open_bucket
from vod_migrate.cloud.retry import _patiently
from vod_migrate.errors import Denied, SourceUnavailable
from vod_migrate.shutdown import StopClock

MOST_REMEMBERED = 200_000


_NOT_FOUND = 404


_FORBIDDEN = 403


_TOO_MANY_REQUESTS = 429


_SERVER_ERROR = 500


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
            self._known[key] = _patiently(self._clock, lambda: self._ask(key))
        return self._known[key]

    def _ask(self, key: str) -> bool:
        try:
            self._bucket.head_object(key)
        except oss2.exceptions.RequestError as error:
            raise SourceUnavailable(f"OSS does not answer about the cover {key!r} ({error})") from error
        except oss2.exceptions.OssError as error:
            if error.status == _NOT_FOUND:
                return False
            if error.status == _FORBIDDEN:
                raise Denied(
                    f"OSS does not let us look for the cover {key!r} in bucket {self._bucket.bucket_name!r}: allow "
                    "oss:GetObject on the covers, or turn describe.cover_if_exists off",
                    http_status=error.status,
                ) from error
            if error.status >= _SERVER_ERROR or error.status in (0, _TOO_MANY_REQUESTS):
                raise SourceUnavailable(f"OSS does not answer about the cover {key!r} (HTTP {error.status})") from error
            # A key that OSS does not take cannot be one of its objects.
            return False
        return True
