"""Asks OSS about single objects, where their source does not say enough: what each is, and which of some keys there are no more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from vod_migrate.cloud.location import Location
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.page import PAGE_KEYS, ListedPage
from vod_migrate.discover.stream_text import folder_of
from vod_migrate.errors import SourceError
from vod_migrate.media import BrokenRow, MediaObject

log = logging.getLogger(__name__)

_MOST_PAGES = 20
"""List requests for the keys of one listed page: a renamed folder has thousands of them side by side. Keys that lie farther apart stay unasked."""
_HEADS_AT_ONCE = 16
_HEAD_TRIES = 4


def looked_up(
    pages: Iterator[ListedPage],
    client: BucketClient,
    *,
    wanted: Callable[[MediaObject], bool],
    sleep: Callable[[float], None],
) -> Iterator[ListedPage]:
    """The pages with what HeadObject says about each object that is wanted; a row whose object does not exist is broken."""

    def ask(found: MediaObject) -> MediaObject | BrokenRow:
        if not wanted(found):
            return found
        told = as_told(found, client, sleep)
        if told is not None:
            return told
        return _missing(found, patiently(lambda: client.other_form(found.key), sleep=sleep, tries=_HEAD_TRIES))

    with ThreadPoolExecutor(_HEADS_AT_ONCE, thread_name_prefix="head") as threads:
        for page in pages:
            if not any(map(wanted, page.objects)):
                yield page
                continue
            answers = list(threads.map(ask, page.objects))
            yield replace(
                page,
                objects=tuple(one for one in answers if isinstance(one, MediaObject)),
                broken=(*page.broken, *(one for one in answers if isinstance(one, BrokenRow))),
            )


def as_told(found: MediaObject, client: BucketClient, sleep: Callable[[float], None]) -> MediaObject | None:
    """An object as HeadObject describes it; None where there is none."""
    facts = patiently(lambda: client.head(found.key), sleep=sleep, tries=_HEAD_TRIES)
    if facts is None:
        return None
    return replace(
        found,
        size=facts.size,
        etag=facts.etag,
        last_modified=facts.last_modified,
        storage_class=facts.storage_class,
        restored=facts.restored,
    )


def _missing(found: MediaObject, other_form: str) -> BrokenRow:
    place = Location(bucket=found.bucket, path=found.key)
    fix = "correct the manifest, or upload the object"
    if other_form:
        fix = f"the bucket has it in {other_form}, whose letters look the same; write the key as OSS lists it"
    message = f"{found.where} names {place}, which does not exist: {fix}"
    return BrokenRow(key=found.key, code="row_no_object", message=message)


def absent_among(
    keys: Iterable[str], client: BucketClient, *, prefix: str, sleep: Callable[[float], None]
) -> frozenset[str]:
    """Those of some keys that the bucket does not have; one that could not be asked about counts as there.

    prefix: of the listing that the run is allowed, for keys below it; others are looked for in their own folder.
    """
    absent: set[str] = set()
    waiting = sorted(keys)
    for _ in range(_MOST_PAGES):
        if not waiting:
            break
        first = waiting[0]
        within = prefix if first.startswith(prefix) else folder_of(first)
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
