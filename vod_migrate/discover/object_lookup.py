"""Asks OSS about objects of a page one by one, where their source does not say enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from vod_migrate.cloud.location import Location
from vod_migrate.cloud.retry import patiently
from vod_migrate.discover.page import ListedPage
from vod_migrate.media import BrokenRow, MediaObject

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

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
