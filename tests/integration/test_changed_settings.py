"""Settings that one run changes: `--set NAME=VALUE`, shown by a plan, used by the run, refused where they cannot be."""

from __future__ import annotations

import json

import pytest
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.sandbox.pytest_plugin import Sandbox

pytestmark = pytest.mark.usefixtures("sandbox")


def test_a_group_of_failures_is_sent_again_with_the_change_that_mends_it(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.settings(url_encoding="raw")
    sandbox.put(BUCKET, "plain.mp4")
    file = str(shell.file())
    assert shell.run("run", file).returncode == 0
    for number in range(3):
        sandbox.put(BUCKET, f"采访 {number}.mp4")
    failed = json.loads(shell.run("run", file, "--json").stdout)["run_id"]
    change = ("--mode", "failed", "--code", "url_encoding", "--set", "register.url_encoding=raw")
    planned = shell.run("plan", file, *change)
    assert "3 objects would be sent" in planned.stdout, planned
    assert "--set register.url_encoding=raw" in planned.stdout.replace("\n", " "), planned.stdout
    done = json.loads(shell.run("run", file, *change, "--json").stdout)
    assert done["counts"]["registered"] == 3
    report = json.loads(shell.run("report", done["run_id"], "--json").stdout)
    told = {setting["name"]: setting["value"] for setting in (*report["run"]["options"], *report["run"]["settings"])}
    assert told["register.url_encoding"] == "raw"
    assert told["settings"] == "register.url_encoding=raw"
    assert [(one["run_id"], one["objects"]) for one in report["parents"]] == [(failed, 3)]
    before = json.loads(shell.run("report", failed, "--json").stdout)
    (rerun,) = before["reruns"]
    assert (rerun["run_id"], rerun["objects"], rerun["state"]) == (done["run_id"], 3, "succeeded")
    assert rerun["settings"] == ["register.url_encoding=raw"]
    assert f"{failed}: 3 failures of it sent again" in shell.run("report", done["run_id"]).stdout
    assert f"{done['run_id']} (succeeded) sent 3 failures again with register.url_encoding=raw" in " ".join(
        shell.run("report", failed).stdout.split()
    )


def test_a_template_needs_no_quotes_and_other_values_are_yaml(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "films/a.mp4")
    changes = ("--set", "describe.title={{ folder }}: {{ stem }}", "--set", "describe.tags=[{{ folder }}, 老片]".replace("{{", '"{{').replace("}}", '}}"'))  # fmt: skip
    assert shell.run("run", str(shell.file()), *changes, "--set", "select.min_size=0").returncode == 0
    media = sandbox.truth(BUCKET)["films/a.mp4"]
    assert (media.title, media.tags) == ("films: a", "films,老片")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("describe.title", "write NAME=VALUE"),
        ("describe={}", "write NAME=VALUE"),
        ("=x", "write NAME=VALUE"),
        ("name=other", "write NAME=VALUE"),
        ("source.bucket=other", "belongs to the migration file"),
        ("stop_after.failures=1", "belongs to the migration file"),
        ("register.workers=4", "number of tasks in the DAG"),
        ("register.url_encoding=gbk", "url_encoding"),
        ("describe.titel={{ stem }}", "titel"),
        ("describe.title={{ nothing }}", "nothing"),
        ("describe.tags=[a", "is not YAML"),
        ("select.min_size=many", "min_size"),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_name(shell: Shell, setting: str, told: str) -> None:
    for command in ("plan", "run"):
        done = shell.run(command, str(shell.file(MIGRATION)), "--set", setting)
        assert (done.returncode, told in done.stderr) == (2, True), done
        assert "Traceback" not in done.stderr
