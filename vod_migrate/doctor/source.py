"""Whether the manifest or inventory of a migration can be read: where it lies, its columns, its first rows.

A small table is read to its end. Of a large one in OSS it is known that it is there and may be read, of a large one here its first rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import Location, location_of
from vod_migrate.discover.download import fetched
from vod_migrate.discover.inventory import read_contents
from vod_migrate.discover.table import read_table
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok, warning
from vod_migrate.doctor.deadline import TIMEOUTS
from vod_migrate.errors import BadSetting, Interrupted, SourceError, SourceUnavailable
from vod_migrate.migration.model import Migration
from vod_migrate.migration.source import Manifest, Source

MOST_BYTES = 8 << 20
"""A smaller table is read to its end: about a second."""
ROWS = 1000
"""Of a larger one."""


def source_checks(connection: Connection | None, migration: Migration | None) -> Iterator[Check]:
    """Whether the source's file can be read. connection: None where there is none; a file of this machine needs none."""
    if migration is None:
        yield not_checked("source", "no usable migration file")
    else:
        yield _source_check(connection, migration.source)


def _source_check(connection: Connection | None, source: Source) -> Check:
    if source.listed:
        return ok("source", "nothing", "objects come from listing the bucket")
    place = location_of(source.location)
    if place.bucket and connection is None:
        return not_checked("source", f"{place} is in OSS, and there is no usable connection")
    tried = f"reading {place}"
    fix = "correct source in the migration file, or write the file again; the result names its line or field"
    try:
        if source.inventory is not None:
            contents = read_contents(connection, place, source.bucket, _no_sleep)
            return ok(
                "source", tried, f"an inventory of {len(contents.files):,} files, which are checked when they are read"
            )
        assert source.manifest is not None  # noqa: S101 - not listed
        return _manifest_check(connection, place, source.manifest, tried)
    except (SourceUnavailable, Interrupted, BadSetting) as error:
        return not_checked("source", str(error), tried=tried)
    except SourceError as error:
        return failed("source", tried, error, fix)


def _manifest_check(connection: Connection | None, place: Location, manifest: Manifest, tried: str) -> Check:
    if place.bucket and connection is not None:
        found = open_bucket(connection, place.bucket, timeouts=TIMEOUTS).head(place.path)
        if found is not None and found.size > MOST_BYTES:
            there = f"it exists, with {found.size:,} bytes; its rows are checked when they are read"
            return ok("source", f"HeadObject of {place}", there)
    with fetched(connection, place, sleep=_no_sleep) as file:
        wanted = [manifest.key_column, *manifest.columns.named().values()]
        whole = file.path.stat().st_size <= MOST_BYTES
        rows = list(islice(read_table(file, manifest.kind, wanted), None if whole else ROWS))
    told = f"its {len(rows):,} rows" if whole else f"its first {len(rows):,} rows"
    broken = [row for row in rows if row.rejected is not None]
    if broken and broken[0].rejected is not None:
        return warning(
            "source", tried, f"{len(broken):,} of {told} cannot be read: {broken[0].rejected.message}",
            "correct these rows; each one fails alone and does not stop the others",
        )  # fmt: skip
    if not rows:
        return warning("source", tried, f"{place} has no rows", "write one object a row")
    return ok("source", tried, f"its columns exist, and {told} can be read")


def _no_sleep(_seconds: float) -> None:
    # Between the tries of a copy; a checklist does not try again.
    raise Interrupted("a check is made once")
