"""Every command, setting and link in the pages is held against what it speaks of."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from command_lines import parse_command

from vod_migrate import errors
from vod_migrate.migration.loader import parse_migration

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
GENERATED = ("settings.md", "cli.md", "export.md")
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IMPORTED = re.compile(r"^from (vod_migrate[\w.]* import [\w, ]+)$", re.MULTILINE)
_PLUGIN = re.compile(r"\"(vod_migrate\.[\w.]+)\"")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in _FENCED.findall(page.read_text()) if found == language]


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """(page and line, words) of every command line of the pages that calls the program."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == [program]:
                    yield f"{page.relative_to(ROOT)}: {line}", words


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("line", "words"), [pytest.param(*found, id=found[0]) for found in commands("vod-migrate")])
def test_every_command_of_ours_in_the_pages_parses(
    line: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOD_MIGRATE_SANDBOX_URL", "http://127.0.0.1:9000")
    try:
        parse_command(words[1:])
    except Exception as refused:  # noqa: BLE001 - whatever the parser raises
        pytest.fail(f"{line}\n{refused}")


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    for words in (["runn", "x.yaml"], ["run", "x.yaml", "--limits", "10"], ["run"], ["run", "x.yaml", "--mode", "old"]):
        with pytest.raises(Exception, match=r"(?i)no such|missing|not one of"):
            parse_command(words)


def test_every_make_command_in_the_pages_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {words[1] for _, words in commands("make")}
    assert {"demo", "test", "lint", "docs", "lock"} <= used
    assert used <= targets


def test_every_service_and_airflow_command_named_with_docker_compose_exists(services: dict[str, Any]) -> None:
    for line, words in commands("docker"):
        for word in words:
            if word.startswith("airflow-"):
                assert word.partition("=")[0] in services, line
        if "exec" in words:
            inside = words[words.index("exec") + 2 :]
            if inside[0] == "airflow":
                get_parser().parse_args(inside[1:])
            else:
                assert inside[0] == "vod-migrate", line
                parse_command(inside[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_migration_file_and_every_json_in_a_page_can_be_used(page: Path) -> None:
    for block in blocks(page, "yaml"):
        content = yaml.safe_load(block)
        if isinstance(content, dict) and "source" in content:
            parse_migration(content, origin=page.name)
    for block in blocks(page, "json"):
        json.loads(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_of_ours_in_the_python_of_a_page_can_be_imported(page: Path) -> None:
    for block in blocks(page, "python"):
        for name in _IMPORTED.findall(block):
            module, _, names = name.partition(" import ")
            found = import_module(module)
            assert [part for part in names.split(", ") if not hasattr(found, part)] == []
        for module in _PLUGIN.findall(block):
            import_module(module)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_and_benchmark_that_a_page_names_exists(page: Path) -> None:
    existing = {path.name for path in (*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("benchmarks/*.py"))}
    named = re.findall(r"(?:benchmarks/|\b(?=test_))([a-z_]+\.py)", page.read_text())
    assert sorted(set(named) - existing) == []


def test_every_page_is_reached_from_the_first_page_or_an_index_that_it_names() -> None:
    first = ROOT / "docs" / "index.md"
    reached, indexes = {first}, [first]
    for index in indexes:
        linked = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text())}
        indexes += [page for page in linked - reached if page.name == "index.md"]
        reached |= linked
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - reached == set()


def test_the_generated_pages_are_current(generator: ModuleType) -> None:
    fresh = {
        "settings.md": generator.settings_page(),
        "cli.md": generator.cli_page(),
        "export.md": generator.export_page(),
    }
    for name in GENERATED:
        assert (ROOT / "docs" / "reference" / name).read_text() == fresh[name], (
            f"docs/reference/{name} is old: run `make docs`"
        )


def test_every_environment_variable_that_the_code_reads_is_in_the_reference() -> None:
    sources = "".join(path.read_text() for path in ROOT.glob("vod_migrate/**/*.py"))
    read = set(re.findall(r"\"((?:VOD_MIGRATE|ALIBABA_CLOUD)_[A-Z_]+)\"", sources))
    documented = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert {name for name in read if f"`{name}`" not in documented} == set()


def test_the_exit_codes_in_the_pages_are_those_of_the_errors(generator: ModuleType) -> None:
    types = [found for found in vars(errors).values() if isinstance(found, type)]
    raised = {found.exit_code for found in types if issubclass(found, errors.VodMigrateError)}
    assert raised | {0} == set(generator.EXIT_CODES)
    readme = (ROOT / "README.md").read_text()
    listed = re.search(r"exit code: (.+?)\.\n", readme, re.DOTALL)
    assert listed is not None
    assert {int(part.split()[0]) for part in listed[1].replace("\n", " ").split("·")} == set(generator.EXIT_CODES)


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_readme_compares_with_figures_of_the_benchmarks() -> None:
    rows = re.findall(r"^\| (?:objects/s|calls throttled|keys/s) .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    measured = set(re.split(r"[|\s]+", (ROOT / "docs/reference/benchmarks.md").read_text()))
    figures = [figure for row in rows for figure in re.findall(r"(?<=[| ])[\d,.]+%?(?= [|(])", row)]
    assert len(figures) == 10
    assert set(figures) <= measured


def test_the_page_on_templates_names_every_filter_and_no_other() -> None:
    from vod_migrate.migration import templates  # noqa: PLC0415 - what a template has is its own business

    page = (ROOT / "docs/reference/register-media.md").read_text()
    (listed,) = re.findall(r"^- The filters (.*?)\.$", page, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`(\w+)`", listed))
    assert named == {name for name in templates._ENVIRONMENT.filters if not name.startswith("_")}
