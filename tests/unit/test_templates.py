"""A template may come from anybody: it cannot reach out, run on or grow without bound, and says so in a sentence."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from typing import Any

import pytest

from vod_migrate.describe.rendering import facts
from vod_migrate.errors import BadOption
from vod_migrate.media import MediaObject
from vod_migrate.migration.description import TEMPLATE_FACTS
from vod_migrate.migration.options import parse_options
from vod_migrate.migration.templates import Template, TemplateError, check_template, render

LONG = MediaObject(
    bucket="media-archive",
    key=f"shows/{'x' * 900}/a.mp4",
    size=5,
    etag="E",
    last_modified=dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC),
)
KNOWN: dict[str, Any] = {**facts(LONG), "match": {}, "row": {"title": "T", "count": "7"}, "derived_id": "vm-x"}


def filled(template: str) -> str:
    check_template(template, TEMPLATE_FACTS)
    return Template(template).fill(KNOWN)


REFUSED = [
    ("{{ 10 ** 10 ** 10 }}", "pow"),
    ("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "macro"),
    ("{% include 'other' %}", "include"),
    ("{% import 'os' as os %}", "import"),
    ("{% extends 'x' %}", "extends"),
    ("{% block a %}{% endblock %}", "block"),
    ("{% set a %}{{ key }}{% endset %}{{ a }}", "assignblock"),
    ("{% set a = key ~ key %}{{ a }}", "assign"),
    ("{% for a in folders %}{{ a }}{% endfor %}", "for"),
    ("{% with a = key %}{{ a }}{% endwith %}", "with"),
    ("{{ range(9) | join }}", "range"),
    ("{% filter upper %}a{% endfilter %}", "filterblock"),
    ("{{ key | center(1000000000) }}", "center"),
    ("{{ key | attr('x') }}", "attr"),
    ("{{ 5 | round(-1000000000) }}", "round"),
    ("{{ lipsum(100000) }}", "lipsum"),
    ("{{ namespace() }}", "did you mean 'name'"),
    ("{{ self }}", "self"),
    ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "nested too deeply"),
    ("x" * 5_000, "at most 4,096"),
]


@pytest.mark.parametrize(("template", "says"), REFUSED)
def test_what_no_description_needs_is_refused_when_the_file_is_read(template: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_template(template, TEMPLATE_FACTS)
    assert says in str(caught.value)


FAILING = [
    ("{{ 'x' * 1000000000 }}", "numbers only"),
    ("{{ [0] * 1000000000 }}", "numbers only"),
    ("{{ '%0999999999d' % 1 }}", "numbers only"),
    ("{{ " + " ~ ".join(["key"] * 30) + " }}", "16,384"),
    ("{{ " + " + ".join(["key"] * 30) + " }}", "16,384"),
    ("{{ key }}" * 30, "16,384"),
    ("{{ key.replace('', key).replace('', key) }}", "16,384"),
    ("{{ key | replace('', key) }}", "16,384"),
    ("{{ ['', ''] | map('replace', '', key) | map('replace', '', key) | list }}", "16,384"),
    ("{{ key | list | join(key) }}", "16,384"),
    ("{{ key" + " | list | upper" * 12 + " }}", "16,384"),
    ("{{ ''.__class__.__mro__ }}", "unsafe"),
    ("{{ ''['__class__'] }}", "no attribute"),
    ("{{ '{:>999999999}'.format(1) }}", "unsafe"),
    ("{{ '{:>999999999}'['format'](1) }}", "no attribute"),
    ("{{ key.zfill(999999999) }}", "unsafe"),
    ("{{ stem.split.__self__ }}", "unsafe"),
    ("{{ last_modified.tzinfo }}", "unsafe"),
    ("{{ last_modified.strftime('%999999999d') | length // 0 }}", "zero"),
    ("{{ key | map(attribute='__class__') | join }}", "no attribute"),
    ("{{ folders | sort(attribute='__class__') | join }}", "no attribute"),
    ("{{ row.__class__ }}", "not among title, count"),
    ("{{ match.items() }}", "not among"),
    ("{{ folders }}", "join"),
    ("{{ folders ~ 'x' }}", "join"),
    ("{{ folders[9] }}", "no element 9"),
    ("{{ size // 0 }}", "zero"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "says"), FAILING)
def test_a_template_that_reaches_out_or_runs_on_fails_for_its_key_soon(template: str, says: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateError) as caught:
        filled(template)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ folders[0] | upper }}", "SHOWS"),
        ("{{ key.split('/') | last }}", "a.mp4"),
        ("{{ {'a': 'Alpha'}[stem] }}", "Alpha"),
        ("{{ 'big' if size in [5, 6] else 'small' }}", "big"),
        ("{{ last_modified.strftime('%Y-%m') }} {{ last_modified.year + 1 }}", "2024-05 2025"),
        ("{{ match.show | default('none') }}", "none"),
        ("{{ row.title }} {{ row.count }} {{ row['title'] }}", "T 7 T"),
        ("{{ key | replace('x', '') }}", "shows//a.mp4"),
        ("{{ folders | map('length') | join('+') }}", "5+900"),
        ("{{ stem ~ 1 ~ '-' ~ size }}", "a1-5"),
        ("{{ [stem, folders | first] | join('-') }}", "a-shows"),
        ("{{ folders | map('truncate', 5) | join(', ') }}", "shows, xx..."),
        ("{% if size > 4 %}big{% else %}small{% endif %}", "big"),
        ("{{ last_modified.replace(day=9).date() }} {{ last_modified.isocalendar()[1] }}", "2024-05-09 18"),
        ("{{ stem.replace('a', 'b').replace('b', 'c', 1) }}", "c"),
        ("{% raw %}{{{% endraw %}", "{{"),
    ],
)
def test_what_descriptions_need_works(template: str, text: str) -> None:
    assert filled(template) == text


PREFIXES = [
    ("{{ 'a' * 10**10 }}", "pow"),
    ("{{ 'a' * 10000000000 }}", "numbers only"),
    ("{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}", "for"),
    ("{{ range(99999) | list }}", "range"),
    ("{{ date.__class__.__mro__ }}", "unsafe"),
    ("{{ date | string | list | join('x' | list | join('y')) | replace('', date | string | replace('', 'x')) }}", None),
    ("{{ key }}", "which is not defined here"),
]


@pytest.mark.parametrize(("template", "says"), PREFIXES)
def test_a_prefix_of_the_trigger_form_is_bounded_as_a_description_is(template: str, says: str | None) -> None:
    began = time.process_time()
    with contextlib.nullcontext() if says is None else pytest.raises(BadOption, match=re.escape(says)):
        (prefix,) = parse_options({"prefixes": [template]}).prefixes or ()
        assert len(render(prefix, {"date": dt.date(2024, 5, 1)}, "prefix")) < 16_384
    assert time.process_time() - began < 1
