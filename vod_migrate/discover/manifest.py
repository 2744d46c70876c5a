"""Objects from a manifest: a table with one object a row."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import location_of
from vod_migrate.discover.download import fetched
from vod_migrate.discover.held_pages import with_parts
from vod_migrate.discover.object_lookup import looked_up
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.row import RowReader
from vod_migrate.discover.row_page import interruptible, resume_position, row_pages
from vod_migrate.discover.streams import Streams, kin_of
from vod_migrate.discover.table import read_table
from vod_migrate.migration.source import OBJECT_COLUMNS, Manifest


def manifest_pages(
    connection: Connection,
    bucket: str,
    manifest: Manifest,
    *,
    cursor: str | None = None,
    streams: Streams | None = None,
    domains: tuple[str, ...] = (),
    zone: dt.tzinfo = dt.UTC,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ListedPage]:
    """The pages of a manifest, from a cursor on.

    sleep: waits, and may raise to end the reading; asked now and then also where there is nothing to wait for.
    zone: of times without an offset.
    streams: takes the playlists first, in one pass over the rows: a table need not be sorted. They are what memory grows with, about 250
    bytes each. None: parts of streams are objects like others.

    Raises:
        ManifestBroken: the file cannot be read as what it says it is. SourceDenied, SourceUnavailable.
    """
    with fetched(connection, location_of(manifest.location), sleep=sleep) as source:
        start = next(iter(resume_position(cursor, source.version, source.name)), 0)
        described = {column: name for name, column in manifest.columns.named().items() if name not in OBJECT_COLUMNS}
        reader = RowReader(
            bucket=bucket,
            key_encoding=manifest.key_encoding,
            columns=_columns(manifest),
            names=described,
            domains=frozenset(domain.lower() for domain in domains),
            nulls=frozenset(manifest.null_values),
            zone=zone,
        )
        wanted = [manifest.key_column, *manifest.columns.named().values()]
        if streams is not None:
            for row in interruptible(read_table(source, manifest.kind, wanted), sleep):
                if (key := reader.playlist(row)) is not None:
                    streams.note(key)
        rows = read_table(source, manifest.kind, wanted)
        pages = row_pages(rows, reader.read, start=start, cursor=f"{source.version}@")
        if manifest.check == "head":
            pages = looked_up(pages, open_bucket(connection, bucket), wanted=lambda _: True, sleep=sleep)
        for page in pages:
            yield page if streams is None else with_parts(page, kin_of(page.objects), streams)


def _columns(manifest: Manifest) -> Mapping[str, str]:
    named = manifest.columns.named()
    return {"key": manifest.key_column, **{name: named.get(name, name) for name in OBJECT_COLUMNS}}
