"""Every text that a report or a page can show has a Chinese one beside it, with the same places for values."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from vod_migrate.audit.drift import KINDS
from vod_migrate.audit.explanation_text import ANSWERS, OUTCOMES
from vod_migrate.doctor.checklist import MARKS
from vod_migrate.plan import text as plan_text
from vod_migrate.register.canary_keys import TRAITS
from vod_migrate.report import count_lines, diagnosis, group_lines, notice, page, playback_lines, status, text
from vod_migrate.report.headline import CUT_SHORT
from vod_migrate.report.language import CHINESE, ENGLISH, language, language_of_locale, texts_in

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "vod_migrate" / "airflow" / "pages"
REPORT, PLAN, AUDIT, DESCRIBE, CLI = (
    ROOT / "vod_migrate" / room for room in ("report", "plan", "audit", "describe", "cli")
)
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


def in_code(*folders: Path) -> Iterator[str]:
    for file in [file for folder in folders for file in folder.rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", "" if CLI in folders else getattr(node.func, "id", ""))
            if name == "ErrorPage":
                arguments = [word.value for word in node.keywords if word.arg in ("title", "advice")]
            else:
                position = {"say": 0, "text": 0, "count": 2, "form": 2}.get(name, 99)
                arguments = node.args[position : position + 1]
            yield from (one.value for one in arguments if isinstance(one, ast.Constant) and isinstance(one.value, str))


def by_name() -> Iterator[str]:
    yield from (*RUN_STATES, *SCAN_STATES)
    yield from (text for texts in CUT_SHORT.values() for text in (texts[0], texts[2]))
    for label, (_, note) in count_lines.COUNTS.items():
        yield from (label, note)
    yield from diagnosis.DEEDS.values()
    yield from diagnosis.RULED_OUT.values()
    yield from notice.EVENTS.values()
    yield from (text for texts in diagnosis.PLAYBACK.values() for text in texts)
    for explanation in diagnosis.every_diagnosis():
        yield from (explanation.meaning, explanation.fix, *explanation.checks)
    yield from ("run", "bucket", "mode", "time", "options", "speed")
    yield from (*text.SCAN_NAMES.values(), "the whole bucket", *text.ANSWERS.values())
    yield from status.COLUMNS
    yield from (many for _, many in (group_lines.LEFT_OUT, group_lines.OF_EARLIER_RUNS, group_lines.NOT_AS_PLANNED))
    yield from (
        "digest",
        "planned at",
        "would end",
        "window",
        "pauses",
        "New",
        "Would be sent",
        "the first",
        "not known",
    )
    yield from (f"{{n}} {unit}" for unit in ("object", "objects", "call", "calls", "minute", "minutes"))
    yield from (*plan_text.NUMBERS, *(note for _, note in plan_text.NUMBERS.values() if note), *TRAITS)
    yield from ("OSS requests", "RegisterMedia calls", "GB registered", "minutes transcoded")
    yield from (said for texts in plan_text.REPEATED for said in texts if said)
    yield from ("the account's rate", "the migration's register.calls_per_second", "the run's calls_per_second")
    yield from ("{time}, if it began then", "{time} after {runs} runs, if it began then")
    yield from (group_lines.LIKELY, group_lines.EXAMINED)
    yield from (asked for texts in playback_lines.ASKED.values() for asked in texts)
    yield from (text for kind in KINDS.values() for text in (kind.meaning, kind.fix) if text)
    yield from (*OUTCOMES.values(), *ANSWERS.values(), *MARKS.values(), *MARKS, "tried:", "fix:  ")
    yield from ("h", "min", "s", "accepted", "throttled", "refused or unanswered")


IN_TERMINALS = sorted({*in_code(REPORT, PLAN, AUDIT, DESCRIBE), *in_code(CLI), *by_name()})
TEXTS = sorted({*in_templates(), *in_code(PAGES), *IN_TERMINALS})
KNOWN = {**CHINESE.texts, **texts_in(PAGES / "zh-CN.json")}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_texts_are_found() -> None:
    assert len(TEXTS) > 200


def test_every_text_has_a_chinese_one() -> None:
    assert [text for text in TEXTS if text not in KNOWN] == []


def test_a_terminal_needs_no_text_of_the_pages() -> None:
    assert [text for text in IN_TERMINALS if text not in CHINESE.texts] == []


def test_no_translation_is_left_over() -> None:
    assert sorted(set(KNOWN) - set(TEXTS)) == []


@pytest.mark.parametrize("text", [text for text in TEXTS if "{" in text and text in KNOWN])
def test_a_translation_has_the_same_places_for_values(text: str) -> None:
    if text.count("{{"):
        assert KNOWN[text].count("{{") == text.count("{{")
        return
    assert places(KNOWN[text]) == places(text)


def written() -> set[str]:
    """Every text in the package's code, with `{}` for each value that is filled in, and its queries."""
    found = {file.read_text(encoding="utf-8") for file in (ROOT / "vod_migrate").rglob("*.sql")}
    for file in (ROOT / "vod_migrate").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_form_of_a_message_is_still_written_somewhere() -> None:
    texts = "\n".join(written())
    lost = [
        (form, part)
        for form in CHINESE.messages
        for part in re.split(r"\{[^}]*\}|[;:,()] ", form)
        if part.strip() and part.strip(" .,;:()") not in texts
    ]
    assert lost == []


def test_a_message_is_recognised_by_its_own_form() -> None:
    for form, translation in CHINESE.messages.items():
        parts = {name: f"<{name}>" for name in places(form)}
        assert CHINESE.translate(form.format(**parts)) == translation.replace(":t}", "}").format(**parts)


def test_a_part_of_a_message_that_is_a_message_itself_is_translated_and_everything_else_is_kept() -> None:
    told = "OSS refuses to list bucket 'a b' (AccessDenied: no): allow oss:ListObjects on the bucket"
    translated = CHINESE.translate(f"prefix 'list': {told}")
    assert "拒绝列举 Bucket 'a b'" in translated
    assert "'list'" in translated
    assert "AccessDenied: no" in translated
    assert CHINESE.translate("something new") == ENGLISH.translate("something new") == "something new"
    assert ENGLISH.translate(told) == told


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


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "zh_TW.Big5"}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN", "LC_ALL": ""}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_a_locale_chooses_the_language_as_posix_has_it(environment: dict[str, str], expected: str) -> None:
    assert language_of_locale(environment).tag == expected
