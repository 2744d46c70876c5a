"""Pause, resume, cancel and pace as a person types them, against a run in another process."""

from __future__ import annotations

import json
import time

from shell import BUCKET, Done, Shell
from waiting import wait_for

from vod_migrate.errors import BadOption
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox


def said(shell: Shell, *words: str) -> Done:
    done = shell.run(*words)
    assert done.returncode == 0, done
    return done


def test_a_run_is_slowed_down_paused_resumed_and_cancelled_from_another_shell(
    shell: Shell, sandbox: Sandbox, store: Store
) -> None:
    sandbox.generate(BUCKET, count=3_000, dirt=0)
    running = shell.start("run", str(shell.file()), "--json", "--calls-per-second", "10")
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= 50)
    assert "at most 5 calls per second" in said(shell, "rate", store.runs(most=1)[0].run_id, "5").stdout
    began = time.monotonic()
    paused = json.loads(said(shell, "pause", "nightly", "--by", "Maria", "--json").stdout)
    assert (paused["state"], paused["stop"]) == ("paused", "paused by Maria")
    out, told = running.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert (running.returncode, json.loads(out)["state"]) == (0, "paused"), told
    assert "objects left" in told
    resumed = shell.start("resume", paused["run_id"], "--json")
    before = len(sandbox.truth(BUCKET))
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= before + 50)
    assert store.runs(most=1)[0].options.calls_per_second == 5, "the pace that it was given last"
    assert "is cancelled; see `vod-migrate report" in said(shell, "cancel", "nightly", "--by", "Wei").stdout
    out, told = resumed.communicate(timeout=30)
    assert (resumed.returncode, json.loads(out)["state"]) == (130, "cancelled"), told
    assert "cancelled by Wei" in told
    assert "is cancelled" in said(shell, "cancel", "nightly", "--by", "Wei").stdout, "again, and nothing changes"


REFUSED = [
    (("pause", "nightly"), "has ended already (succeeded)"),
    (("resume", "nightly"), "has nothing left"),
    (("resume", "nowhere"), "no run and no migration 'nowhere'"),
    (("rate", "nightly", "fast"), "'fast' is not a number"),
    (("rate", "nightly", "0"), "above 0 and up to 1000"),
    (("rate", "nowhere", "5"), "no run and no migration 'nowhere'"),
]


def test_a_command_that_ends_as_paused_says_what_is_left_and_how_to_go_on_and_what_cannot_be_done(
    sandbox: Sandbox, shell: Shell
) -> None:
    for number in range(30):
        sandbox.put(BUCKET, f"{number}.mp4")
    done = shell.run("run", str(shell.file()), "--max-objects", "10", "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "paused")
    assert "vod-migrate: paused, 20 objects left: the run has reached the limit of" in done.stderr
    assert '"error"' not in done.stderr
    assert "Paused after" in said(shell, "report", "nightly").stdout
    assert (
        json.loads(said(shell, "resume", "nightly", "--max-objects", "1000", "--json").stdout)["state"] == "succeeded"
    )
    for words, says in REFUSED:
        refused = shell.run(*words)
        assert refused.returncode == BadOption.exit_code, words
        assert says in refused.stderr
