"""What a shell gets when a person presses Tab: names, quickly, and never a message."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from shell import BUCKET, Shell

from vod_migrate.sandbox.pytest_plugin import Sandbox


def press_tab(shell: Shell, line: str, *, kind: str = "bash", **environment: str) -> tuple[list[str], str]:
    """The words that a shell would offer at the end of a line, and what was told beside them."""
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[kind]
    done = subprocess.run(
        [Path(sys.executable).parent / "vod-migrate"],
        env={**shell.environment, "_VOD_MIGRATE_COMPLETE": f"complete_{kind}", **asked, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split(), done.stderr


@pytest.fixture
def run_id(shell: Shell, sandbox: Sandbox) -> str:
    sandbox.generate(BUCKET, count=5, dirt=0)
    done = shell.run("run", str(shell.file()))
    assert done.returncode == 0, done
    return done.stderr.split("run ", 1)[1].split(" ", 1)[0]


def test_migrations_and_runs_are_offered_in_every_shell_and_for_every_command_of_a_run(
    shell: Shell, run_id: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    offered, told = press_tab(shell, "vod-migrate report ")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert (offered, told) == (["nightly", run_id], "")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
    assert press_tab(shell, "vod-migrate verify ni") == (["nightly"], "")
    assert press_tab(shell, f"vod-migrate status {run_id[:4]}") == ([run_id], "")
    assert press_tab(shell, "vod-migrate cancel ", kind="fish") == (["nightly", run_id], "")
    assert press_tab(shell, "vod-migrate diagnose ", kind="zsh")[0][-2:] == [':(("nightly"', f'"{run_id}"))\'']


def test_after_an_option_the_command_itself_answers(shell: Shell, run_id: str) -> None:
    assert press_tab(shell, "vod-migrate report --json ") == (["nightly", run_id], "")
    assert press_tab(shell, "vod-migrate report --o") == (["--output"], "")


def test_commands_are_offered_without_what_they_need(shell: Shell) -> None:
    assert press_tab(shell, "vod-migrate re") == (["restore", "reconcile", "report", "resume"], "")


def test_nothing_is_told_where_there_is_nothing_to_offer(shell: Shell, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        databases = {
            "no database answers": "postgresql://u:secret@127.0.0.1:1/none",
            "a database that is silent": f"postgresql://u:secret@127.0.0.1:{port}/none",
            "no address at all": "secret@@nonsense",
            "an embedded one that does not run": "",
        }
        for reason, url in databases.items():
            answer = press_tab(
                shell, "vod-migrate report ", VOD_MIGRATE_DATABASE_URL=url, VOD_MIGRATE_HOME=str(tmp_path)
            )
            assert answer == ([], ""), reason


def test_the_line_of_the_docs_makes_bash_complete(shell: Shell, run_id: str) -> None:
    script = (
        'eval "$(_VOD_MIGRATE_COMPLETE=source_bash vod-migrate)"; COMP_WORDS=(vod-migrate report ""); COMP_CWORD=2; '
        'complete -p vod-migrate; _vod_migrate_completion vod-migrate; echo "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{shell.environment['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**shell.environment, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].split() == ["nightly", run_id]
    assert done.stdout.startswith("complete ")
    assert done.stderr == ""
