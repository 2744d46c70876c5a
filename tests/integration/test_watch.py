"""Looking at what goes on: `--watch`, and what a terminal shows while a command works."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest
from shell import BUCKET, MIGRATION, Shell
from terminal import Terminal, terminal
from waiting import wait_for

from vod_migrate.sandbox.pytest_plugin import Sandbox


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as made:
        yield made


@pytest.fixture
def slow_run(shell: Shell, sandbox: Sandbox) -> Iterator[subprocess.Popen[str]]:
    """A run of some seconds, under way."""
    sandbox.generate(BUCKET, count=100, dirt=0)
    with shell.start("run", str(shell.file()), "--calls-per-second", "4") as running:
        wait_for(lambda: len(sandbox.truth(BUCKET)) >= 10, "the first call")
        yield running
        running.kill()


def test_in_a_pipe_each_change_is_one_block_until_the_run_ends(shell: Shell, slow_run: subprocess.Popen[str]) -> None:
    done = shell.run("status", "--watch", "--every", "0.5")

    assert slow_run.wait(timeout=30) == 0
    blocks = done.stdout.split("run_id")[1:]
    assert len(blocks) >= 3
    assert all(before != after for before, after in itertools.pairwise(blocks))
    assert "running" in blocks[0]
    assert "succeeded  100" in blocks[-1]
    assert "\x1b" not in done.stdout


def test_what_does_not_run_is_shown_once(shell: Shell, sandbox: Sandbox) -> None:
    assert "no runs yet" in shell.run("status", "--watch").stdout
    sandbox.put(BUCKET, "a.mp4")
    shell.run("run", str(shell.file()))
    for command in (["status", "nightly"], ["report", "nightly"], ["report", "nightly", "--json"]):
        once, watched = shell.run(*command), shell.run(*command, "--watch")
        assert watched == once
    assert shell.run("report", "nightly", "--watch", "--output", "x").returncode == 2


def test_a_terminal_is_drawn_anew_and_keeps_the_last_look(
    shell: Shell, slow_run: subprocess.Popen[str], screen: Terminal
) -> None:
    process = shell.start("report", "nightly", "--watch", "--every", "0.5", stdout=screen.near)

    wait_for(lambda: screen.read().count("nightly: running") >= 2, "the second look")
    process.communicate(timeout=30)
    assert slow_run.wait(timeout=30) == 0
    last = screen.read(0.2).rpartition("nightly: ")[2]
    assert process.returncode == 0
    assert last.startswith("succeeded")
    assert "100 objects registered" in last
    assert screen.drawn.count("\x1b[?25l") == screen.drawn.count("\x1b[?25h") == 1, "the cursor is back"


def test_ctrl_c_ends_the_looking_and_not_the_run(
    shell: Shell, slow_run: subprocess.Popen[str], screen: Terminal
) -> None:
    process = shell.start("status", "--watch", stdout=screen.near)
    wait_for(lambda: "running" in screen.read(), "the first look")

    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=10)

    assert (process.returncode, told) == (0, "")
    assert slow_run.poll() is None
    assert "\x1b[?25h" in screen.read(0.2)


def test_a_terminal_shows_what_goes_on_and_a_pipe_stays_quiet(shell: Shell, sandbox: Sandbox, screen: Terminal) -> None:
    sandbox.generate(BUCKET, count=20, dirt=0)
    file = str(shell.file())
    assert shell.run("run", file).returncode == 0
    for command, shown in (
        (["plan", file], "planning 'nightly' on bucket 'media-archive'; nothing is sent"),
        (["reconcile", file], "comparing 'nightly'"),
        (["export", "nightly", "--to", str(shell.folder / "all.csv")], "exporting nightly to"),
        (["report", "nightly", "--output", str(shell.folder)], "writing the report"),
        (["db", "upgrade"], "upgrading the results database"),
    ):
        process = shell.start(*command, stderr=screen.near)
        process.communicate(timeout=60)
        assert process.returncode == 0, command
        assert shown in screen.read(0.2), command
    assert "planning" not in shell.run("plan", file).stderr


def test_a_run_in_a_terminal_shows_its_rate_and_its_failures_by_code(
    shell: Shell, sandbox: Sandbox, screen: Terminal
) -> None:
    for number in range(30):
        sandbox.put(BUCKET, f"{number}.mp4")
    sandbox.put(BUCKET, f"0{'é' * 40}.mp4")
    sandbox.put(BUCKET, f"1{'é' * 40}.mp4")
    file = shell.file({**MIGRATION, "describe": {"title": "{{ stem }}{{ stem }}", "policies": {"title": "fail"}}})

    process = shell.start("run", str(file), "--calls-per-second", "1", stderr=screen.near)
    # A terminal that nobody reads holds some kilobytes, and then holds up the process.
    wait_for(lambda: (screen.read(), process.poll())[1] is not None, "the run ends")
    process.communicate()
    assert "2 failed (title_too_long 2)" in screen.read()
    assert "objects/s" in screen.drawn
    assert "left" in screen.drawn
