"""Titles of the field: what is cut, what is taken out, and what must stay."""

from __future__ import annotations

import json
import unicodedata

import pytest
from shell import BUCKET, MIGRATION, Shell

EMOJI = [
    # a title, and what is sent of it
    ("★特集★", "★特集★"),
    ("1. #1 * © ® ™ ☎ ♪", "1. #1 * © ® ™ ☎ ♪"),
    ("❤", "❤"),
    ("1\ufe0f\u20e3 first", "first"),
    ("क्\u200dष", "क्\u200dष"),
    # Right before, too: what no cure may break.
    ("love ❤\ufe0f", "love"),
    ("🎬 film", "film"),
    ("⌚", None),
    ("a 👨\u200d👩\u200d👧 b", "a  b"),
    ("🇨🇳 cup", "cup"),
    ("👍🏽 ok", "ok"),
]


@pytest.mark.parametrize(("title", "sent"), EMOJI)
def test_only_what_is_drawn_as_an_emoji_is_taken_out(shell: Shell, title: str, sent: str | None) -> None:
    assert title_of(shell, title) == (sent or "clip")


CUT = [
    ("aaक" + "की" * 22, "aaक" + "की" * 20),
    ("e\u0301" * 64, "é" * 64),
    ("x" + unicodedata.normalize("NFD", "각") * 43, "x" + "각" * 42),
    ("a\u0301" * 70, "á" * 64),
    # Right before, too: what no cure may break.
    ("x" + "각" * 42, "x" + "각" * 42),
    ("न" + "क्षि" * 12, "न" + "क्षि" * 10),
]


@pytest.mark.parametrize(("title", "sent"), CUT)
def test_a_title_is_composed_first_and_cut_between_letters(shell: Shell, title: str, sent: str) -> None:
    assert title_of(shell, title) == sent
    assert len(sent.encode()) <= 128


def title_of(shell: Shell, title: str) -> str:
    source = {"bucket": BUCKET, "manifest": {"location": "a.csv", "columns": {"title": "t"}}}
    file = shell.file({**MIGRATION, "source": source})
    done = shell.run("describe", str(file), "clip.mp4", "--row", f"title={title}", "--json")
    assert done.returncode == 0, done
    return str(json.loads(done.stdout)["metadata"]["Title"])
