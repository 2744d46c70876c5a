"""Folders that cannot be written to: a warning beside the run's sentence, never the end of a run that did its work."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from shell import BUCKET, Shell

from vod_migrate.report.complete_file import complete_file
from vod_migrate.sandbox.pytest_plugin import Sandbox

FOLDERS = [
    # where the report shall go, and words of the warning
    ("/proc/reports", "cannot write the report to /proc/reports"),
    ("/dev/full", "cannot write the report to /dev/full"),
    ("/dev/null/reports", "Not a directory"),
    ("FILE", "File exists"),
    ("x" * 300, "File name too long"),
]


@pytest.mark.parametrize(("folder", "says"), FOLDERS)
def test_a_run_whose_report_files_cannot_be_written_is_a_success_with_a_warning(
    shell: Shell, sandbox: Sandbox, folder: str, says: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    (shell.folder / "FILE").touch()
    where = folder if folder.startswith("/") else str(shell.folder / folder)
    done = shell.run("run", str(shell.file()), "--report-dir", where)
    assert done.returncode == 0, done
    begin = " ".join(" ".join(done.stdout.split("\n\n")[0].split()).split())
    assert begin.startswith("nightly: succeeded 1 object registered in "), done
    assert "Warning: cannot write the report to" in begin
    assert says.replace(" ", "") in begin.replace(" ", "")
    refused = shell.run("report", "nightly", "--output", where)
    assert (refused.returncode, says in refused.stderr) == (2, True), refused


def test_json_has_the_warning_and_a_run_that_failed_keeps_its_own_exit_code(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    done = shell.run("run", str(shell.file()), "--report-dir", "/proc/reports", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"]) == (0, "succeeded")
    assert told["warning"].startswith("cannot write the report to /proc/reports")
    sandbox.put(BUCKET, "b.mp4")
    sandbox.fault("error", api="RegisterMedia", code="Forbidden.RAM", status=403)
    refused = shell.run("run", str(shell.file()), "--report-dir", "/proc/reports")
    assert (refused.returncode, "Warning: cannot write" in refused.stdout) == (3, True), refused


def test_a_pipe_or_a_device_is_written_into_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with complete_file(pipe) as file:
        file.write(b"rows")
    assert os.read(reading, 10) == b"rows"
    os.close(reading)
    assert pipe.is_fifo()
