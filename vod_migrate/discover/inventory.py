"""Objects from an OSS bucket inventory: manifest.json, and gzip CSV files that are checked by their MD5 before use.

What OSS writes (bucket inventory page): `fileSchema` names the columns, keys are URL-encoded, each entry of `files` has a name, a size
and an MD5. Names differ between the page's versions (key or name, MD5checksum or MD5), so both are read.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import Location, location_of
from vod_migrate.discover.download import SourceFile, fetched
from vod_migrate.discover.held_pages import with_parts
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.row import RowReader
from vod_migrate.discover.row_page import RowResult, interruptible, resume_position, row_pages
from vod_migrate.discover.streams import Streams, kin_of
from vod_migrate.discover.table import Row, read_csv
from vod_migrate.errors import ManifestBroken, SourceDenied
from vod_migrate.media import Rejected
from vod_migrate.migration.source import Inventory

_COLUMNS = {
    "key": "Key",
    "size": "Size",
    "etag": "ETag",
    "last_modified": "LastModifiedDate",
    "storage_class": "StorageClass",
}
_MANIFEST_BYTES = 64 << 20
_MD5_DIGITS = 32
_CHECKSUM_BYTES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class _DataFile:
    name: str
    size: int | None
    md5: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What an inventory's manifest.json says."""

    place: Location
    version: str
    schema: tuple[str, ...]
    files: tuple[_DataFile, ...]
    destination: str


def inventory_pages(
    connection: Connection,
    bucket: str,
    inventory: Inventory,
    *,
    cursor: str | None = None,
    streams: Streams | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ListedPage]:
    """The pages of an inventory, from a cursor on: file after file, only current versions. streams: as in manifest_pages.

    Raises:
        ManifestBroken: manifest.json or a data file is not what it must be; a wrong checksum names the file, the MD5
            expected and the one found. SourceDenied, SourceUnavailable.
    """
    contents = read_contents(connection, location_of(inventory.location), bucket, sleep)
    numbers = resume_position(cursor, contents.version, str(contents.place))
    first, start = (numbers[0], numbers[1]) if numbers else (0, 0)
    reader = RowReader(bucket=bucket, key_encoding=inventory.key_encoding, columns=_COLUMNS, keep=False)
    if streams is not None:
        for key in _playlists(connection, contents, reader, sleep):
            streams.note(key)
    if not contents.files:
        yield ListedPage(objects=(), cursor=None)
    for number in range(first, len(contents.files)):
        with _checked(connection, contents, contents.files[number], sleep) as source:
            pages = row_pages(
                read_csv(source, header=contents.schema),
                partial(_told, reader=reader, bucket=bucket, name=source.name),
                start=start,
                cursor=f"{contents.version}@{number}:",
                last=number + 1 == len(contents.files),
            )
            for page in pages:
                yield page if streams is None else with_parts(page, kin_of(page.objects), streams)
        start = 0


def _told(row: Row, reader: RowReader, bucket: str, name: str) -> RowResult:
    values = row.values
    if row.rejected is None:
        key = str(values["Key"])
        if str(values.get("IsDeleteMarker", "")).lower() == "true":
            return Rejected("delete_marker", key)
        if str(values.get("IsLatest", "")).lower() == "false":
            return Rejected("old_version", key)
        if (other := values.get("Bucket", bucket)) != bucket:
            row = replace(row, values={**values, "Key": f"oss://{other}/{key}"})
    return reader.read(replace(row, where=f"{name}: {row.where}"))


def _playlists(
    connection: Connection, contents: Contents, reader: RowReader, sleep: Callable[[float], None]
) -> Iterator[str]:
    for file in contents.files:
        with _checked(connection, contents, file, sleep) as source:
            for row in interruptible(read_csv(source, header=contents.schema), sleep):
                key = reader.playlist(row)
                if key is not None and str(row.values.get("IsLatest", "")).lower() != "false":
                    yield key


def read_contents(
    connection: Connection | None, place: Location, bucket: str, sleep: Callable[[float], None]
) -> Contents:
    """What manifest.json says. connection: None only for a path.

    Raises:
        ManifestBroken: it is not one, or another bucket's. SourceDenied, SourceUnavailable.
    """
    if not place.bucket and Path(place.path).is_dir():
        place = replace(place, path=str(Path(place.path) / "manifest.json"))
    with fetched(connection, place, sleep=sleep) as source:
        if source.path.stat().st_size > _MANIFEST_BYTES:
            raise ManifestBroken(
                f"{place} is larger than {_MANIFEST_BYTES:,} bytes: name the inventory's manifest.json"
            )
        try:
            told = json.loads(source.path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ManifestBroken(f"{place} is not JSON ({error}): name the inventory's manifest.json") from None
        version = source.version
        _check_whole(connection, place, source.md5(), sleep)
    if not isinstance(told, dict):
        raise ManifestBroken(f"{place} is not a JSON object: name the inventory's manifest.json")
    of = told.get("sourceBucket")
    if of != bucket:
        raise ManifestBroken(
            f"{place} is the inventory of bucket {of!r}, but source.bucket is {bucket!r}: name the inventory of that bucket"
        )
    if str(told.get("fileFormat", "")).upper() != "CSV":
        raise ManifestBroken(f"{place}: fileFormat is {told.get('fileFormat')!r}, only CSV can be read")
    schema = tuple(name.strip() for name in str(told.get("fileSchema", "")).split(","))
    if "Key" not in schema:
        raise ManifestBroken(f"{place}: fileSchema is {told.get('fileSchema')!r}, without a column Key")
    files = told.get("files")
    if not isinstance(files, list):
        raise ManifestBroken(f"{place}: files is {files!r}, which must be a list of the data files")
    return Contents(
        place=place,
        version=version,
        schema=schema,
        files=tuple(_data_file(place, number, file) for number, file in enumerate(files, start=1)),
        destination=str(told.get("destinationBucket") or ""),
    )


def _check_whole(connection: Connection | None, place: Location, md5: str, sleep: Callable[[float], None]) -> None:
    """Compares manifest.json with the manifest.checksum that OSS writes beside it; a copy may have left that behind."""
    folder, slash, name = place.path.rpartition("/")
    beside = replace(place, path=f"{folder}{slash}manifest.checksum")
    if name != "manifest.json" or (not place.bucket and not Path(beside.path).exists()):
        return
    try:
        with fetched(connection, beside, sleep=sleep) as source:
            told = source.path.read_bytes()[:_CHECKSUM_BYTES].decode("ascii", "replace").strip().strip('"')
    except (ManifestBroken, SourceDenied):
        # Not there, or not for us to read: the data files are checked all the same.
        return
    if (should := _md5_of(told)) != md5:
        raise ManifestBroken(
            f"{place} is not the file that {beside} describes: its MD5 should be {should or repr(told[:40])} and is {md5}. Copy the "
            "inventory again, or use another day's"
        )


def _md5_of(told: str) -> str:
    """An MD5 in hex, from hex or from base64 as Content-MD5 has it; '' where it is neither."""
    if re.fullmatch(r"[0-9a-fA-F]{32}", told):
        return told.lower()
    try:
        raw = base64.b64decode(told, validate=True)
    except ValueError:
        return ""
    return raw.hex() if len(raw) == _MD5_DIGITS // 2 else ""


def _data_file(place: Location, number: int, told: Any) -> _DataFile:
    fields: Mapping[str, Any] = {name.lower(): value for name, value in told.items()} if isinstance(told, dict) else {}
    name = fields.get("key") or fields.get("name")
    if not isinstance(name, str):
        raise ManifestBroken(f"{place}: files[{number}] has no key: the inventory is not complete")
    md5 = str(fields.get("md5checksum") or fields.get("md5") or "").lower()
    if len(md5) != _MD5_DIGITS:
        raise ManifestBroken(f"{place}: files[{number}], {name}, has the MD5 {md5!r}, which is not an MD5")
    size = fields.get("size")
    return _DataFile(name=name, size=size if isinstance(size, int) else None, md5=md5)


@contextmanager
def _checked(
    connection: Connection, contents: Contents, file: _DataFile, sleep: Callable[[float], None]
) -> Iterator[SourceFile]:
    """A data file, from the first of the places where it may lie, once its MD5 is known to be right."""
    places = [replace(contents.place, path=path) for path in _paths(contents, file.name)]
    if not contents.place.bucket:
        places = [place for place in places if Path(place.path).is_file()] or places[:1]
    with ExitStack() as stack:
        for place in places:
            try:
                source = stack.enter_context(fetched(connection, place, sleep=sleep))
                break
            except ManifestBroken:
                if place == places[-1]:
                    raise
        size, md5 = source.path.stat().st_size, source.md5()
        if md5 != file.md5:
            sizes = f"; {size:,} bytes instead of {file.size:,}" if file.size not in (None, size) else ""
            raise ManifestBroken(
                f"{source.name} is not the file that {contents.place} describes: its MD5 should be {file.md5} and is "
                f"{md5}{sizes}. Copy it again, or use another day's inventory"
            )
        yield replace(source, name=file.name)


def _paths(contents: Contents, name: str) -> list[str]:
    """Where a data file may lie: where manifest.json says, with or without its bucket, or in a copy of the folder."""
    inner = name.removeprefix(f"{contents.destination}/") if contents.destination else name
    if contents.place.bucket:
        return list(dict.fromkeys([name, inner]))
    folder = Path(contents.place.path).parent
    base = PurePosixPath(name).name
    near = [folder / base, folder / "data" / base, folder.parent / "data" / base]
    above = [parent / inner for parent in (folder, *list(folder.parents)[:4])]
    return [str(path) for path in (*near, *above)]
