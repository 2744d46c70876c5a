"""The documentation site has every page, and its reference of Python every name that the pages import."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def configuration() -> ModuleType:
    spec = spec_from_file_location("site_configuration", ROOT / "docs" / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation_once(configuration: ModuleType) -> None:
    named = [page for pages in configuration.NAVIGATION.values() for page in pages]
    files = [ROOT / f"{page[1:]}.md" if page.startswith("/") else ROOT / "docs" / f"{page}.md" for page in named]
    index = ROOT / "docs" / "index.md"
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]
    assert sorted(files) == sorted(page for page in pages if page not in (index, ROOT / "SECURITY.md"))


def test_the_parts_are_in_the_order_in_which_a_reader_needs_them(configuration: ModuleType) -> None:
    parts = list(configuration.NAVIGATION)
    assert parts[:4] == ["Tutorial", "How to", "Reference", "Discussion"]
    titles = re.findall(r"^## (.+)$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert titles[:4] == parts[:4]


def test_every_name_that_a_page_imports_is_in_the_reference_of_python() -> None:
    reference = (ROOT / "docs" / "reference" / "python.md").read_text()
    documented = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", reference, re.MULTILINE))
    imported = {
        f"{module}.{name}"
        for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "dags" / "vod_example_group.py"]
        for module, names in re.findall(r"^from (vod_migrate[\w.]*) import ([\w, ]+)$", page.read_text(), re.MULTILINE)
        for name in names.split(", ")
    }
    assert imported
    assert imported - documented == set()
