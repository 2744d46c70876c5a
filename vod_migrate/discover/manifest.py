"""Objects from a manifest: a table with one object a row."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import Location, location_of
from vod_migrate.cloud.retry import patiently
from vod_migrate.discover.download import SourceFile, fetched
from vod_migrate.discover.hls import folder_of, is_playlist
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.row import RowReader
from vod_migrate.discover.row_page import interruptible, resume_position, row_pages
from vod_migrate.discover.table import read_table
from vod_migrate.media import BrokenRow, MediaObject
from vod_migrate.migration.source import OBJECT_COLUMNS, Manifest

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

_HEADS_AT_ONCE = 16
_HEAD_TRIES = 4


def manifest_pages(
    connection: Connection,
    bucket: str,
    manifest: Manifest,
    *,
    cursor: str | None = None,
    hls: bool = True,
    domains: tuple[str, ...] = (),
    zone: dt.tzinfo = dt.UTC,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ListedPage]:
    """The pages of a manifest, from a cursor on.

    sleep: waits, and may raise to end the reading; asked now and then also where there is nothing to wait for.
    zone: of times without an offset.
    hls: look for playlists first, in one pass over the rows: a table need not be sorted. Their folders are what memory grows with,
    about 150 bytes each.

    Raises:
        ManifestBroken: the file cannot be read as what it says it is. SourceDenied, SourceUnavailable.
    """
    with fetched(connection, location_of(manifest.location), sleep=sleep) as source:
        start = next(iter(resume_position(cursor, source.version, source.name)), 0)
        described = {name: column for name, column in manifest.columns.named().items() if name not in OBJECT_COLUMNS}
        reader = RowReader(
            bucket=bucket,
            key_encoding=manifest.key_encoding,
            columns=_columns(manifest),
            renamed=described,
            domains=frozenset(domain.lower() for domain in domains),
            nulls=frozenset(manifest.null_values),
            zone=zone,
        )
        wanted = [manifest.key_column, *manifest.columns.named().values()]
        playlists = _playlist_folders(source, manifest, reader, wanted, sleep) if hls else frozenset()
        rows = islice(read_table(source, manifest.kind, wanted), start, None)
        pages = row_pages(
            (reader.read(row) for row in rows), start=start, cursor_at=lambda row: f"{source.version}@{row}"
        )
        if manifest.check == "head":
            pages = _asked(connection, bucket, pages, sleep)
        for page in pages:
            yield replace(page, playlists=playlists)


def _columns(manifest: Manifest) -> Mapping[str, str]:
    named = manifest.columns.named()
    return {"key": manifest.key_column, **{name: named.get(name, name) for name in OBJECT_COLUMNS}}


def _playlist_folders(
    source: SourceFile, manifest: Manifest, reader: RowReader, wanted: list[str], sleep: Callable[[float], None]
) -> frozenset[str]:
    keys = (reader.playlist(row) for row in interruptible(read_table(source, manifest.kind, wanted), sleep))
    return frozenset(folder_of(key) for key in keys if key is not None and is_playlist(key))


def _asked(
    connection: Connection, bucket: str, pages: Iterator[ListedPage], sleep: Callable[[float], None]
) -> Iterator[ListedPage]:
    client = open_bucket(connection, bucket)

    def ask(found: MediaObject) -> MediaObject | BrokenRow:
        return _head(client, found, sleep)

    with ThreadPoolExecutor(_HEADS_AT_ONCE, thread_name_prefix="head") as threads:
        for page in pages:
            answers = list(threads.map(ask, page.objects))
            yield replace(
                page,
                objects=tuple(one for one in answers if isinstance(one, MediaObject)),
                broken=(*page.broken, *(one for one in answers if isinstance(one, BrokenRow))),
            )


def _head(client: BucketClient, found: MediaObject, sleep: Callable[[float], None]) -> MediaObject | BrokenRow:
    facts = patiently(lambda: client.head(found.key), sleep=sleep, tries=_HEAD_TRIES)
    if facts is None:
        place = Location(bucket=found.bucket, path=found.key)
        message = f"{found.where} names {place}, which does not exist: correct the manifest, or upload the object"
        return BrokenRow(key=found.key, code="row_no_object", message=message)
    return replace(
        found,
        size=facts.size,
        etag=facts.etag,
        last_modified=facts.last_modified,
        storage_class=facts.storage_class,
    )
