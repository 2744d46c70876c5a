"""A template may come from anybody: it cannot reach out, run on or grow without bound, and says so in a sentence."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from vod_migrate.describe.describer import facts
from vod_migrate.media import MediaObject
from vod_migrate.migration.description import TEMPLATE_FACTS
from vod_migrate.migration.templates import Template, TemplateError, check_wording

LONG = MediaObject(
    bucket="media-archive",
    key=f"shows/{'x' * 900}/a.mp4",
    size=5,
    etag="E",
    last_modified=dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC),
)
KNOWN: dict[str, Any] = {**facts(LONG), "match": {}, "row": {"title": "T", "count": "7"}, "derived_id": "vm-x"}


def filled(template: str) -> str:
    check_wording(template, TEMPLATE_FACTS)
    return Template(template).fill(KNOWN)


REFUSED = [
    ("{{ 10 ** 10 ** 10 }}", "pow"),
    ("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "macro"),
    ("{% include 'other' %}", "include"),
    ("{% import 'os' as os %}", "import"),
    ("{% extends 'x' %}", "extends"),
    ("{% block a %}{% endblock %}", "block"),
    ("{% set a %}{{ key }}{% endset %}{{ a }}", "assignblock"),
    ("{% filter upper %}a{% endfilter %}", "filterblock"),
    ("{% for a in folders recursive %}{{ loop(folders) }}{% endfor %}", "recursive"),
    ("{% set a=[key, key] %}{{ a }}", "not constant"),
    ("{{ key | center(1000000000) }}", "center"),
    ("{{ key | attr('x') }}", "attr"),
    ("{{ 5 | round(-1000000000) }}", "round"),
    ("{{ lipsum(100000) }}", "lipsum"),
    ("{{ namespace() }}", "did you mean 'name'"),
    ("{{ self }}", "self"),
    ("{{ _steps }}", "did you mean 'stem'"),
    ("{{ " + "(" * 500 + "1" + ")" * 500 + " }}", "nested too deeply"),
    ("x" * 5_000, "4,096 at most"),
]


@pytest.mark.parametrize(("template", "says"), REFUSED)
def test_what_no_description_needs_is_refused_when_the_file_is_read(template: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_wording(template, TEMPLATE_FACTS)
    assert says in str(caught.value)


FAILING = [
    ("{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}", "1,000 steps"),
    ("{% for a in key %}{% for b in key %}{% for c in key %}{% endfor %}{% endfor %}{% endfor %}", "1,000 steps"),
    ("{{ range(1000000000) | join }}", "1,000 are the most"),
    ("{{ 'x' * 1000000000 }}", "numbers only"),
    ("{{ '%0999999999d' % 1 }}", "numbers only"),
    ("{% set a = 999999999999 %}" + "{% set a = a * a %}" * 100 + "{{ a }}", "number beyond"),
    ("{% set a = key ~ key %}" + "".join(f"{{% set a{n} = a{n - 1 or ''} ~ a{n - 1 or ''} %}}" for n in range(1, 30)), "16,384"),
    ("{% set a = key + key %}" + "".join(f"{{% set a{n} = a{n - 1 or ''} + a{n - 1 or ''} %}}" for n in range(1, 30)), "16,384"),
    ("{{ key.replace('', key).replace('', key) }}", "16,384"),
    ("{{ key | replace('', key) }}", "16,384"),
    ("{{ range(1000) | join(key) }}", "16,384"),
    ("{% for a in range(100) %}{{ key }}{% endfor %}", "16,384"),
    ("{{ ''.__class__.__mro__ }}", "unsafe"),
    ("{{ '{:>999999999}'.format(1) }}", "unsafe"),
    ("{{ key.zfill(999999999) }}", "unsafe"),
    ("{{ range.__globals__ }}", "unsafe"),
    ("{{ stem.split.__self__ }}", "unsafe"),
    ("{{ last_modified.tzinfo }}", "unsafe"),
    ("{{ key | map(attribute='__class__') | join }}", "unsafe"),
    ("{{ row.__class__ }}", "not among title, count"),
    ("{{ match.items() }}", "not among"),
    ("{{ folders }}", "join"),
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
        ("{% for f in folders %}{{ loop.index }}{% if not loop.last %}-{% endif %}{% endfor %}", "1-2"),
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
        ("{% set a = stem | upper %}{{ a }}{{ a }}", "AA"),
        ("{% for a in range(3) %}{{ a }}{% endfor %}", "012"),
        ("{% raw %}{{{% endraw %}", "{{"),
    ],
)
def test_what_descriptions_need_works(template: str, text: str) -> None:
    assert filled(template) == text


def test_one_template_may_be_filled_in_many_times_each_with_a_budget_of_its_own() -> None:
    wording = Template("{% for a in range(900) %}{% endfor %}ok")
    assert [wording.fill(KNOWN) for _ in range(3)] == ["ok"] * 3
