"""The table that a migration file asks for after each run: where it goes, what it holds, and that it never changes the verdict."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rigging import Rig
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.run.conclusion import Conclusion, conclude
from vod_migrate.run.notification import Messenger
from vod_migrate.sandbox.pytest_plugin import Sandbox


def run(shell: Shell, export: dict[str, Any], *arguments: str, code: int = 0) -> dict[str, Any]:
    done = shell.run("run", str(shell.file({**MIGRATION, "export": export})), "--json", *arguments)
    assert done.returncode == code, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def keys(path: str) -> list[str]:
    return [json.loads(line)["key"] for line in Path(path).read_text("utf-8").splitlines()]


def test_each_run_writes_its_own_table_and_the_report_says_where(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "a.mp4")
    folder = shell.folder / "tables" / "of {{ date }}"
    setting = {"to": str(folder), "format": "jsonl"}
    first = run(shell, setting, "--date", "2026-11-28")
    written = shell.folder / "tables" / "of 2026-11-28" / f"{first['run_id']}.results.jsonl"
    assert first["export"] == {"location": str(written), "rows": 1, "bytes": written.stat().st_size}
    text = shell.run("report", first["run_id"], "--output", str(shell.folder / "reports")).stdout
    assert f"exported            1 row to {written}\n" in text
    page = (shell.folder / "reports" / f"{first['run_id']}.html").read_text("utf-8")
    assert f"{first['run_id']}.results.jsonl" in page
    second = run(shell, setting, "--date", "2026-11-28")
    assert sorted(path.name for path in written.parent.iterdir()) == sorted(
        [written.name, f"{second['run_id']}.results.jsonl"]
    )


def concluded(rig: Rig, run_id: str) -> Conclusion:
    """What a report task does, as often as it is asked to."""
    messenger = Messenger(stop=threading.Event())
    return conclude(store=rig.store, run_id=run_id, directory=None, connect=lambda: rig.connection, messenger=messenger)


def night(rig: Rig, **export: Any) -> Conclusion:
    """A run that exports."""
    return concluded(rig, rig.run(rig.migration(export=export)).run_id)


def exported(end: Conclusion) -> list[str]:
    assert end.export is not None
    return keys(end.export.location)


def test_only_changes_holds_what_was_settled_since_the_last_export_to_the_same_place(rig: Rig, tmp_path: Path) -> None:
    setting = {"to": str(tmp_path), "format": "jsonl", "only_changes": True}
    rig.sandbox.put(BUCKET, "a.mp4")
    assert exported(night(rig, **setting)) == ["a.mp4"]
    rig.sandbox.put(BUCKET, "b.mp4")
    assert exported(night(rig, **setting)) == ["b.mp4"]
    rig.sandbox.delete(BUCKET, "a.mp4")
    assert exported(night(rig, **setting)) == ["a.mp4"]
    assert exported(night(rig, **setting)) == []
    # Another place has nothing yet.
    assert exported(night(rig, **{**setting, "to": str(tmp_path / "new")})) == ["a.mp4", "b.mp4"]


def test_what_another_run_has_recorded_but_not_committed_is_in_the_next_export(
    rig: Rig, database_url: str, tmp_path: Path
) -> None:
    setting = {"to": str(tmp_path), "format": "jsonl", "only_changes": True}
    rig.sandbox.put(BUCKET, "a.mp4")
    night(rig, **setting)
    with psycopg.connect(database_url) as slow:
        slow.execute("update vod_migrate.objects set settled_at = now() where key = 'a.mp4'")
        assert exported(night(rig, **setting)) == []
    assert exported(night(rig, **setting)) == ["a.mp4"]


def test_a_run_that_exports_again_replaces_its_table_by_one_that_holds_no_less(rig: Rig, tmp_path: Path) -> None:
    runs = []
    for key in ("a.mp4", "b.mp4", "c.mp4"):
        rig.sandbox.put(BUCKET, key)
        end = night(rig, to=str(tmp_path), format="jsonl", only_changes=True)
        assert exported(end) == [key]
        runs.append(end.summary.run_id)
    # The report task of the second night is cleared: it writes the same file again.
    assert exported(concluded(rig, runs[1])) == ["b.mp4", "c.mp4"]
    assert exported(concluded(rig, runs[0])) == ["a.mp4", "b.mp4", "c.mp4"]


def test_a_table_goes_to_oss_with_the_connection_of_the_run(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.add_bucket("tables")
    sandbox.put(BUCKET, "a.mp4")
    told = run(shell, {"to": "oss://tables/nightly", "format": "parquet", "rows": "mapping"})
    place = f"nightly/{told['run_id']}.mapping.parquet"
    assert told["export"]["location"] == f"oss://tables/{place}"
    tables = open_bucket(connection_from_environment(sandbox.environment), "tables").sdk_bucket()
    assert tables.head_object(place).content_length == told["export"]["bytes"]


FAILING: dict[str, tuple[dict[str, Any], str]] = {
    "no such bucket": ({"to": "oss://nowhere/"}, "the bucket does not exist"),
    "a folder that cannot be made": ({"to": "/proc/vod/"}, "/proc/vod"),
    "a template that fails for a date": ({"to": "/srv/{{ date.replace(day=99) }}"}, "day is out of range"),
}


@pytest.mark.parametrize("name", FAILING)
def test_an_export_that_fails_is_a_warning_and_the_run_a_success(rig: Rig, name: str) -> None:
    setting, said = FAILING[name]
    rig.sandbox.put(BUCKET, "a.mp4")
    told = night(rig, **setting).as_json()
    assert (told["state"], told["counts"]["registered"], "export" in told) == ("succeeded", 1, False)
    assert said in told["warning"]
    assert "vod-migrate export nightly --to PLACE" in told["warning"]


def test_a_report_of_a_run_whose_export_failed_says_so_below_its_sentence(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "a.mp4")
    done = shell.run("run", str(shell.file({**MIGRATION, "export": {"to": "oss://nowhere/"}})))
    assert (done.returncode, "\nWarning: the results were not exported to oss://nowhere/" in done.stdout) == (0, True)


def test_a_run_that_fails_exports_what_it_has_and_a_plan_exports_nothing(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "a.mp4")
    setting = {"to": str(shell.folder / "tables"), "format": "jsonl", "rows": "failures"}
    assert shell.run("plan", str(shell.file({**MIGRATION, "export": setting}))).returncode == 0
    assert not (shell.folder / "tables").exists()
    sandbox.fault("fail_files", rate=1)
    told = run(shell, setting, code=5)
    assert (told["state"], keys(told["export"]["location"])) == ("failed", ["a.mp4"])
