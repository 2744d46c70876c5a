"""Lines for a terminal."""

from __future__ import annotations

from vod_migrate.report.terminal import COLUMNS, COMMAND, rendered


def test_a_long_line_is_cut_and_a_command_never_is() -> None:
    long = "vod-migrate restore " + "folder/" * 30
    assert rendered([(long, COMMAND)], colour=False) == f"{long}\n"
    assert len(rendered([(long, "")], colour=False)) <= COLUMNS + 1
