"""The numbers of a run add up, and read as a table and as progress."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from vod_migrate.report.status import render_status
from vod_migrate.results.scan import Scan, ScanKind, SelectedPage
from vod_migrate.results.summary import RunCounts

SCAN = Scan(scan_id=1, prefix="a/", whole=True)


def listing(*keys: str, cursor: str | None = None, **left_out: int) -> SelectedPage:
    return SelectedPage(keys=keys, listed=len(keys), selected=(), left_out=left_out, cursor=cursor)


def test_a_scan_adds_up_its_pages_and_keeps_the_last_key_over_an_empty_one() -> None:
    first = SCAN.after(listing("a/1", "a/2", cursor="t", extension=1), {"queued": 1}, over_limit=[])
    second = first.after(listing(cursor="u"), {}, over_limit=[])
    last = second.after(listing("a/3", "a/4", extension=1, empty=1), {"queued": 1}, over_limit=[])
    assert (first.cursor, first.last_key) == ("t", "a/2")
    assert (second.cursor, second.last_key, second.page_no) == ("u", "a/2", 2)
    assert (last.cursor, last.last_key, last.page_no, last.listed) == (None, "a/4", 3, 4)
    assert (last.counts, last.left_out) == ({"queued": 2}, {"extension": 2, "empty": 1})
    assert not last.limited
    assert (SCAN.page_no, SCAN.counts) == (0, {})


def test_a_page_beyond_the_limit_ends_the_scan_and_counts_what_it_left_out() -> None:
    cut = SCAN.after(listing("a/1", "a/2", cursor="t"), {"queued": 1}, over_limit=[f"x{n}" for n in range(1)])
    assert cut.limited
    assert cut.left_out == {"limit": 1}


def scan(listed: int, counts: dict[str, int], left_out: dict[str, int], kind: ScanKind = ScanKind.PREFIX) -> Scan:
    return replace(SCAN, listed=listed, counts=counts, left_out=left_out, kind=kind)


def test_counts_come_from_all_scans_calls_and_outcomes_of_a_run() -> None:
    counts = RunCounts.from_rows(
        outcomes={"registered": 5, "already_registered": 2, "failed": 1},
        calls={"ok": 3, "throttled": 2, "transient": 1},
        pending=4,
        unknown=1,
        scans=[
            scan(10, {"unchanged": 2, "changed": 1}, {"extension": 1}),
            scan(5, {"unchanged": 1, "gone": 3, "owned_elsewhere": 1}, {"empty": 1, "extension": 1}),
            scan(7, {"queued": 3, "queued_again": 1, "unchanged": 1}, {"excluded": 2}, ScanKind.LEFTOVERS),
            scan(4, {"approved": 3, "vanished": 1}, {}, ScanKind.APPROVAL),
        ],
    )
    assert (counts.discovered, counts.calls, counts.throttled, counts.settled) == (15, 6, 2, 8)
    assert (counts.unchanged, counts.changed, counts.gone, counts.owned_elsewhere) == (3, 1, 3, 1)
    assert (counts.pending, counts.unknown) == (4, 1)
    assert (counts.leftovers, counts.leftovers_left_out) == (4, {"excluded": 2, "unchanged": 1})
    assert list(counts.left_out.items()) == [("empty", 1), ("extension", 2)]
    assert (counts.leftovers, counts.leftovers_left_out) == (4, {"excluded": 2, "unchanged": 1})
    assert counts.approval == {"approved": 3, "vanished": 1}


def test_a_run_without_scans_has_no_discovered_objects() -> None:
    assert RunCounts.from_rows(outcomes={}, calls={}, pending=0, unknown=0, scans=[]) == RunCounts()


def test_the_json_of_counts_names_every_number_but_the_calls() -> None:
    fields = {field.name for field in dataclasses.fields(RunCounts)}
    assert set(RunCounts().as_json()) == fields - {"calls", "throttled"}


def test_a_status_without_runs_says_how_to_start_one() -> None:
    assert "vod-migrate run" in render_status([])


@pytest.mark.parametrize("registered", [0, 7, 1_234_567])
def test_a_status_is_a_table_whose_columns_line_up(registered: int) -> None:
    rows = [
        {
            "run_id": "20240501T120000-abcd",
            "migration": name,
            "mode": "new",
            "state": "succeeded",
            "registered": registered,
            "failed": 0,
            "pending": 3,
            "calls": 12_345,
            "started": None,
        }
        for name in ("a", "a-long-name")
    ]
    head, *lines = render_status(rows).splitlines()
    assert [line[head.index("registered") :].split()[0] for line in lines] == [f"{registered:,}"] * 2
    assert [line[head.index("failed") :].split()[0] for line in lines] == ["0"] * 2
    assert all(line == line.rstrip() for line in [head, *lines])
