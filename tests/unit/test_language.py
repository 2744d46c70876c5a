"""Every text that a report or a page can show has a Chinese one beside it, with the same places for values."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from vod_migrate.report import count_lines, diagnosis, notice, page
from vod_migrate.report.headline import CUT_SHORT
from vod_migrate.report.language import CHINESE, ENGLISH, language, texts_in

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "vod_migrate" / "airflow" / "pages"
RUN_STATES = ("running", "succeeded", "failed", "stopped", "interrupted", "paused", "cancelled", "planned")
SCAN_STATES = ("open", "complete", "limited", "failed")


def in_templates() -> Iterator[str]:
    folders = (page.STATIC.parent / "templates", PAGES / "templates")
    for file in (file for folder in folders for file in folder.iterdir()):
        tree = jinja2.Environment(autoescape=True).parse(file.read_text(encoding="utf-8"))
        for call in tree.find_all(jinja2.nodes.Call):
            name = getattr(call.node, "name", "")
            position = {"_": 0, "_n": 2}.get(name)
            if position is not None and isinstance(call.args[position], jinja2.nodes.Const):
                yield call.args[position].value


def in_code() -> Iterator[str]:
    for file in [
        *(ROOT / "vod_migrate" / "report").glob("*.py"),
        ROOT / "vod_migrate" / "plan" / "text.py",
        *PAGES.rglob("*.py"),
    ]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name == "ErrorPage":
                arguments = [word.value for word in node.keywords if word.arg in ("title", "advice")]
            else:
                position = {"say": 0, "text": 0, "count": 2, "form": 2}.get(name, 99)
                arguments = node.args[position : position + 1]
            yield from (one.value for one in arguments if isinstance(one, ast.Constant) and isinstance(one.value, str))


def by_name() -> Iterator[str]:
    yield from (*RUN_STATES, *SCAN_STATES)
    yield from (text for texts in CUT_SHORT.values() for text in (texts[0], texts[2]))
    for label, note in count_lines.NOTES.items():
        yield from (label, note)
    yield from diagnosis.DEEDS.values()
    yield from diagnosis.RULED_OUT.values()
    yield from notice.EVENTS.values()
    yield from (text for texts in diagnosis.PLAYBACK.values() for text in texts)
    for explanation in diagnosis.every_diagnosis():
        yield from (explanation.meaning, explanation.fix, *explanation.checks)
    yield from ("h", "min", "s", "accepted", "throttled", "refused or unanswered")


TEXTS = sorted({*in_templates(), *in_code(), *by_name()})
KNOWN = {**CHINESE.texts, **texts_in(PAGES / "zh-CN.json")}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_texts_are_found() -> None:
    assert len(TEXTS) > 200


def test_every_text_has_a_chinese_one() -> None:
    assert [text for text in TEXTS if text not in KNOWN] == []


def test_no_translation_is_left_over() -> None:
    assert sorted(set(KNOWN) - set(TEXTS)) == []


@pytest.mark.parametrize("text", [text for text in TEXTS if "{" in text and text in KNOWN])
def test_a_translation_has_the_same_places_for_values(text: str) -> None:
    if text.count("{{"):
        assert KNOWN[text].count("{{") == text.count("{{")
        return
    assert places(KNOWN[text]) == places(text)


def test_numbers_and_forms_follow_the_language() -> None:
    assert ENGLISH.count(1, "{n} object", "{n} objects") == "1 object"
    assert ENGLISH.count(1234, "{n} object", "{n} objects") == "1,234 objects"
    assert CHINESE.count(1, "{n} object", "{n} objects") == "1 个对象"
    assert ENGLISH.duration(137) == "2 min 17 s"
    assert CHINESE.duration(137) == "2 分 17 秒"


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("zh", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-GB", "en"),
        ("", "en"),
        ("zhx", "en"),
    ],
)
def test_a_tag_or_a_header_chooses_the_language(tag: str, expected: str) -> None:
    assert language(tag).tag == expected
