"""A file that appears under its name complete or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def complete_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, beside its place until the context ends well; an older one is replaced, also where a link leads to it.

    A device or a pipe is written into: root could replace it.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        with place.open("wb") as file:
            yield file
        return
    unfinished = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)
