"""An OSS inventory through the engine and the sandbox."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rigging import BUCKET, Rig
from sources import EXPORTS, inventory_files, objects_of, table

from vod_migrate.cloud.connection import Connection
from vod_migrate.discover.inventory import inventory_pages
from vod_migrate.errors import ManifestBroken
from vod_migrate.media import MediaObject
from vod_migrate.migration.source import Inventory
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox


def test_prefixes_narrow_an_inventory_and_old_versions_are_left_out(rig: Rig, tmp_path: Path) -> None:
    for key in ("a/1.mp4", "b/2.mp4"):
        rig.sandbox.put(BUCKET, key)
    objects = objects_of(rig)
    text = table([], [])[:0] + "".join(
        f"{BUCKET},{quote(o.key)},v,{latest},{marker},{o.size},Standard,2024-05-01T00:00:00Z,E\n"
        for o in objects
        for latest, marker in (("true", "false"), ("false", "false"), ("true", "true"))
    )
    body = gzip.compress(text.encode())
    entry = {"name": "data/1.csv.gz", "size": len(body), "MD5": hashlib.md5(body).hexdigest()}  # noqa: S324 - what OSS writes
    (tmp_path / "data").mkdir()
    (tmp_path / "data/1.csv.gz").write_bytes(body)
    (tmp_path / "manifest.json").write_bytes(inventory_files([], files=[entry])["inv/2024-05-01T00-00Z/manifest.json"])
    inventory = {"inventory": {"manifest": str(tmp_path)}}
    told = rig.run(rig.migration(source={**inventory, "prefixes": ["{{ date }}/"]}), date="2024-05-01")
    assert told.counts.left_out == {"delete_marker": 2, "old_version": 2, "outside_prefixes": 2}
    told = rig.run(rig.migration(source=inventory), prefixes=["a/"])
    assert (set(rig.results()), told.counts.registered) == ({"a/1.mp4"}, 1)


def broken_inventory(case: str) -> dict[str, bytes]:
    one = MediaObject(bucket=BUCKET, key="a.mp4", size=5, etag="E", last_modified=None)
    manifest = "inv/2024-05-01T00-00Z/manifest.json"
    if case == "checksum":
        files = inventory_files([one])
        files["inv/data/1.csv.gz"] = gzip.compress(b"other")
        return files
    if case == "cut":
        files = inventory_files([one])
        files["inv/data/0.csv.gz"] = files["inv/data/0.csv.gz"][:-9]
        return files
    if case == "cut and signed":
        files = inventory_files([one], parts=1)
        body = files["inv/data/0.csv.gz"][:-9]
        entry = {"key": "inv/data/0.csv.gz", "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}  # noqa: S324 - what OSS writes
        return {manifest: inventory_files([one], files=[entry])[manifest], "inv/data/0.csv.gz": body}
    if case == "missing":
        files = inventory_files([one])
        del files["inv/data/1.csv.gz"]
        return files
    changes: dict[str, Any] = {
        "bucket": {"sourceBucket": "other"},
        "orc": {"fileFormat": "ORC"},
        "schema": {"fileSchema": "Bucket, Size"},
        "files": {"files": "none"},
        "nameless": {"files": [{"size": 1}]},
        "no md5": {"files": [{"key": "x", "MD5checksum": ""}]},
    }
    if case in changes:
        return {manifest: inventory_files([one], **changes[case])[manifest]}
    return {manifest: {"json": b"{", "list": b"[]", "nothing": b""}[case]}


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("checksum", r"1\.csv\.gz is not the file .* MD5 should be [0-9a-f]{32} and is [0-9a-f]{32}"),
        ("cut", r"0\.csv\.gz is not the file .* bytes instead of"),
        ("cut and signed", r"0\.csv\.gz is cut off after line \d"),
        ("missing", r"1\.csv\.gz"),
        ("bucket", "inventory of bucket 'other', but source.bucket is 'media-archive'"),
        ("orc", "fileFormat is 'ORC'"),
        ("schema", "without a column Key"),
        ("files", "must be a list"),
        ("nameless", r"files\[1\] has no key"),
        ("no md5", r"files\[1\], x, has the MD5"),
        ("json", "is not JSON"),
        ("list", "not a JSON object"),
        ("nothing", "is not JSON"),
    ],
)
@pytest.mark.parametrize("place", ["here", "oss"])
def test_an_inventory_that_is_not_what_it_says_ends_the_scan_before_anything_is_queued(
    rig: Rig, tmp_path: Path, case: str, says: str, place: str
) -> None:
    rig.sandbox.add_bucket(EXPORTS)
    for name, body in broken_inventory(case).items():
        rig.sandbox.put(EXPORTS, name, body)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    folder = "inv/2024-05-01T00-00Z/manifest.json"
    inventory = {"manifest": str(tmp_path / folder)} if place == "here" else {"bucket": EXPORTS, "manifest": folder}
    run = rig.prepare(rig.migration(source={"inventory": inventory}))
    with pytest.raises(ManifestBroken, match=says):
        rig.discover(run)
    told = finish(store=rig.store, run_id=run.run_id)
    assert (told.state, told.calls, rig.results()) == ("failed", 0, {})


CHECKSUMS: list[tuple[str, Callable[[bytes], bytes], bool]] = [
    # what manifest.checksum holds, made of manifest.json, and whether it fits
    ("its MD5 in capitals", lambda told: md5(told).upper().encode(), True),
    ("its MD5 as Content-MD5 has it", lambda told: base64.b64encode(bytes.fromhex(md5(told))) + b"\n", True),
    ("another file's MD5", lambda told: md5(told + b" ").encode(), False),
    ("no MD5", lambda _: b"manifest.json", False),
    ("nothing", lambda _: b"", False),
]


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()  # noqa: S324 - what OSS writes


@pytest.mark.parametrize(("holds", "fits"), [case[1:] for case in CHECKSUMS], ids=[case[0] for case in CHECKSUMS])
@pytest.mark.parametrize("where", ["here", "in OSS"])
def test_the_checksum_beside_an_inventorys_manifest_is_compared(
    connection: Connection, sandbox: Sandbox, tmp_path: Path, holds: Callable[[bytes], bytes], where: str, *, fits: bool
) -> None:
    told = json.dumps({"sourceBucket": BUCKET, "fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": []}).encode()
    for name, body in (("manifest.json", told), ("manifest.checksum", holds(told))):
        (tmp_path / name).write_bytes(body)
        sandbox.put(BUCKET, f"inv/{name}", body)
    place = str(tmp_path) if where == "here" else f"oss://{BUCKET}/inv/manifest.json"
    pages = inventory_pages(connection, BUCKET, Inventory(manifest=place))
    if fits:
        assert [page.cursor for page in pages] == [None]
        return
    with pytest.raises(ManifestBroken, match=r"manifest\.checksum describes: its MD5 should be"):
        list(pages)
