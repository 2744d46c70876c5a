"""Prefixes, a manifest and an inventory of one bucket, through the engine and the sandbox."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import oss2
import pytest
from rigging import BUCKET, Rig

from vod_migrate import engine
from vod_migrate.connection import Connection, connection_from_environment
from vod_migrate.discover import scanning
from vod_migrate.discover.inventory import inventory_pages
from vod_migrate.discover.manifest import manifest_pages
from vod_migrate.discover.oss import list_pages, open_bucket
from vod_migrate.errors import BadOption, Interrupted, ManifestBroken, SourceDenied
from vod_migrate.media import MediaObject
from vod_migrate.report.files import write_report
from vod_migrate.report.load import load_report
from vod_migrate.report.text import render_text
from vod_migrate.sandbox.testing import Sandbox
from vod_migrate.spec import Inventory, Manifest, parse_options

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


def from_manifest(rig: Rig, location: object, **more: Any) -> engine.Summary:
    content = more.pop("content", {})
    options = more.pop("options", {})
    manifest = {"location": str(location), **more}
    return rig.run(rig.migration(source={"manifest": manifest}, **content), **options)


def rows(rig: Rig) -> list[tuple[Any, ...]]:
    return rig.rows(
        "select key, migration, size, etag, last_modified, storage_class, state, media_id, code, description "
        "from results where bucket = %s order by key",
        BUCKET,
    )


def forget(rig: Rig) -> None:
    rig.rows("with gone as (delete from results returning 1) select count(*) from gone")


def test_prefixes_a_manifest_and_an_inventory_give_the_same_results(rig: Rig, tmp_path: Path) -> None:
    rig.sandbox.generate(BUCKET, count=2_500, dirt=1, seed=5)
    rig.sandbox.add_bucket(EXPORTS)
    objects = objects_of(rig)
    first = rig.run()
    expected = rows(rig)
    assert first.counts.registered > 1_000
    assert first.counts.left_out["hls_segment"] > 0

    (tmp_path / "plain.csv").write_text(facts_table(reversed(objects)), encoding="utf-8")
    (tmp_path / "urls.csv.gz").write_bytes(
        gzip.compress(
            facts_table(objects, lambda key: f"https://{BUCKET}.oss-cn-shanghai.aliyuncs.com/{quote(key)}").encode()
        )
    )
    lines = [
        {
            "key": o.key,
            "size": o.size,
            "etag": o.etag,
            "last_modified": str(o.last_modified),
            "storage_class": o.storage_class,
        }
        for o in objects
    ]
    rig.sandbox.put(EXPORTS, "all.jsonl", "".join(json.dumps(one) + "\n" for one in lines).encode())
    for name, body in inventory_files(objects).items():
        rig.sandbox.put(EXPORTS, name, body)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)

    sources: list[dict[str, Any]] = [
        {"manifest": {"location": str(tmp_path / "plain.csv")}},
        {"manifest": {"location": str(tmp_path / "urls.csv.gz")}},
        {"manifest": {"location": f"oss://{EXPORTS}/all.jsonl"}},
        {"inventory": {"bucket": EXPORTS, "manifest": "inv/2024-05-01T00-00Z/manifest.json"}},
        {"inventory": {"manifest": str(tmp_path / "inv/2024-05-01T00-00Z")}},
    ]
    for source in sources:
        forget(rig)
        told = rig.run(rig.migration(source=source))
        assert told.error is None, source
        assert rows(rig) == expected, source
        assert told.counts.left_out == first.counts.left_out, source
        assert told.counts.discovered == first.counts.discovered
    rig.assert_results_equal_truth()


def test_an_hls_tree_of_10_000_segments_gives_its_playlists_only(rig: Rig) -> None:
    for show in range(10):
        for part in range(1_000):
            rig.sandbox.put(BUCKET, f"shows/{show}/720p/seg-{part:04}.ts", b"x")
        rig.sandbox.put(BUCKET, f"shows/{show}/720p/z-index.m3u8", b"x")
        rig.sandbox.put(BUCKET, f"shows/{show}/master.m3u8", b"x")
    told = rig.run()
    assert (told.counts.registered, told.counts.left_out) == (20, {"hls_segment": 10_000})
    assert all(key.endswith(".m3u8") for key in rig.results())
    assert rig.calls() == 2


def test_a_folder_of_transport_streams_without_a_playlist_gives_all_of_them(rig: Rig) -> None:
    for number in range(1_500):
        rig.sandbox.put(BUCKET, f"recordings/{number:04}.ts", b"x")
    rig.sandbox.put(BUCKET, "recordings/hls/one.m3u8", b"x")
    rig.sandbox.put(BUCKET, "recordings/hls/one.ts", b"x")
    told = rig.run()
    assert (told.counts.registered, told.counts.left_out) == (1_501, {"hls_segment": 1})
    everything = rig.run(rig.migration(select={"hls": "all"}))
    assert (everything.counts.registered, everything.counts.left_out) == (1, {})


def test_a_prefix_inside_a_folder_sees_the_playlist_outside_it(rig: Rig) -> None:
    for key in ("s/index.m3u8", "s/seg-1.ts", "s/seg-2.ts", "t/seg-1.ts"):
        rig.sandbox.put(BUCKET, key)
    told = rig.run(rig.migration(source={"prefixes": ["s/seg", "t/s"]}))
    assert set(rig.results()) == {"t/seg-1.ts"}
    assert told.counts.left_out == {"hls_segment": 2}


def test_a_scan_that_is_stopped_among_held_pages_goes_on_without_a_wrong_verdict(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, "s/0.m3u8")
    for number in range(2_500):
        rig.sandbox.put(BUCKET, f"s/{number:05}.ts", b"x")
    run = rig.prepare()
    stop = threading.Event()
    merged = rig.store.merge_page

    def merge_once(*args: Any) -> Any:
        stop.set()
        return merged(*args)

    rig.store.merge_page = merge_once  # type: ignore[method-assign]
    with pytest.raises(Exception, match="told to stop"):
        rig.discover(run, stop)
    rig.store.merge_page = merged  # type: ignore[method-assign]
    (scan,) = rig.store.open_scans(run.run_id)
    assert scan.pages == 1
    rig.discover(run)
    rig.register(run)
    told = engine.finish(store=rig.store, run_id=run.run_id)
    assert (told.counts.registered, told.counts.left_out) == (1, {"hls_segment": 2_500})


def test_overlapping_prefixes_take_an_object_once(rig: Rig) -> None:
    for key in ("a/b/1.mp4", "a/2.mp4"):
        rig.sandbox.put(BUCKET, key)
    told = rig.run(rig.migration(source={"prefixes": ["a/b/", "a/", "a/b/1"]}))
    assert (told.counts.discovered, told.counts.registered) == (2, 2)


def test_a_row_that_is_broken_fails_by_itself_and_the_others_are_registered(rig: Rig, tmp_path: Path) -> None:
    for number in range(3):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    path = tmp_path / "list.csv"
    path.write_text(
        "key,size,Title\n0.mp4,5,Zero\n1.mp4,big,One\noss://elsewhere/x.mp4,5,X\n,5,nothing\n2.mp4,5\n0.mp4,5,Again\n",
        encoding="utf-8",
    )
    told = from_manifest(rig, path, columns={"title": "Title"})
    assert told.error is None
    assert (told.counts.discovered, told.counts.registered, told.counts.failed) == (6, 1, 3)
    assert told.counts.left_out == {"duplicate": 1, "row_no_key": 1}
    results = rig.results()
    assert {key: (state, code) for key, (state, _, code) in results.items()} == {
        "0.mp4": ("registered", None),
        "1.mp4": ("failed", "row_value"),
        "oss://elsewhere/x.mp4": ("failed", "row_other_bucket"),
        "2.mp4": ("failed", "row_columns"),
    }
    assert rig.sandbox.truth(BUCKET)["0.mp4"].title == "Zero"
    report = load_report(rig.store, told.run_id)
    assert {group.code: group.samples[0].message for group in report.failures}["row_value"].startswith(
        "line 3 has the size"
    )
    assert "line 5 has nothing in the column 'key'" in render_text(report)

    assert rig.run(rig.migration(source={"manifest": {"location": str(path)}}), mode="failed").calls == 0
    path.write_text("key,size,Title\n0.mp4,5,Zero\n1.mp4,5,One\n2.mp4,5,Two\n", encoding="utf-8")
    mended = from_manifest(rig, path, columns={"title": "Title"})
    assert (mended.counts.registered, mended.counts.unchanged, mended.counts.failed) == (2, 1, 0)
    assert rig.sandbox.truth(BUCKET)["2.mp4"].title == "Two"


def test_many_broken_rows_do_not_stop_a_run_before_it_began(rig: Rig, tmp_path: Path) -> None:
    rig.sandbox.put(BUCKET, "z.mp4")
    path = tmp_path / "list.jsonl"
    lines = [{"key": f"{n}.mp4", "size": "?"} for n in range(1_200)]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in [*lines, {"key": "z.mp4"}]), encoding="utf-8")
    told = from_manifest(rig, path)
    assert (told.state, told.counts.registered, told.counts.failed) == ("succeeded", 1, 1_200)


def test_columns_of_a_manifest_reach_the_templates_and_stay_for_a_rerun(rig: Rig, tmp_path: Path) -> None:
    for key in ("a.mp4", "b.mp4"):
        rig.sandbox.put(BUCKET, key)
    path = tmp_path / "list.jsonl"
    path.write_text(
        '{"key": "a.mp4", "节目": "一", "season": 2, "more": {"x": [1]}}\n{"key": "b.mp4", "节目": "", "season": 3}\n',
        encoding="utf-8",
    )
    told = from_manifest(
        rig, path, columns={"title": "节目"}, content={"describe": {"title": "{{ stem }}, season {{ row.season }}"}}
    )
    assert told.counts.registered == 2
    assert {key: item.title for key, item in rig.sandbox.truth(BUCKET).items()} == {
        "a.mp4": "一",
        "b.mp4": "b, season 3",
    }
    assert rig.rows("select attributes from results order by key")[0] == (
        {"title": "一", "season": 2, "more": {"x": [1]}},
    )


def test_what_a_manifest_does_not_say_is_unknown_and_head_asks_for_it(rig: Rig, tmp_path: Path) -> None:
    rig.sandbox.put(BUCKET, "a.mp4", b"12345")
    rig.sandbox.put(BUCKET, "cold.mp4", b"12345", storage_class="Archive")
    path = tmp_path / "list.csv"
    path.write_text("key\na.mp4\ncold.mp4\nmissing.mp4\n", encoding="utf-8")
    sized = from_manifest(rig, path, content={"select": {"min_size": 2}})
    assert (sized.calls, sized.counts.left_out) == (0, {"size_unknown": 3})
    timed = from_manifest(rig, path, options={"modified_since": "2020-01-01"})
    assert timed.counts.left_out == {"time_unknown": 3}
    asked = from_manifest(rig, path, check="head", content={"select": {"min_size": 2}})
    assert (asked.counts.registered, asked.counts.failed, asked.counts.left_out) == (1, 1, {"archived": 1})
    assert rig.results()["missing.mp4"][2] == "row_no_object"
    [(message,)] = rig.rows("select message from results where key = 'missing.mp4'")
    assert message.startswith("line ")
    assert f"oss://{BUCKET}/missing.mp4" in message
    assert rig.rows("select size, storage_class from results where key = 'a.mp4'") == [(5, "Standard")]
    forget(rig)
    blind = from_manifest(rig, path)
    assert blind.counts.discovered == 3
    assert rig.rows("select size, etag, last_modified, storage_class from results where key = 'a.mp4'") == [
        (None, None, None, None)
    ]
    files = write_report(rig.store, blind.run_id, tmp_path)
    (line,) = [line for line in files.mapping_csv.read_text("utf-8-sig").splitlines() if "a.mp4" in line]
    assert "None" not in line
    assert "The source" in files.text
    assert "<h2>Source</h2>" in files.html.read_text("utf-8")
    known = rig.run()
    assert (known.counts.unchanged, known.counts.changed) == (1, 0)


def test_a_manifest_never_marks_anything_as_gone(rig: Rig, tmp_path: Path) -> None:
    for key in ("a.mp4", "b.mp4"):
        rig.sandbox.put(BUCKET, key)
    rig.run()
    path = tmp_path / "list.csv"
    path.write_text("key\na.mp4\n", encoding="utf-8")
    told = from_manifest(rig, path)
    assert (told.counts.gone, told.counts.unchanged) == (0, 1)
    assert rig.results()["b.mp4"][0] == "registered"


def test_a_manifest_scan_goes_on_at_its_row_and_notices_a_changed_file(rig: Rig, tmp_path: Path) -> None:
    for number in range(2_200):
        rig.sandbox.put(BUCKET, f"{number:04}.mp4", b"x")
    path = tmp_path / "list.csv"
    path.write_text("key\n" + "".join(f"{n:04}.mp4\n" for n in range(2_200)), encoding="utf-8")
    migration = rig.migration(source={"manifest": {"location": str(path)}})
    merged = rig.store.merge_page
    for change in (False, True):
        forget(rig)
        run = rig.prepare(migration)
        stop = threading.Event()

        def merge_once(*args: Any, stop: threading.Event = stop) -> Any:
            stop.set()
            return merged(*args)

        rig.store.merge_page = merge_once  # type: ignore[method-assign]
        with pytest.raises(Exception, match="told to stop"):
            rig.discover(run, stop)
        rig.store.merge_page = merged  # type: ignore[method-assign]
        if change:
            path.write_text("key\n0001.mp4\n", encoding="utf-8")
            with pytest.raises(ManifestBroken, match="was changed since this run began"):
                rig.discover(run)
        else:
            rig.discover(run)
            assert rig.store.counts(run.run_id).discovered == 2_200
            assert len(rig.results()) == 2_200


def test_duplicates_are_taken_once_also_in_mode_all_and_pages_apart(rig: Rig, tmp_path: Path) -> None:
    for number in range(1_001):
        rig.sandbox.put(BUCKET, f"{number:04}.mp4", b"x")
    path = tmp_path / "list.csv"
    path.write_text("key\n" + "".join(f"{n:04}.mp4\n" for n in range(1_001)) + "0000.mp4\n0000.mp4\n", encoding="utf-8")
    for mode in ("new", "all"):
        told = from_manifest(rig, path, options={"mode": mode})
        assert (told.error, told.counts.discovered) == (None, 1_003)
    assert rig.sandbox.truth(BUCKET)["0000.mp4"].registrations == 2


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
        ("cut and signed", r"0\.csv\.gz breaks off after line \d"),
        ("missing", r"1\.csv\.gz"),
        ("bucket", "inventory of bucket 'other', but source.bucket is 'media-archive'"),
        ("orc", "fileFormat is 'ORC'"),
        ("schema", "without a column Key"),
        ("files", "must be a list"),
        ("nameless", r"files\[1\] has no key"),
        ("no md5", r"files\[1\], x, has the MD5"),
        ("json", "is no JSON"),
        ("list", "no JSON object"),
        ("nothing", "is no JSON"),
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
    told = engine.finish(store=rig.store, run_id=run.run_id)
    assert (told.state, told.calls, rig.results()) == ("failed", 0, {})


def test_a_manifest_in_oss_that_is_missing_or_denied_is_named(rig: Rig, sandbox: Sandbox) -> None:
    run = rig.prepare(rig.migration(source={"manifest": {"location": f"oss://{BUCKET}/none.csv"}}))
    with pytest.raises(ManifestBroken, match=r"oss://media-archive/none\.csv does not exist"):
        rig.discover(run)
    wrong = connection_from_environment({**sandbox.environment, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"})
    other = Rig(rig.store, wrong, sandbox)
    run = other.prepare(other.migration(name="denied", source={"manifest": {"location": f"oss://{BUCKET}/none.csv"}}))
    with pytest.raises(SourceDenied, match="oss:GetObject"):
        other.discover(run)


def test_a_manifest_whose_connection_breaks_is_read_on_from_there(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        rig.sandbox.put(BUCKET, f"{number:02}.mp4")
    rig.sandbox.put(BUCKET, "list.csv", ("key\n" + "".join(f"{n:02}.mp4\n" for n in range(40))).encode())
    given: list[int] = []
    real = oss2.models.GetObjectResult.read

    def breaking(self: Any, amount: int | None = None) -> bytes:
        given.append(1)
        if len(given) == 2:
            raise OSError("reset")
        return bytes(real(self, 100 if amount else None))

    monkeypatch.setattr(oss2.models.GetObjectResult, "read", breaking)
    monkeypatch.setattr("vod_migrate.clock.StopClock.sleep", lambda *_: None)
    told = from_manifest(rig, f"oss://{BUCKET}/list.csv")
    assert told.counts.registered == 40


def test_a_window_of_the_interval_is_kept_with_the_run_and_a_date_stands_for_its_day(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, "a.mp4")
    migration = rig.migration(select={"modified_after": "{{ interval_start }}", "modified_before": "interval_end"})
    with pytest.raises(BadOption, match="this run has no interval"):
        rig.prepare(migration)
    run = rig.prepare(migration, date="2024-05-01")
    assert [str(edge) for edge in (run.spec.select.modified_after, run.spec.select.modified_before)] == [
        "2024-05-01 00:00:00+08:00",
        "2024-05-02 00:00:00+08:00",
    ]
    (modified,) = (found.last_modified for found in objects_of(rig))
    assert modified is not None
    today = modified.astimezone(migration.zone).date().isoformat()
    assert rig.run(migration, date=today).counts.registered == 1
    assert rig.run(migration, date="2024-05-01").counts.left_out == {"too_new": 1}
    assert rig.run(migration, date="2100-01-01").counts.left_out == {"too_old": 1}


def test_samples_of_what_is_left_out_are_kept_with_the_scan_and_shown(rig: Rig) -> None:
    for number in range(9):
        rig.sandbox.put(BUCKET, f"notes-{number}.txt")
    rig.sandbox.put(BUCKET, "raw/a.mp4")
    told = rig.run(rig.migration(select={"exclude": ["raw/*"]}))
    report = load_report(rig.store, told.run_id)
    assert {left.reason: left.samples for left in report.left_out} == {
        "extension": tuple(f"notes-{n}.txt" for n in range(5)),
        "excluded": ("raw/a.mp4",),
    }
    assert "e.g. notes-0.txt" in render_text(report)


def test_a_dated_manifest_is_found_by_the_runs_date(rig: Rig, tmp_path: Path) -> None:
    rig.sandbox.put(BUCKET, "a.mp4")
    (tmp_path / "2024-05-01.csv").write_text("key\na.mp4\n", encoding="utf-8")
    migration = rig.migration(source={"manifest": {"location": f"{tmp_path}/{{{{ date }}}}.csv"}})
    with pytest.raises(BadOption, match="give the run a date"):
        rig.prepare(migration)
    assert rig.run(migration, date="2024-05-01").counts.registered == 1
    assert rig.run(migration, mode="failed").error is None
    assert parse_options({}).prefixes is None


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
    with pytest.raises(ManifestBroken, match=r"manifest\.checksum speaks of: its MD5 should be"):
        list(pages)


def test_a_look_for_playlists_in_a_long_table_ends_when_it_is_told_to(connection: Connection, tmp_path: Path) -> None:
    told: list[float] = []

    def sleep(seconds: float) -> None:
        told.append(seconds)
        if len(told) == 3:
            raise Interrupted("told to stop")

    path = tmp_path / "media.csv"
    path.write_text("key\n" + "".join(f"{number}.ts\n" for number in range(10_000)), encoding="utf-8")
    with pytest.raises(Interrupted):
        list(manifest_pages(connection, BUCKET, Manifest(location=str(path)), sleep=sleep))
    assert told == [0.0] * 3


def test_a_run_shows_that_it_lives_before_its_first_page(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_LIFE_SECONDS", 0.2)
    rig.sandbox.put(BUCKET, "a.mp4")
    rig.sandbox.settings(latency_ms=2_500)
    run = rig.prepare()
    listing = threading.Thread(target=rig.discover, args=(run,))
    listing.start()
    seen = set()
    while listing.is_alive():
        seen |= set(rig.rows("select alive_at from runs, scans where scans.run_id = runs.run_id and scans.pages = 0"))
        listing.join(0.1)
    assert len(seen) > 3
