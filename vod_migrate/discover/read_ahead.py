"""Asks for the next page while the one before it is merged."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from vod_migrate.discover.page import ListedPage


def read_ahead(pages: Iterator[ListedPage]) -> Iterator[ListedPage]:
    """The same pages; each is asked for as soon as the one before it is there."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    try:
        coming = pool.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = pool.submit(next, pages, None)
            yield page
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
