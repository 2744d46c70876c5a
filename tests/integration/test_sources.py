"""Prefixes, a manifest and an inventory of one bucket, through the engine and the sandbox."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rigging import BUCKET, Rig
from sources import EXPORTS, facts_table, forget, inventory_files, objects_of, rows

from vod_migrate.errors import BadOption
from vod_migrate.report.loader import load_report
from vod_migrate.report.text import render_text
from vod_migrate.run.settle import finish


def test_prefixes_a_manifest_and_an_inventory_give_the_same_results(rig: Rig, tmp_path: Path) -> None:
    rig.unlimited()
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
    rig.discover_a_page(run)
    (scan,) = rig.store.open_scans(run)
    assert scan.page_no == 1
    rig.discover(run)
    rig.register(run)
    told = finish(store=rig.store, run_id=run.run_id)
    assert (told.counts.registered, told.counts.left_out) == (1, {"hls_segment": 2_500})


def test_overlapping_prefixes_take_an_object_once(rig: Rig) -> None:
    for key in ("a/b/1.mp4", "a/2.mp4"):
        rig.sandbox.put(BUCKET, key)
    told = rig.run(rig.migration(source={"prefixes": ["a/b/", "a/", "a/b/1"]}))
    assert (told.counts.discovered, told.counts.registered) == (2, 2)


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


def test_a_run_shows_that_it_lives_before_its_first_page(rig: Rig) -> None:
    rig.store.lease = 0.6
    rig.sandbox.put(BUCKET, "a.mp4")
    rig.sandbox.settings(latency_ms=2_500)
    run = rig.prepare()
    listing = threading.Thread(target=rig.discover, args=(run,))
    listing.start()
    seen = set()
    while listing.is_alive():
        seen |= set(
            rig.rows(
                "select expires_at from vod_migrate.workers join vod_migrate.scans using (run_no) where slot = 'discover' and page_no = 0"
            )
        )
        listing.join(0.1)
    assert len(seen) > 3
