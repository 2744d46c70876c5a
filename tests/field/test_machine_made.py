"""Files that nobody wants in a media library: which names are left out, and which are only shown.

A row a key, and what becomes of it: hidden, shown (registered, with a hint), or kept.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.discover.machine_made import MACHINE_FILES, MACHINE_FOLDERS, is_machine_made, looks_machine_made
from vod_migrate.sandbox.pytest_plugin import Sandbox

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "sources.md"

KEYS: list[tuple[str, str]] = [
    ("._movie.mp4", "hidden"),
    ("shows/2024/._movie.mp4", "hidden"),
    ("shows/@eaDir/film.mp4/SYNOVIDEO_VIDEO_SCREENSHOT.mp4", "hidden"),
    ("#recycle/film.mp4", "hidden"),
    ("@Recycle/film.mp4", "hidden"),
    ("$RECYCLE.BIN/S-1-5-21/$RABCDEF.mp4", "hidden"),
    ("d/$Recycle.Bin/film.mp4", "hidden"),
    ("RECYCLER/film.mp4", "hidden"),
    (".Trashes/501/film.mp4", "hidden"),
    ("home/.Trash-1000/files/film.mp4", "hidden"),
    (".@__thumb/s100film.mp4", "hidden"),
    ("__MACOSX/._film.mp4", "hidden"),
    ("System Volume Information/film.mp4", "hidden"),
    ("lost+found/film.mp4", "hidden"),
    ("film.mp4.part", "hidden"),
    ("film.mp4.crdownload", "hidden"),
    ("film.mp4.filepart", "hidden"),
    ("~$film.mp4", "hidden"),
    (".syncthing.film.mp4.tmp", "hidden"),
    (".pureftpd-upload.5f3c.15.mp4", "hidden"),
    (".rsync-partial/film.mp4", "hidden"),
    (".snapshot/daily.0/film.mp4", "hidden"),
    ("@Recently-Snapshot/2024-05-01/film.mp4", "hidden"),
    # People give these names, too.
    ("Recycler/live.mp4", "shown"),
    ("trash/film.mp4", "shown"),
    ("The Trash/film.mp4", "shown"),
    ("temp/film.mp4", "shown"),
    ("回收站/film.mp4", "shown"),
    ("临时文件/film.mp4", "shown"),
    (".drafts/film.mp4", "shown"),
    (".film.mp4", "shown"),
    ("~film.mp4", "shown"),
    ("film.part.mp4", "shown"),
    ("film.tmp.mp4", "shown"),
    ("video-thumbnails/film.mp4", "shown"),
    # Nothing is odd about these.
    ("film.mp4", "kept"),
    ("template/film.mp4", "kept"),
    ("contemporary/film.mp4", "kept"),
    ("film.part1.mp4", "kept"),
    ("part.mp4", "kept"),
    ("a._b.mp4", "kept"),
    ("eaDir/film.mp4", "kept"),
    ("@eaDir.mp4", "kept"),
    ("Trash Metal/film.mp4", "shown"),
    ("my#recycle/film.mp4", "shown"),
]


@pytest.mark.parametrize(("key", "verdict"), KEYS)
def test_a_name_is_left_out_only_where_no_person_gives_it(key: str, verdict: str) -> None:
    found = "hidden" if is_machine_made(key) else "shown" if looks_machine_made(key) else "kept"
    assert found == verdict


def test_a_plan_counts_and_shows_them_and_a_run_registers_what_only_looks_so(shell: Shell, sandbox: Sandbox) -> None:
    for key, _ in KEYS:
        sandbox.put(BUCKET, key, b"x")
    made = json.loads(shell.run("plan", str(shell.file()), "--json").stdout)
    hidden = sum(verdict == "hidden" for _, verdict in KEYS)
    shown = sum(verdict == "shown" for _, verdict in KEYS)
    assert {one["reason"]: one["count"] for one in made["left_out"]} == {"hidden": hidden}
    assert {one["reason"]: one["count"] for one in made["hints"]} == {"looks_hidden": shown}
    assert made["to_send"] == len(KEYS) - hidden


def test_they_can_be_registered_all_the_same(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "._movie.mp4")
    file = str(shell.file({**MIGRATION, "select": {"hidden": "register"}}))
    assert shell.run("run", file).returncode == 0
    assert set(sandbox.truth(BUCKET)) == {"._movie.mp4"}


def test_the_page_has_the_whole_list() -> None:
    page = PAGE.read_text(encoding="utf-8")
    folders = [f"`{name}/`" for group in MACHINE_FOLDERS.values() for name in group]
    files = [f"`{name}`" for group in MACHINE_FILES.values() for name in group]
    assert [name for name in (*folders, *files) if name not in page] == []
