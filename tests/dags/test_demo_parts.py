"""The demo's own judgement and manners: what it calls a difference, and which folders it never empties."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.comparison import Expected, compare
from demo.processes import Child, ChildFailed, run_to_end, stop_all
from demo.workspace import copy_dags, fresh_folder
from vod_migrate.errors import BadSetting
from vod_migrate.migration.loader import load_migration

EXPECTED = Expected(objects=4, registered=frozenset({"a", "b"}), failed=frozenset({"c"}))
TRUTH = {"a": "id-a", "b": "id-b"}
RESULTS: dict[str, tuple[str, str | None]] = {
    "a": ("registered", "id-a"),
    "b": ("registered", "id-b"),
    "c": ("failed", None),
}


def test_three_sides_that_agree_have_no_difference() -> None:
    agreement = compare(RESULTS, TRUTH, EXPECTED)

    assert (agreement.compared, agreement.differences) == (3, [])


DIFFERENCES: list[tuple[str, dict[str, tuple[str, str | None]], dict[str, str], str]] = [
    ("a lost result", {"b": ("pending", None)}, {}, "registered in VOD but not in the results: 'b'"),
    ("an invented result", {"d": ("registered", "id-d")}, {}, "registered in the results but not in VOD: 'd'"),
    ("a swapped MediaId", {"a": ("registered", "id-b")}, {}, "with another MediaId than VOD's: 'a'"),
    ("a file that should have failed", {"c": ("registered", "id-c")}, {"c": "id-c"}, "should have failed"),
    ("a file that failed without need", {"a": ("failed", None)}, {}, "failed and should not have: 'a'"),
    ("a file left behind", {"c": ("pending", None)}, {}, "neither registered nor failed: 'c'"),
]


@pytest.mark.parametrize(
    ("results", "truth", "said"), [case[1:] for case in DIFFERENCES], ids=[case[0] for case in DIFFERENCES]
)
def test_each_kind_of_disagreement_is_told(
    results: dict[str, tuple[str, str | None]], truth: dict[str, str], said: str
) -> None:
    told = compare({**RESULTS, **results}, {**TRUTH, **truth}, EXPECTED).differences

    assert any(said in difference for difference in told)


def test_a_folder_of_somebody_else_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(BadSetting, match="did not make"), fresh_folder(tmp_path):
        pass

    assert (tmp_path / "thesis.txt").exists()


def test_the_demos_own_folder_is_emptied_and_used_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / ".demo"
    with fresh_folder(path):
        (path / "old").mkdir()
    with fresh_folder(path):
        assert not (path / "old").exists()
        with pytest.raises(BadSetting, match="another demo"), fresh_folder(path):
            pass


def test_the_demos_migration_cannot_have_run_last_night(tmp_path: Path, dags_folder: Path) -> None:
    migration = load_migration(copy_dags(dags_folder, tmp_path / "dags"))

    assert migration.start_date == dt.datetime.now(migration.zone).date()
    assert migration.schedule


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import os, time; os.setpgid(0, 0); time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_that_ignores_its_end_goes_with_all_that_it_started(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    child = Child("stubborn", [sys.executable, "-c", STUBBORN], environment={}, log=log, folder=tmp_path)
    until = time.monotonic() + 10
    while len(child.members()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(child.members()) == 2

    stop_all([child], grace=0.2)

    assert child.members() == []
    assert child.process.poll() is not None


def test_a_command_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]

    with pytest.raises(ChildFailed, match=r"(?s)exit code 3.*the reason"):
        run_to_end("it", command, environment={}, log=tmp_path / "it.log", folder=tmp_path, seconds=20)


def test_the_demo_explains_itself() -> None:
    done = subprocess.run([sys.executable, "-m", "demo", "--help"], check=True, capture_output=True, text=True)

    assert "--objects" in done.stdout
