"""Tables that are read from the results while a browser takes them: a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain

from fastapi import HTTPException
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

AT_ONCE = 4
"""Each keeps a connection of the store as long as it lasts; the pages need the others."""
_PATIENCE_SECONDS = 1.0
"""A reader who has left is noticed at the end of the rows that are being fetched."""
_places = threading.BoundedSemaphore(AT_ONCE)


class _Table(StreamingResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Also ends when the reader leaves."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            _places.release()


def streamed(rows: Iterator[bytes], *, disposition: str, kind: str) -> StreamingResponse:
    """A file of rows, for the reader to keep."""
    if not _places.acquire(timeout=_PATIENCE_SECONDS):
        raise HTTPException(429, f"{AT_ONCE} tables are already being downloaded from this Airflow")
    try:
        begun = next(rows, b"")
    except BaseException:
        _places.release()
        raise
    return _Table(chain([begun], rows), media_type=kind, headers={"content-disposition": disposition})
