"""The command line: its output and exit codes, and as a process that is killed, stopped and started twice."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import Databases
from shell import BUCKET, MIGRATION, Shell
from waiting import wait_for

from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox


@pytest.mark.smoke
def test_a_run_ends_with_one_documented_json_line(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=60)
    done = shell.run("run", str(shell.file()), "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert set(told) == {"run_id", "state", "counts", "calls", "throttled", "seconds"}
    assert {
        "discovered", "registered", "already_registered", "failed", "pending", "unknown", "changed", "gone",
        "owned_elsewhere", "left_out",
    } <= set(told["counts"])  # fmt: skip
    assert told["counts"]["registered"] + told["counts"]["already_registered"] == len(sandbox.truth(BUCKET)) > 0
    again = shell.run("status", told["run_id"], "--json")
    assert json.loads(again.stdout)["counts"] == told["counts"]
    report = shell.run("report", "nightly", "--output", str(shell.folder / "report"))
    assert report.returncode == 0, report.stderr
    assert len(list((shell.folder / "report").iterdir())) == 3


@pytest.mark.smoke
def test_the_doctor_and_a_run_name_what_cannot_work_with_the_exit_code_and_change_nothing(
    shell: Shell, sandbox: Sandbox, store: Store
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    wrong = shell.file({**MIGRATION, "register": {"template_group_id": "0" * 32}})
    doctor = shell.run("doctor", str(wrong), "--json")
    told = json.loads(doctor.stdout)
    assert (doctor.returncode, told["exit_code"]) == (2, 2), doctor.stderr
    assert [check["check"] for check in told["checks"] if check["verdict"] == "failed"] == ["template_group"]
    run = shell.run("run", str(wrong))
    assert (run.returncode, "no such template group" in run.stderr) == (2, True)
    assert store.runs() == []
    assert sandbox.truth(BUCKET) == {}
    well = shell.run("doctor", str(shell.file()))
    assert (well.returncode, f"{len(told['checks'])} ok" in well.stdout) == (0, True), well.stdout


def test_a_killed_run_loses_nothing_and_repeats_at_most_what_was_in_flight(
    shell: Shell, sandbox: Sandbox, store: Store
) -> None:
    sandbox.generate(BUCKET, count=1_500, dirt=0)
    sandbox.settings(latency_ms=150)
    killed = shell.start("run", str(shell.file()), "--json")
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= 300)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    time.sleep(1.0)  # what was in flight arrives
    with store.connection() as connection:
        recorded = connection.execute("select count(*) from vod_migrate.calls").fetchone()
    assert recorded is not None
    # In flight at a kill is what was sent and not recorded: on its way, or answered and waiting for its commit.
    in_flight = sandbox.counters()["RegisterMedia"]["requests"] - recorded["count"]
    assert in_flight <= 32, "one call for each thread"
    done = shell.run("run", str(shell.file()), "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["counts"]
    assert counts["pending"] == counts["unknown"] == 0
    truth = sandbox.truth(BUCKET)
    with store.connection() as connection:
        facts = connection.execute("select key, media_id from vod_migrate.objects where registered").fetchall()
        rows = {row["key"]: row["media_id"] for row in facts}
    assert rows == {key: item.media_id for key, item in truth.items()}
    assert len(truth) == 1_500
    repeated = sum(item.registrations - 1 for item in truth.values())
    assert repeated <= 10 * in_flight
    told = sandbox.counters()["RegisterMedia"]
    assert told["requests"] - told["throttled"] <= 150 + in_flight, told


def test_a_second_process_helps_a_run_under_the_same_quota(shell: Shell, sandbox: Sandbox, store: Store) -> None:
    sandbox.generate(BUCKET, count=5_000, dirt=0)
    first = shell.start("run", str(shell.file()), "--json")
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= 50)
    run_id = json.loads(shell.run("status", "--json").stdout)["run_id"]
    helper = shell.run("work", run_id, "--slot", "second")
    assert helper.returncode == 0, helper.stderr
    out, said = first.communicate(timeout=60)
    assert (first.returncode, json.loads(out)["counts"]["registered"]) == (0, 5_000), said
    with store.connection() as connection:
        assert connection.execute("select count(distinct worker_no) from vod_migrate.calls").fetchone() == {"count": 2}
    told = sandbox.counters()["RegisterMedia"]
    assert told["requests"] - told["throttled"] <= 508, told
    assert told["most_accepted_in_a_second"] <= 50, told


@pytest.mark.parametrize("slot", ["cli", "discover", "canary", "prepare", "", " ", "a\nb", "x" * 101])
def test_a_place_that_is_no_workers_own_is_refused_before_anything_is_displaced(shell: Shell, slot: str) -> None:
    refused = shell.run("work", "any", "--slot", slot)
    assert (refused.returncode, "choose a" in refused.stderr, "--slot" in refused.stderr) == (2, True, True), refused


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_a_run_within_five_seconds_with_exit_code_130(
    shell: Shell, sandbox: Sandbox, number: int, store: Store
) -> None:
    sandbox.generate(BUCKET, count=2_000, dirt=0)
    process = shell.start("run", str(shell.file()), "--json")
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= 50)
    os.kill(process.pid, number)
    began = time.monotonic()
    out, said = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert process.returncode == 130, said
    told = json.loads(out.splitlines()[-1])
    assert told["state"] == "interrupted"
    assert told["counts"]["pending"] > 1_000
    with store.connection() as connection:
        assert connection.execute("select count(*) from vod_migrate.workers where expires_at > now()").fetchone() == {
            "count": 0
        }


def test_two_processes_starting_at_once_on_an_empty_embedded_database_both_succeed(
    shell: Shell, sandbox: Sandbox
) -> None:
    sandbox.generate(BUCKET, count=100, dirt=0)
    del shell.environment["VOD_MIGRATE_DATABASE_URL"]
    with tempfile.TemporaryDirectory(prefix="vod-home-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        shell.environment["VOD_MIGRATE_HOME"] = home
        processes = [shell.start("run", str(shell.file()), "--json") for _ in range(2)]
        ended = [(process.communicate(timeout=120), process.returncode) for process in processes]
        assert [code for _, code in ended] == [0, 0], ended
        assert len(sandbox.truth(BUCKET)) == 100
        assert all(item.registrations == 1 for item in sandbox.truth(BUCKET).values())
        status = shell.run("status", "--json")
        assert len(status.stdout.splitlines()) == 2


WRONG = "postgresql://postgres:s3cret@127.0.0.1:1/none"

BAD = [
    # what is wrong, changes of the environment, the migration file, exit code, what the one paragraph must say
    ("an unknown key", {}, {**MIGRATION, "sellect": {}}, 2, ["sellect", "did you mean 'select'"]),
    ("a wrong type", {}, {**MIGRATION, "select": {"min_size": "big"}}, 2, ["select.min_size", "'big'"]),
    ("no YAML", {}, "name: [", 2, ["is not YAML", "line 1"]),
    ("an empty file", {}, "", 2, ["must be a mapping"]),
    ("an empty bucket name", {}, {**MIGRATION, "source": {"bucket": ""}}, 2, ["source.bucket"]),
    (
        "two ways of processing",
        {},
        {**MIGRATION, "register": {"template_group_id": "a", "workflow_id": "b"}},
        2,
        ["template_group_id", "workflow_id", "keep exactly one"],
    ),
    ("no choice of transcoding", {}, {**MIGRATION, "register": {}}, 2, ["VOD_NO_TRANSCODE"]),
    ("no credentials", {"ALIBABA_CLOUD_ACCESS_KEY_ID": None, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None}, None, 2,
     ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"]),
    ("half of an AccessKey", {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": None}, None, 2, ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]),
    ("a wrong secret", {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"}, None, 3, ["SignatureDoesNotMatch", "AccessKey"]),
    ("an unknown AccessKey", {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-nobody"}, None, 3, ["InvalidAccessKeyId"]),
    ("no region", {"VOD_MIGRATE_REGION": None}, None, 2, ["VOD_MIGRATE_REGION", "cn-shanghai"]),
    ("an endpoint without scheme", {"VOD_MIGRATE_OSS_ENDPOINT": "oss.example"}, None, 2, ["VOD_MIGRATE_OSS_ENDPOINT"]),
    ("a pace that is no number", {"VOD_MIGRATE_CALLS_PER_SECOND": "fast"}, None, 2, ["VOD_MIGRATE_CALLS_PER_SECOND"]),
    ("a bucket that does not exist", {}, {**MIGRATION, "source": {"bucket": "no-such-bucket"}}, 2, ["'no-such-bucket'"]),
    ("a database that is not there", {"VOD_MIGRATE_DATABASE_URL": WRONG}, None, 4, ["cannot be reached"]),
    ("a database URL with a broken escape", {"VOD_MIGRATE_DATABASE_URL": "postgresql://u:s3cret%ZZ@127.0.0.1/x"}, None, 2,
     ["VOD_MIGRATE_DATABASE_URL", "percent"]),
    ("a database URL with a space", {"VOD_MIGRATE_DATABASE_URL": "postgresql://u:s3cret word@127.0.0.1:1/x"}, None, 2,
     ["VOD_MIGRATE_DATABASE_URL", "percent"]),
    ("a database URL with an unknown parameter", {"VOD_MIGRATE_DATABASE_URL": "postgresql://u:s3cret@h/x?sslmod=1"}, None, 2,
     ["VOD_MIGRATE_DATABASE_URL"]),
    ("a provider that has nothing", {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": None, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None,
        "VOD_MIGRATE_CREDENTIALS": "credentials_uri", "ALIBABA_CLOUD_CREDENTIALS_URI": "http://127.0.0.1:1/?t=s3cret",
    }, None, 2, ["credentials_uri"]),
    ("a database of another kind", {"VOD_MIGRATE_DATABASE_URL": "mysql://x/y"}, None, 2, ["VOD_MIGRATE_DATABASE_URL"]),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "changes", "content", "code", "says"), BAD, ids=[row[0] for row in BAD])
def test_bad_input_gets_one_paragraph_that_names_the_thing_and_its_fix(
    shell: Shell, sandbox: Sandbox, wrong: str, changes: dict[str, str | None], content: Any, code: int, says: list[str]
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    for name, value in changes.items():
        if value is None:
            shell.environment.pop(name, None)
        else:
            shell.environment[name] = value
    done = shell.run("run", str(shell.file(content if content is not None else MIGRATION)))
    assert done.returncode == code, (wrong, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    for words in says:
        assert words in done.stderr, wrong
    assert "s3cret" not in done.stderr
    assert sandbox.truth(BUCKET) == {}


def test_an_error_ends_a_process_with_its_paragraph_and_exit_code(shell: Shell, sandbox: Sandbox) -> None:
    shell.environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "wrong"
    done = shell.run_process("run", str(shell.file()))
    assert done.returncode == 3
    assert "SignatureDoesNotMatch" in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.truth(BUCKET) == {}


def test_a_database_without_schema_and_one_from_the_future_are_told_apart(shell: Shell, databases: Databases) -> None:
    shell.environment["VOD_MIGRATE_DATABASE_URL"] = url = databases.create(migrated=False)
    done = shell.run("status")
    assert (done.returncode, "vod-migrate db upgrade" in done.stderr) == (2, True)
    assert shell.run("db", "upgrade").returncode == 0
    assert shell.run("db", "check").returncode == 0
    with psycopg.connect(url) as connection:
        connection.execute("update vod_migrate.version set version = 9999")
    for command in (("status",), ("db", "upgrade"), ("run", str(shell.file()))):
        done = shell.run(*command)
        assert (done.returncode, "upgrade vod-migrate" in done.stderr) == (2, True), done.stderr
        assert "Traceback" not in done.stderr


def test_the_pace_of_an_account_is_shown_and_changed(shell: Shell) -> None:
    shell.run("run", str(shell.file()), "--json")
    assert "47 calls/s" in shell.run("quota").stdout
    assert "20 calls/s" in shell.run("quota", "default", "--calls-per-second", "20").stdout
    shell.environment["VOD_MIGRATE_CALLS_PER_SECOND"] = "47"
    done = shell.run("run", str(shell.file()))
    assert (done.returncode, "vod-migrate quota default" in done.stderr) == (2, True)
