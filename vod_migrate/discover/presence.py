"""Which of some keys the bucket still has, asked with few requests: a renamed folder has thousands of them side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.page import PAGE_KEYS
from vod_migrate.errors import SourceError

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

log = logging.getLogger(__name__)

MOST_PAGES = 20
"""List requests for the keys of one listed page. Keys that lie farther apart than that stay unasked."""


def absent_among(
    keys: Iterable[str], client: BucketClient, *, prefix: str, sleep: Callable[[float], None]
) -> frozenset[str]:
    """Those of some keys that the bucket does not have; one that could not be asked about counts as there.

    prefix: of the listing that the run is allowed, for keys below it; others are looked for in their own folder.
    """
    absent: set[str] = set()
    waiting = sorted(keys)
    for _ in range(MOST_PAGES):
        if not waiting:
            break
        first = waiting[0]
        within = prefix if first.startswith(prefix) else first[: first.rfind("/") + 1]
        # Begins just before the first key: `start_after` leaves out the key that it names.
        after = first[:-1] if len(first) > len(within) else ""
        try:
            page = patiently(lambda: client.list_page(within, most=PAGE_KEYS, after=after), sleep=sleep, tries=TRIES)  # noqa: B023 - called at once
        except SourceError as error:
            log.warning("files that look moved or copied could not be checked, so they count as copies: %s", error)
            break
        listed = [row[0] for row in page.object_list]
        until = listed[-1] if page.is_truncated and listed else None
        covered = {key for key in waiting if key.startswith(within) and (until is None or key <= until)}
        if not covered:
            break
        absent |= covered.difference(listed)
        waiting = [key for key in waiting if key not in covered]
    return frozenset(absent)
