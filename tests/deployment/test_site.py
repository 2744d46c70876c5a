"""The documentation site has every page, and its reference of Python every name that the pages import."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import vod_migrate

ROOT = Path(__file__).parents[2]


def module_of(name: str) -> ModuleType:
    spec = spec_from_file_location(f"site_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def configuration() -> ModuleType:
    return module_of("conf")


@pytest.fixture(scope="module")
def rooms() -> ModuleType:
    return module_of("rooms")


def test_every_page_is_in_the_navigation_once(configuration: ModuleType) -> None:
    named = [page for pages in configuration.NAVIGATION.values() for page in pages]
    files = [ROOT / f"{page[1:]}.md" if page.startswith("/") else ROOT / "docs" / f"{page}.md" for page in named]
    listed_elsewhere = {ROOT / "docs" / "index.md", *ROOT.glob("docs/decisions/0*.md")}
    assert sorted(files) == sorted({*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")} - listed_elsewhere)


def test_the_parts_are_in_the_order_in_which_a_reader_needs_them(configuration: ModuleType) -> None:
    parts = list(configuration.NAVIGATION)
    assert parts[:4] == ["Tutorial", "How to", "Reference", "Discussion"]
    titles = re.findall(r"^## (.+)$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert titles[:4] == parts[:4]


def test_every_name_that_the_package_exports_or_a_page_imports_is_in_the_reference_of_python() -> None:
    reference = (ROOT / "docs" / "reference" / "python.md").read_text()
    documented = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)(?:\(.*\))?$", reference, re.MULTILINE))
    imported = {
        f"{module}.{name}"
        for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
        for module, names in re.findall(r"^from (vod_migrate[\w.]*) import ([\w, ]+)$", page.read_text(), re.MULTILINE)
        for name in names.split(", ")
    }
    assert imported
    exported = {f"vod_migrate.{name}" for name in vod_migrate.__all__ if name != "__version__"}
    assert (imported | exported) - documented == set()


def test_the_picture_has_every_room_and_is_current(rooms: ModuleType) -> None:
    package = {path.stem for path in (ROOT / "vod_migrate").iterdir() if not path.name.startswith(("__", "py.typed"))}
    assert {room for layer in rooms.layers() for room in layer} == package == set(rooms.PURPOSES)
    assert rooms.PICTURE.read_text() == rooms.picture(), "docs/pictures/rooms.svg is old: run `make docs`"


def test_the_way_of_an_object_goes_through_rooms_that_the_page_explains(rooms: ModuleType) -> None:
    page = (ROOT / "docs" / "discussion" / "architecture.md").read_text()
    steps = re.findall(r"^\d\. \*\*`(\w+)`\*\*", page, re.MULTILINE)
    assert steps == [room for room, _ in rooms.WAY if room in rooms.PURPOSES]
    assert {room for room in rooms.PURPOSES if f"`{room}`" not in page} <= {"media", "shutdown", "errors"}


def test_every_record_of_a_decision_has_a_number_a_date_and_its_four_parts() -> None:
    records = sorted(ROOT.glob("docs/decisions/0*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text()
        assert re.match(rf"# {int(record.name[:4])}\. .+\n\n\w+, 20\d\d-\d\d\.", text), record.name
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Measurement", "Consequences"], record.name
