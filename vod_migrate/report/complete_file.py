"""A file that appears under its name complete or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def complete_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, beside its place until the context ends well; an older one is replaced, also where a link leads to it."""
    place = path.resolve()
    unfinished = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)
