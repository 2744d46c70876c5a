"""Whether the manifest or inventory of a migration can be read: where it lies, its columns, its first rows.

A small table is read to its end. Of a large one in OSS it is known that it is there and may be read, of a large one here its first rows.
"""

from __future__ import annotations

from itertools import islice

import oss2

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import Location, location_of, open_bucket, reading_error
from vod_migrate.discover.download import fetched
from vod_migrate.discover.inventory import read_contents
from vod_migrate.discover.table import UnreadRow, read_table
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok, warning
from vod_migrate.doctor.timeout import CONNECT_SECONDS, READ_SECONDS
from vod_migrate.errors import Interrupted, SourceError, SourceUnavailable
from vod_migrate.migration.source import Manifest, Source

MOST_BYTES = 8 << 20
"""A smaller table is read to its end: about a second."""
ROWS = 1000
"""Of a larger one."""


def source_check(connection: Connection | None, source: Source) -> Check:
    """Whether the source's file can be read. connection: None where there is none; a file of this machine needs none."""
    if source.listed:
        return ok("source", "nothing", "objects come from listing the bucket")
    place = location_of(source.location)
    if place.bucket and connection is None:
        return not_checked("source", f"{place} lies in OSS, and there is no connection")
    tried = f"reading {place}"
    fix = "correct source in the migration file, or write the file anew; the answer names its line or field"
    try:
        if source.inventory is not None:
            assert connection is not None or not place.bucket  # noqa: S101 - returned above
            contents = read_contents(connection, place, source.bucket, _no_sleep)
            return ok(
                "source", tried, f"an inventory of {len(contents.files):,} files, which are checked as they are read"
            )
        assert source.manifest is not None  # noqa: S101 - not listed
        return _manifest_check(connection, place, source.manifest, tried)
    except SourceUnavailable as error:
        return not_checked("source", str(error), tried=tried)
    except SourceError as error:
        return failed("source", tried, error, fix)


def _manifest_check(connection: Connection | None, place: Location, manifest: Manifest, tried: str) -> Check:
    if place.bucket and connection is not None and (size := _size(connection, place)) > MOST_BYTES:
        return ok(
            "source",
            f"HeadObject of {place}",
            f"it is there, with {size:,} bytes; its rows are checked as they are read",
        )
    with fetched(connection, place, sleep=_no_sleep) as file:
        wanted = [manifest.key_column, *manifest.columns.named().values()]
        whole = file.path.stat().st_size <= MOST_BYTES
        rows, broken = 0, []
        for row in islice(read_table(file, manifest.kind, wanted), None if whole else ROWS):
            rows += 1
            if isinstance(row, UnreadRow):
                broken.append(row)
    told = f"its {rows:,} rows" if whole else f"its first {rows:,} rows"
    if broken:
        return warning(
            "source", tried, f"{len(broken):,} of {told} cannot be read: {broken[0].where} {broken[0].problem}",
            "correct these rows; each fails by itself and stops nothing else",
        )  # fmt: skip
    if not rows:
        return warning("source", tried, f"{place} has no row", "write one object a row")
    return ok("source", tried, f"its columns are there, and {told} can be read")


def _size(connection: Connection, place: Location) -> int:
    client = open_bucket(connection, place.bucket)
    client.timeout = (CONNECT_SECONDS, READ_SECONDS)
    try:
        return int(client.head_object(place.path).content_length or 0)
    except oss2.exceptions.OssError as error:
        raise reading_error(error, place) from error


def _no_sleep(_seconds: float) -> None:
    # Between the tries of a copy; a checklist does not try again.
    raise Interrupted("a check is made once")
