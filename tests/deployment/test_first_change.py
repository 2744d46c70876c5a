"""The exercise for newcomers in CONTRIBUTING.md fails and passes where it says so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from jinja2.filters import FILTERS

from vod_migrate.migration import templates
from vod_migrate.migration.description import TEMPLATE_FACTS

ROOT = Path(__file__).parents[2]


def test_the_first_change_of_a_newcomer_fails_before_and_passes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    row = re.search(r"^```python\n(.+)\n```$", text, re.MULTILINE)
    assert row is not None
    template, filled = ast.literal_eval(row[1])
    said = re.search(r"the message that users get: `(.+?)`", text)
    assert said is not None
    with pytest.raises(ValueError, match=said[1]):
        templates.check_template(template, TEMPLATE_FACTS)
    monkeypatch.setitem(templates._ENVIRONMENT.filters, "filesizeformat", FILTERS["filesizeformat"])
    assert templates.Template(template).fill({"size": 5}) == filled


def test_the_places_that_the_exercise_names_exist() -> None:
    assert "\n_FILTERS = (" in (ROOT / "vod_migrate" / "migration" / "templates.py").read_text()
    assert "def test_what_descriptions_need_works(" in (ROOT / "tests" / "unit" / "test_templates.py").read_text()
    assert "`truncate`" in (ROOT / "docs" / "reference" / "register-media.md").read_text()
