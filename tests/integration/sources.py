"""Manifests and inventories to try out, and what a run made of them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from rigging import BUCKET, Rig

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.discover.prefix_pages import list_pages
from vod_migrate.media import MediaObject
from vod_migrate.run.settle import Summary

EXPORTS = "exports"


SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, StorageClass, LastModifiedDate, ETag"


def objects_of(rig: Rig, bucket: str = BUCKET) -> list[MediaObject]:
    client = open_bucket(rig.connection, bucket)
    return [found for page in list_pages(client, "") for found in page.objects]


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def facts_table(objects: Iterable[MediaObject], key: Callable[[str], str] = str) -> str:
    return table(
        ["key", "size", "etag", "last_modified", "storage_class"],
        [
            (key(o.key), o.size, o.etag, o.last_modified.isoformat() if o.last_modified else "", o.storage_class)
            for o in objects
        ],
    )


def inventory_files(objects: Iterable[MediaObject], *, parts: int = 2, **changes: Any) -> dict[str, bytes]:
    """name: bytes of manifest.json and its data files."""
    rows = [
        (
            BUCKET,
            quote(o.key),
            "v1",
            "true",
            "false",
            o.size,
            o.storage_class,
            o.last_modified and o.last_modified.isoformat(),
            o.etag,
        )
        for o in objects
    ]
    files = {}
    listed = []
    for number in range(parts):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows[number::parts])
        body = gzip.compress(text.getvalue().encode())
        name = f"inv/data/{number}.csv.gz"
        files[name] = body
        listed.append({"key": name, "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest().upper()})  # noqa: S324 - what OSS writes
    told = {
        "creationTimestamp": "1642994594",
        "destinationBucket": EXPORTS,
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": listed,
        "sourceBucket": BUCKET,
        "version": "2019-09-01",
        **changes,
    }
    files["inv/2024-05-01T00-00Z/manifest.json"] = json.dumps(told).encode()
    return files


def from_manifest(rig: Rig, location: object, **more: Any) -> Summary:
    content = more.pop("content", {})
    options = more.pop("options", {})
    manifest = {"location": str(location), **more}
    return rig.run(rig.migration(source={"manifest": manifest}, **content), **options)


def rows(rig: Rig) -> list[tuple[Any, ...]]:
    return rig.rows(
        "select key, name, size, etag, last_modified, storage_class, registered, gone, media_id, code, sent "
        "from vod_migrate.objects join vod_migrate.sources using (source_id) join vod_migrate.migrations using (migration_id) "
        "where bucket = %s order by key",
        BUCKET,
    )


def forget(rig: Rig) -> None:
    rig.rows("with gone as (delete from vod_migrate.objects returning 1) select count(*) from gone")
