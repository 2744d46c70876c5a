"""Writes an object from a stream of any length: in parts, and visible under its key only when all of them are there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.errors import SourceError

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

PART_BYTES = 8 << 20
"""OSS takes 10,000 parts, which makes 80 GB; one part is what is held in memory."""

log = logging.getLogger(__name__)


def upload(bucket: BucketClient, key: str, chunks: Iterator[bytes], *, sleep: Callable[[float], None]) -> int:
    """Writes the object, and returns its size in bytes. Whatever ends this early, nothing appears under the key.

    sleep: waits between tries; what it raises ends the upload.

    Raises:
        SourceError: OSS cannot be written to.
    """
    parts = _parts(chunks)
    first = next(parts)
    second = next(parts, None)
    if second is None:
        patiently(lambda: bucket.put(key, first), sleep=sleep, tries=TRIES)
        return len(first)
    upload_id = patiently(lambda: bucket.begin_upload(key), sleep=sleep, tries=TRIES)
    etags: list[str] = []
    size = 0

    def send(content: bytes) -> str:
        return patiently(lambda: bucket.upload_part(key, upload_id, len(etags) + 1, content), sleep=sleep, tries=TRIES)

    try:
        for part in chain((first, second), parts):
            etags.append(send(part))
            size += len(part)
        patiently(lambda: bucket.complete_upload(key, upload_id, etags, size=size), sleep=sleep, tries=TRIES)
    except BaseException:
        try:
            bucket.abort_upload(key, upload_id)
        except SourceError as error:
            log.warning(
                "the parts of an unfinished upload stay in the bucket until a lifecycle rule deletes them: %s", error
            )
        raise
    return size


def _parts(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The stream in pieces of PART_BYTES; at least one, and only the last is shorter."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) > PART_BYTES:
            yield bytes(waiting[:PART_BYTES])
            del waiting[:PART_BYTES]
    yield bytes(waiting)
