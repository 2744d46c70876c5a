"""Terminals, pipes and disks as they really are: no sign and no full disk ends a command in a traceback."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from shell import BUCKET, MIGRATION, Done, Shell

from vod_migrate import cli
from vod_migrate.sandbox.pytest_plugin import Sandbox

KEY = "节目 🎬 é ك.mp4"
FULL = "cannot be written (No space left on device)"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("gbk", "节目 ? é ?.mp4"), ("cp1252", "?? ? é ?.mp4")],
)
def test_what_an_encoding_lacks_is_replaced_by_every_command(
    shell: Shell, sandbox: Sandbox, encoding: str, shown: str
) -> None:
    sandbox.put(BUCKET, KEY)
    sandbox.put(BUCKET, f"{KEY}.txt")
    file = str(shell.file({**MIGRATION, "describe": {"title": "{{ name }} 🎬", "tags": ["🎬"]}}))
    for command in (
        ["plan", file],
        ["doctor", file],
        ["describe", file, KEY],
        ["run", file],
        ["status"],
        ["report", "nightly"],
        ["quota"],
        ["restore", file],
        ["explain", f"{BUCKET}/{KEY}"],
        ["verify", "nightly"],
        ["schema"],
        ["db", "check"],
        ["--help"],
    ):
        done = shell.run(*command, encoding=encoding)
        assert done.returncode == 0, (command, done)
        if command[0] in ("plan", "report", "describe"):
            assert shown in done.stdout, (command, done)


@pytest.mark.parametrize("encoding", ["gbk", "ascii", "utf-8"])
def test_json_has_every_character_in_any_encoding(shell: Shell, sandbox: Sandbox, encoding: str) -> None:
    sandbox.put(BUCKET, KEY)
    file = str(shell.file())
    (sample,) = json.loads(shell.run("plan", file, "--json", encoding=encoding).stdout)["samples"]
    told = json.loads(shell.run("describe", file, KEY, "--json", encoding=encoding).stdout)
    assert (sample["key"], told["key"]) == (KEY, KEY)
    refused = shell.run("plan", "🎬.yaml", "--json", encoding=encoding)
    assert "🎬.yaml" in json.loads(refused.stderr)["error"]["message"]


# Right before, too: what no cure may break.
def test_an_error_about_a_name_that_cannot_be_shown_is_shown(shell: Shell) -> None:
    done = shell.run("plan", "🎬.yaml", encoding="gbk")
    assert (done.returncode, "\\U0001f3ac.yaml" in done.stderr) == (2, True), done


@pytest.mark.parametrize("encoding", ["gbk", "ascii"])
def test_a_process_of_its_own_shows_what_its_pipe_can_take(shell: Shell, encoding: str) -> None:
    shell.environment["PYTHONIOENCODING"] = encoding
    done = shell.run_process("describe", str(shell.file()), KEY, os.fsdecode(b"\xff.mp4"))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done


def to(path: str, shell: Shell, *arguments: str) -> Done:
    with open(path, "wb", buffering=0) as output:  # noqa: PTH123 - the raw file behind a stream
        return shell.run(*arguments, output=output)


@pytest.mark.parametrize("command", [["schema"], ["--help"], ["--version"], ["plan"], ["plan", "--json"], ["run"]])
def test_an_output_on_a_full_disk_is_a_sentence(shell: Shell, sandbox: Sandbox, command: list[str]) -> None:
    sandbox.put(BUCKET, "a.mp4")
    file = [str(shell.file())] if command[0] in ("plan", "run") else []
    done = to("/dev/full", shell, *command, *file)
    assert (done.returncode, FULL in done.stderr) == (2, True), done
    assert len(done.stderr.strip().splitlines()) <= 2
    assert len(sandbox.truth(BUCKET)) == (command == ["run"])


def test_messages_that_cannot_be_written_end_nothing(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    with Path("/dev/full").open("wb") as full:
        process = shell.start("run", str(shell.file()), "--json", stderr=full)
        out, _ = process.communicate(timeout=120)
    assert (process.returncode, json.loads(out)["state"]) == (0, "succeeded")


class Full(io.StringIO):
    """A file on a full disk: it takes what is written, and fails when that must reach the disk."""

    def close(self) -> None:
        if not self.closed:
            super().close()
            raise OSError(28, "No space left on device")


FILES = [
    # a command that writes a file, and words of what it says
    (["init", "--name", "n", "--bucket", BUCKET, "--output", "new.yaml"], "new.yaml cannot be written: No space left"),
    (["report", "nightly", "--output", "reports"], "cannot write the report to reports (No space left on device)"),
    (["report", "nightly", "--output", "/dev/full"], "cannot write the report to /dev/full"),
    (["sandbox", "--ready-file", "/dev/full"], "/dev/full is not a regular file"),
    (["sandbox", "--state", "/dev/full"], "/dev/full is not a regular file"),
    (["sandbox", "--ready-file", "/nowhere/ready.json"], "/nowhere/ready.json cannot be written: No such file"),
    # Right before, too: what no cure may break.
    (["init", "--name", "n", "--bucket", BUCKET, "--output", "/dev/full"], "/dev/full exists and is not overwritten"),
]


@pytest.mark.parametrize(("command", "says"), FILES)
def test_a_file_that_cannot_be_written_is_a_sentence_and_leaves_no_half(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: list[str], says: str
) -> None:
    if command[0] == "report":
        assert shell.run("run", str(shell.file())).returncode == 0
    monkeypatch.chdir(shell.folder)
    opened = Path.open

    def full(path: Path, mode: str = "r", *arguments: object, **named: object) -> object:
        if "x" not in mode or path.parent.name not in (shell.folder.name, "reports", ""):
            return opened(path, mode, *arguments, **named)  # type: ignore[call-overload]
        if path.exists():
            raise FileExistsError
        path.touch()
        return Full()

    monkeypatch.setattr(Path, "open", full)
    # The sandbox needs an event loop of its own, which a process that drives a browser does not give it.
    done = shell.run_process(*command) if command[0] == "sandbox" else shell.run(*command)
    assert (done.returncode, says in done.stderr) == (2, True), done
    assert not Path("new.yaml").exists()
    assert not list(Path().glob("reports/*")) + list(Path("reports").glob(".*"))


def test_a_copy_of_a_manifest_that_does_not_fit_is_a_sentence(
    shell: Shell, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.put(BUCKET, "list.csv", b"key\na.mp4\n")
    monkeypatch.setattr("tempfile.tempdir", str(shell.folder / "gone"))
    source = {"bucket": BUCKET, "manifest": {"location": f"oss://{BUCKET}/list.csv"}}
    done = shell.run("plan", str(shell.file({**MIGRATION, "source": source})))
    assert (done.returncode, "set TMPDIR to another folder" in done.stderr) == (2, True), done


def test_json_is_printed_in_one_place() -> None:
    modules = Path(cli.__file__).parent.glob("*.py")
    assert [module.name for module in modules if "json.dumps(" in module.read_text()] == ["streams.py"]
