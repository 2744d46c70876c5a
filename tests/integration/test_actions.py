"""Who did what: kept with the run, and shown in its report."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest
from rigging import BUCKET, Rig
from shell import Shell

from vod_migrate.report.html import render_html
from vod_migrate.report.language import CHINESE
from vod_migrate.report.loader import load_report
from vod_migrate.report.text import render_text
from vod_migrate.run import control
from vod_migrate.run.planning_run import decide, plan_run
from vod_migrate.sandbox.pytest_plugin import Sandbox


def deeds(rig: Rig, run_id: str) -> list[tuple[str, str, str]]:
    return [(one.who, one.what, one.detail) for one in load_report(rig.store, run_id).actions]


def test_what_is_done_to_a_run_and_meanwhile_to_its_migration_and_account_is_in_its_report(
    rig: Rig, sandbox: Sandbox
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    before = rig.prepare()
    control.set_account_rate(rig.store, "default", 40, by="eve")
    control.cancel(rig.store, before.run_id, by="ann")
    run = rig.prepare()
    control.set_run_rate(rig.store, run.run_id, 5, by="bob")
    control.set_migration_rate(rig.store, "default", "nightly", None, by="cleo")
    control.pause(rig.store, run.run_id, by="丹 <dan>")
    assert deeds(rig, before.run_id)[:2] == [("eve", "account_rate", "40 calls/s"), ("ann", "cancelled", "")]
    assert deeds(rig, run.run_id) == [
        ("bob", "run_rate", "5 calls/s"),
        ("cleo", "migration_rate", "none"),
        ("丹 <dan>", "paused", ""),
    ]
    report = load_report(rig.store, run.run_id)
    for shown in (render_text(report, language=CHINESE), unescape(render_html(report, language=CHINESE))):
        assert "5 次/秒" in shown, "what was done is told in the reader's language"
        assert "由 丹 <dan> 暂停" in shown, "and why the run stopped"
        assert "calls/s" not in shown


def test_an_approval_names_who_gave_it(rig: Rig, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    run = rig.prepare(rig.migration(require_approval=True), dry_run=True)
    plan_run(store=rig.store, connection=rig.connection, run_id=run.run_id, stop=rig.stop)
    decide(rig.store, run.run_id, approved=True, by="fay")
    assert ("fay", "approved", "") in deeds(rig, run.run_id)


@pytest.mark.usefixtures("sandbox")
def test_the_command_line_notes_its_user(sandbox: Sandbox, shell: Shell) -> None:
    shell.environment["LOGNAME"] = "grace"
    sandbox.put(BUCKET, "a.mp4")
    done: dict[str, Any] = json.loads(shell.run("run", str(shell.file()), "--json").stdout)
    report = json.loads(shell.run("report", done["run_id"], "--json").stdout)
    assert [(one["who"], one["what"]) for one in report["actions"]] == [("grace", "started")]
    text = shell.run("report", done["run_id"]).stdout
    assert "grace started the run (mode new)" in text
    shell.run("discard", done["run_id"])
    assert "grace discarded the remaining objects" in shell.run("report", done["run_id"]).stdout
