"""Files that were moved, renamed or copied do not become new media unasked."""

from __future__ import annotations

from typing import Any

import pytest
from rigging import BUCKET, Rig
from shell import Shell

from vod_migrate.report.loader import load_report
from vod_migrate.sandbox.pytest_plugin import Sandbox

ROOM = 70_000
"""Bytes: files from 64 KiB on are compared."""


def film(number: int, size: int = ROOM) -> bytes:
    return b"\x00\x00\x00\x18ftypmp42" + number.to_bytes(4) + bytes(size)


def renamed(sandbox: Sandbox, count: int) -> None:
    """A folder of films gets another name."""
    for number in range(count):
        sandbox.delete(BUCKET, f"old/{number:03}.mp4")
        sandbox.put(BUCKET, f"new/{number:03}.mp4", film(number))


@pytest.fixture
def films(rig: Rig, sandbox: Sandbox) -> Rig:
    for number in range(130):
        sandbox.put(BUCKET, f"old/{number:03}.mp4", film(number))
    assert rig.run().counts.registered == 130
    return rig


@pytest.mark.parametrize(("policy", "registered"), [(None, 100), ("hold", 0), ("register", 130)])
def test_a_renamed_folder_is_held_above_a_hundred_files_unless_the_file_says_otherwise(
    films: Rig, sandbox: Sandbox, policy: str | None, registered: int
) -> None:
    renamed(sandbox, 130)
    sandbox.put(BUCKET, "new/another.mp4", film(999))
    done = films.run(films.migration(select={"on_moved": policy}))
    assert done.counts.registered == registered + 1
    report = load_report(films.store, done.run_id)
    assert {one.reason: one.count for one in report.left_out} == (
        {"moved": 130 - registered} if registered < 130 else {}
    )
    assert {one.reason: one.count for one in report.hints} == ({"looks_moved": 100} if policy is None else {})
    again = films.run(films.migration(select={"on_moved": "register"}))
    assert again.counts.registered == 130 - registered
    told = dict(films.rows("select key, same_as from vod_migrate.objects where starts_with(key, 'new/')"))
    assert told.pop("new/another.mp4") is None
    assert told == {key: key.replace("new/", "old/") for key in told}
    states = {state for key, (state, _, _) in films.results().items() if key.startswith("new/")}
    assert states == {"registered"}


@pytest.mark.parametrize("seen_gone", [False, True])
def test_a_moved_file_and_a_copy_are_told_apart_whether_or_not_the_results_know_what_is_gone(
    films: Rig, sandbox: Sandbox, seen_gone: bool
) -> None:
    """`new/` is listed before `old/`, so the first listing meets the new keys while the results still have the old ones."""
    sandbox.delete(BUCKET, "old/003.mp4")
    if seen_gone:
        films.run()
    sandbox.put(BUCKET, "new/3.mp4", film(3))
    sandbox.put(BUCKET, "new/4.mp4", film(4))
    held = films.run(films.migration(select={"on_moved": "hold"}))
    found = {one.reason: (one.count, one.samples) for one in load_report(films.store, held.run_id).left_out}
    assert found == {"moved": (1, ("new/3.mp4",)), "duplicate_content": (1, ("new/4.mp4",))}
    taken = films.run()
    assert {one.reason: one.count for one in load_report(films.store, taken.run_id).hints} == {
        "looks_moved": 1,
        "looks_duplicate": 1,
    }


def test_a_renamed_folder_costs_about_one_list_request_a_page(films: Rig, sandbox: Sandbox) -> None:
    renamed(sandbox, 130)
    before = sandbox.counters()["ListObjects"]["requests"]
    films.run(films.migration(select={"on_moved": "hold"}))
    listing = 2  # the range that is known, and one to see that nothing follows
    assert sandbox.counters()["ListObjects"]["requests"] - before <= listing + 1


@pytest.mark.usefixtures("films")
def test_a_copy_beside_its_original_is_found_by_explain(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "copies/7.mp4", film(7))
    told = shell.run("explain", f"{BUCKET}/copies/7.mp4").stdout
    assert "duplicate? old/007.mp4 has the same size and ETag and is registered" in " ".join(told.split()), told
    sandbox.delete(BUCKET, "old/007.mp4")
    told = shell.run("explain", f"{BUCKET}/copies/7.mp4").stdout
    assert "moved? old/007.mp4 has the same size and ETag and is no longer in the bucket" in " ".join(told.split()), (
        told
    )


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({"size": 1_000}, False),  # small files are often alike
        ({"key": "old/000.mp4"}, False),  # the same key with the same content is the same object
        ({"number": 500}, False),
        ({}, True),
    ],
)
def test_only_large_files_under_another_key_with_equal_content_count(
    rig: Rig, sandbox: Sandbox, change: dict[str, Any], held: bool
) -> None:
    size = change.get("size", ROOM)
    sandbox.put(BUCKET, "old/000.mp4", film(0, size))
    migration = rig.migration(select={"on_moved": "hold"})
    rig.run(migration)
    sandbox.put(BUCKET, change.get("key", "new/000.mp4"), film(change.get("number", 0), size))
    done = rig.run(migration)
    assert done.counts.left_out == ({"duplicate_content": 1} if held else {})
