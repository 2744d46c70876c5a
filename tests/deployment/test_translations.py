"""Each Chinese page names the state of its original, so a page whose original changed afterwards is found."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRANSLATIONS = sorted([ROOT / "README.zh-CN.md", *ROOT.glob("docs/zh/**/*.md")])
_HEAD = re.compile(r"<!-- original: (\S+), (\d{4}-\d\d-\d\d), sha256 ([0-9a-f]{16}) -->\n")
_COMMANDS = re.compile(r"^```(?:sh|yaml|json|text)\n.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", TRANSLATIONS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_translation_is_as_new_as_its_original(page: Path) -> None:
    head = _HEAD.match(page.read_text())
    assert head is not None, "the first line says which original, its date and its digest"
    original = (ROOT / head[1]).read_bytes()
    dt.date.fromisoformat(head[2])
    digest = hashlib.sha256(original).hexdigest()[:16]
    assert head[3] == digest, (
        f"{head[1]} changed after {head[2]}. Change the translation too, then begin it with\n"
        f"<!-- original: {head[1]}, {dt.datetime.now(tz=dt.UTC).date()}, sha256 {digest} -->"
    )


@pytest.mark.parametrize("page", TRANSLATIONS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_translation_has_the_commands_and_files_of_its_original(page: Path) -> None:
    text = page.read_text()
    head = _HEAD.match(text)
    assert head is not None
    assert _COMMANDS.findall(text) == _COMMANDS.findall((ROOT / head[1]).read_text())


def test_a_changed_original_would_be_seen() -> None:
    assert _HEAD.match(TRANSLATIONS[0].read_text().replace("sha256 ", "sha256 x")) is None
    assert len({_HEAD.match(page.read_text())[1] for page in TRANSLATIONS}) == len(TRANSLATIONS)  # type: ignore[index]
