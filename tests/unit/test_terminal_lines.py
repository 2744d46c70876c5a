"""Lines for a terminal."""

from __future__ import annotations

from rich.cells import cell_len

from vod_migrate.report.terminal import COLUMNS, COMMAND, rendered, wrapped

OPENING, ENDING = "\uff08", "\uff09\u3002"


def test_a_long_line_is_cut_and_a_command_never_is() -> None:
    long = "vod-migrate restore " + "folder/" * 30
    assert rendered([(long, COMMAND)], colour=False) == f"{long}\n"
    assert len(rendered([(long, "")], colour=False)) <= COLUMNS + 1


def test_chinese_is_wrapped_between_characters_and_never_before_its_punctuation() -> None:
    text = f"点播服务不接受此类文件{OPENING}.m3u8{ENDING}" * 8
    lines = [line for line, _ in wrapped(text, first="  - ")]
    assert "".join(line[4:] for line in lines) == text
    assert all(90 < cell_len(line) <= COLUMNS for line in lines[:-1])
    assert not any(line[4] in ENDING for line in lines)
    assert not any(line.endswith(OPENING) for line in lines)


def test_words_longer_than_a_line_are_torn_and_nothing_is_lost() -> None:
    text = "see " + "x" * 250 + " and more"
    lines = [line for line, _ in wrapped(text)]
    assert lines == ["see", "x" * 100, "x" * 100, "x" * 50 + " and more"]
    assert list(wrapped("")) == [("", "")]
