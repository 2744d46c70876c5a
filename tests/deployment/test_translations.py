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
TRANSLATED = [
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("index.md", "tutorial.md")),
    *ROOT.glob("docs/how-to/*.md"),
]
"""What somebody who reads only Chinese needs to run migrations; reference and discussion are in English."""
_LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
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


def original_of(page: Path) -> Path:
    head = _HEAD.match(page.read_text())
    assert head is not None
    return ROOT / head[1]


def test_every_page_that_somebody_needs_to_run_migrations_has_a_chinese_one() -> None:
    assert {original_of(page) for page in TRANSLATIONS} == set(TRANSLATED)


def test_a_chinese_page_links_to_chinese_pages_where_there_are_any() -> None:
    chinese = {original_of(page): page for page in TRANSLATIONS}
    for page in TRANSLATIONS:
        linked = {(page.parent / target).resolve() for target in _LINK.findall(page.read_text()) if "://" not in target}
        # The link to the page itself in English is meant.
        assert linked & chinese.keys() - {original_of(page), ROOT / "docs" / "index.md"} == set(), page.name


def test_a_changed_original_would_be_seen() -> None:
    assert _HEAD.match(TRANSLATIONS[0].read_text().replace("sha256 ", "sha256 x")) is None
    assert len({_HEAD.match(page.read_text())[1] for page in TRANSLATIONS}) == len(TRANSLATIONS)  # type: ignore[index]
