"""The pictures of the terminal show what the commands show today."""

from __future__ import annotations

from pathlib import Path

from shell import Shell
from test_site import ROOT, module_of

from vod_migrate.sandbox.pytest_plugin import Sandbox


def test_the_pictures_of_the_terminal_are_current(tmp_path: Path, sandbox: Sandbox, database_url: str) -> None:
    shell = Shell(tmp_path, {**sandbox.environment, "VOD_MIGRATE_DATABASE_URL": database_url})
    drawn = dict(module_of("terminal_pictures").pictures(shell, sandbox))
    kept = {path.name: path.read_text() for path in (ROOT / "docs" / "pictures").glob("terminal-*.svg")}
    assert kept.keys() == drawn.keys()
    for name, svg in drawn.items():
        assert kept[name] == svg, f"docs/pictures/{name} is old: run `make docs`"
        assert "http" not in svg.replace("http://www.w3.org/2000/svg", "").replace("https://media-archive", ""), (
            "it asks nobody"
        )
