"""Archived objects and their restored copies: what a plan, a run and `restore` make of each.

A row a case: its name, the storage class, how the copy stands, the setting of select.archived, and the reason or hint.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from shell import BUCKET, MIGRATION, Done, Shell

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.cloud.list_page import restored_copy
from vod_migrate.media import RestoredCopy
from vod_migrate.sandbox.pytest_plugin import Sandbox

EXPIRY = "Sun, 16 Apr 2017 08:12:33 GMT"
EXPIRES = dt.datetime(2017, 4, 16, 8, 12, 33, tzinfo=dt.UTC)

TOLD = [
    ('ongoing-request="true"', RestoredCopy(ready=False)),
    (f'ongoing-request="false", expiry-date="{EXPIRY}"', RestoredCopy(ready=True, expires=EXPIRES)),
    (f'ongoing-request="false",expiry-date="{EXPIRY}"', RestoredCopy(ready=True, expires=EXPIRES)),
    ('ongoing-request="false", expiry-date="soon"', RestoredCopy(ready=True)),
    ("", None),
    ("restored", None),
]


@pytest.mark.parametrize(("text", "copy"), TOLD)
def test_what_oss_says_about_a_copy(text: str, copy: RestoredCopy | None) -> None:
    assert restored_copy(text) == copy


LEFT: dict[str, int] = {"archived": 2, "being_restored": 1, "restored_copy": 1}
TAKEN = {"left_out": {"archived": 2, "being_restored": 1}, "to_send": 1, "hints": {"restored": 1}}
RESTORED = {"archived": "restored"}

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("by default", "prefixes", {}, {"left_out": LEFT}),
    ("restored copies wanted", "prefixes", RESTORED, TAKEN),
    ("copies that expire too soon", "prefixes", {**RESTORED, "restored_min_days": 30}, {"left_out": LEFT}),
    ("every archived object", "prefixes", {"archived": "register"}, {"to_send": 4, "hints": {"restored": 1}}),
    ("one archive class by name", "prefixes", {"storage_classes": ["Archive"]}, {"to_send": 2}),
    ("too new as well", "prefixes", {"modified_before": "2001-01-01"}, {"left_out": {"too_new": 4}}),
    ("a manifest that is checked", "head", {}, {"left_out": LEFT}),
    ("a manifest that is checked, copies wanted", "head", RESTORED, TAKEN),
    ("a manifest with classes, copies wanted", "class", RESTORED, TAKEN),
]


@pytest.mark.parametrize(("source", "select", "numbers"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_archived_object_is_taken_or_left_out_by_name(
    shell: Shell, sandbox: Sandbox, source: str, select: dict[str, Any], numbers: dict[str, Any]
) -> None:
    four_kinds(sandbox)
    made = read(shell.run("plan", migration(shell, select, source), "--json"))
    found = {
        "to_send": made["to_send"],
        "left_out": {one["reason"]: one["count"] for one in made["left_out"]},
        "hints": {one["reason"]: one["count"] for one in made["hints"]},
    }
    if "storage_classes" in select:
        numbers = {**numbers, "left_out": {"archived": 1, "being_restored": 1}, "hints": {"restored": 1}}
    assert found == {"to_send": 0, "left_out": {}, "hints": {}, **numbers}


def test_a_plan_says_how_much_would_have_to_be_restored_and_when_a_copy_expires(shell: Shell, sandbox: Sandbox) -> None:
    four_kinds(sandbox)
    done = shell.run("plan", str(shell.file()))
    assert "2 objects (2.0 kB) would have to be restored" in done.stdout
    assert f"vod-migrate restore {shell.folder / 'migration.yaml'}" in done.stdout
    assert "The first copy expires at 20" in done.stdout
    taken = shell.run("plan", migration(shell, RESTORED))
    assert "may stop playing when the copies expire" in " ".join(taken.stdout.split())


def test_leftovers_are_held_against_the_copy_as_it_is_now(shell: Shell, sandbox: Sandbox) -> None:
    four_kinds(sandbox)
    sandbox.fault("error", api="RegisterMedia", code="Forbidden")
    file = migration(shell, RESTORED)
    assert shell.run("run", file).returncode == 3
    sandbox.clear_faults()
    assert shell.run("run", file).returncode == 0
    assert set(sandbox.truth(BUCKET)) == {"ready.mp4"}


def test_restore_shows_first_then_begins_within_its_limit_and_goes_on(shell: Shell, sandbox: Sandbox) -> None:
    for number in range(5):
        sandbox.put(BUCKET, f"{number}.mp4", b"x" * 10, storage_class="ColdArchive")
    sandbox.put(BUCKET, "old.mp4", b"x" * 10, storage_class="Archive")
    sandbox.put(BUCKET, "cover.jpg", storage_class="Archive")
    sandbox.put(BUCKET, "plain.mp4")
    file = migration(shell, {"archived": "restored"})

    shown = shell.run("restore", file, "--days", "30")
    assert (shown.returncode, copies(sandbox)) == (0, {})
    assert "Not readable without a restore: 6 objects (60 B)." in shown.stdout
    assert "7 days, the most that OSS allows" in shown.stdout
    assert shown.stdout.rstrip().endswith("--days 30 --begin")

    first = restored(shell, file, "--max-objects", "4", "--begin")
    assert (first["begun"], first["limited"]) == ({"objects": 4, "bytes": 40}, True)
    second = restored(shell, file, "--max-bytes", "10B", "--begin")
    assert (second["begun"]["objects"], second["being_restored"]) == (1, 4)
    third = restored(shell, file, "--begin")
    assert (third["begun"]["objects"], third["being_restored"], third["limited"]) == (1, 5, False)
    assert restored(shell, file, "--begin")["begun"]["objects"] == 0

    sandbox.settings(fast_forward_s=20_000)
    assert shell.run("run", file).returncode == 0
    assert set(sandbox.truth(BUCKET)) == {"plain.mp4", "old.mp4", *(f"{number}.mp4" for number in range(5))}


def test_what_is_registered_is_not_restored_when_it_is_archived_later(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    assert shell.run("run", str(shell.file())).returncode == 0
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    made = read(shell.run("plan", str(shell.file()), "--json"))
    assert (made["to_restore"], [one["reason"] for one in made["left_out"]]) == (0, ["archived"])
    told = restored(shell, migration(shell, {"archived": "restored"}), "--begin")
    assert (told["to_restore"], told["registered"], copies(sandbox)) == ({}, 1, {})


ORDERS: list[tuple[str, str, list[str], int, str]] = [
    ("no such tier", "ColdArchive", ["--tier", "Fast"], 2, "--tier 'Fast' is not a tier"),
    ("no such size", "ColdArchive", ["--max-bytes", "many"], 2, "--max-bytes 'many' is not a size"),
    ("too many days", "ColdArchive", ["--days", "400"], 2, "less than or equal to 365"),
    ("a class without that tier", "DeepColdArchive", ["--tier", "bulk", "--begin"], 6, "DeepColdArchive has no tier Bulk"),
    ("copies that no run takes", "ColdArchive", [], 0, "select.archived is skip"),
    ("a TiB and a half", "ColdArchive", ["--max-bytes", "1.5 TiB"], 0, "To start them:"),
    ("larger than all that is allowed", "ColdArchive", ["--max-bytes", "9", "--begin"], 6, "this object alone is larger than --max-bytes"),
    ("capitals do not matter", "ColdArchive", ["--tier", "EXPEDITED", "--begin"], 0, "Restores started: 1 object (10 B)"),
]  # fmt: skip


def test_an_order_that_cannot_be_is_refused_by_name(shell: Shell, sandbox: Sandbox) -> None:
    for name, storage_class, arguments, code, says in ORDERS:
        sandbox.put(BUCKET, "a.mp4", b"x" * 10, storage_class=storage_class)
        done = shell.run("restore", str(shell.file()), *arguments)
        assert (done.returncode, says in " ".join((done.stdout + done.stderr).split())) == (code, True), name
        assert "Traceback" not in done.stderr, name


def test_a_permission_that_is_missing_ends_it_and_is_named(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    sandbox.fault("error", api="RestoreObject", code="AccessDenied")
    done = shell.run("restore", migration(shell, RESTORED), "--begin")
    assert (done.returncode, "allow oss:RestoreObject on it" in done.stderr) == (3, True)


def test_what_was_begun_is_told_even_where_the_listing_breaks_off(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a/film.mp4", b"x" * 10, storage_class="Archive")
    sandbox.fault("error", api="ListObjects", code="AccessDenied", skip=2)  # a page, and whether there is more
    source = {"bucket": BUCKET, "prefixes": ["a/", "b/"]}
    file = str(shell.file({**MIGRATION, "source": source, "select": RESTORED}))
    done = shell.run("restore", file, "--begin")
    assert done.returncode == 3, done.stderr
    assert "Restores started: 1 object (10 B)." in done.stdout
    assert "allow oss:ListObjects" in done.stderr


def four_kinds(sandbox: Sandbox) -> None:
    """Two objects without a copy, one whose copy is being made, and one whose copy lasts for seven days."""
    classes = {"none": "Archive", "ready": "Archive", "ongoing": "ColdArchive", "deep": "DeepColdArchive"}
    for name, storage_class in classes.items():
        sandbox.put(BUCKET, f"{name}.mp4", b"x" * 1_000, storage_class=storage_class)
    client = bucket_of(sandbox)
    client.restore("ready.mp4", days=7, tier=None)
    sandbox.settings(fast_forward_s=100)
    client.restore("ongoing.mp4", days=7, tier="Standard")


def bucket_of(sandbox: Sandbox) -> Any:
    fields = {"access_key_id": sandbox.access_key_id, "access_key_secret": sandbox.access_key_secret}
    fields |= {"region": sandbox.region, "oss_endpoint": sandbox.endpoint}
    return open_bucket(connection_from_fields(fields, origin="the test"), BUCKET)


def copies(sandbox: Sandbox) -> dict[str, RestoredCopy]:
    found: dict[str, RestoredCopy] = bucket_of(sandbox).list_page("", most=1_000).restored
    return found


def migration(shell: Shell, select: dict[str, Any], rows: str = "prefixes") -> str:
    source: dict[str, Any] = {"bucket": BUCKET}
    if rows != "prefixes":
        lines = [
            "key,storage_class",
            "none.mp4,Archive",
            "ready.mp4,Archive",
            "ongoing.mp4,ColdArchive",
            "deep.mp4,DeepColdArchive",
        ]
        if rows == "head":
            lines = [line.partition(",")[0] for line in lines]
        shell.folder.joinpath("list.csv").write_text("\n".join(lines))
        source["manifest"] = {"location": "list.csv", "check": "head" if rows == "head" else "none"}
    return str(shell.file({**MIGRATION, "source": source, "select": select}))


def restored(shell: Shell, file: str, *arguments: str) -> dict[str, Any]:
    return read(shell.run("restore", file, *arguments, "--json"))


def read(done: Done) -> dict[str, Any]:
    assert done.returncode == 0, done
    told: dict[str, Any] = json.loads(done.stdout)
    return told
