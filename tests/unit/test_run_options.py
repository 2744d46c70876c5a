"""A run option is declared once: the commands take what `RunOptions` says, and hand on what they are given."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from vod_migrate.cli.app import app
from vod_migrate.cli.options import takes_run_options
from vod_migrate.migration.options import RunOptions, options_of


@pytest.mark.parametrize(
    ("command", "own"),
    [
        ("run", {"file", "report_dir", "as_json"}),
        ("plan", {"file", "as_json"}),
        ("resume", {"of", "report_dir", "as_json"}),
    ],
)
def test_a_command_takes_its_run_options_and_its_own(command: str, own: set[str]) -> None:
    group: Any = typer.main.get_command(app)
    found = group.get_command(None, command)
    assert {parameter.name for parameter in found.params} == {*options_of(command), *own}
    for parameter in found.params:
        if parameter.name in options_of(command):
            assert parameter.help.startswith(RunOptions.model_fields[parameter.name].description or "?")


GIVEN = [
    ("", {}),
    ("--mode failed --code no_answer --code row", {"mode": "failed", "codes": ["no_answer", "row"]}),
    ("--prefix a/ --prefix b/ --limit 3", {"prefixes": ["a/", "b/"], "limit": 3}),
    (
        "--modified-since 2024-01-01T10:00 --date 2024-02-29",
        {"modified_since": "2024-01-01T10:00", "date": "2024-02-29"},
    ),
    ("--max-objects 1 --max-calls 2 --max-minutes 0.5", {"max_objects": 1, "max_calls": 2, "max_minutes": 0.5}),
    ("--calls-per-second 2.5 --ignore-window", {"calls_per_second": 2.5, "ignore_window": True}),
    ("--dry-run", {"dry_run": True}),
    (f"--approve {'A' * 12}", {"approve": "a" * 12}),
]


@pytest.mark.parametrize(("words", "expected"), GIVEN)
def test_what_is_typed_becomes_the_options_of_the_run(words: str, expected: dict[str, Any]) -> None:
    taken: list[RunOptions] = []

    @takes_run_options("run")
    def command(options: RunOptions) -> None:
        taken.append(options)

    single = typer.Typer()
    single.command()(command)
    typer.main.get_command(single)(words.split(), standalone_mode=False)
    assert taken == [RunOptions.model_validate(expected)]


HEAVY = {"aiohttp", "alibabacloud_vod20170321", "oss2", "psycopg", "pydantic", "rich", "sqlalchemy"}


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["--version"], HEAVY - {"pydantic"}),
        (["schema"], HEAVY - {"pydantic", "rich"}),
        (["plan", "--help"], {"airflow", "vod_migrate.sandbox"}),
    ],
)
def test_a_command_imports_what_it_runs_and_nothing_else(words: list[str], unneeded: set[str]) -> None:
    code = (
        f"import sys; sys.argv = ['vod-migrate', *{words!r}]\n"
        "from vod_migrate.cli.app import app\n"
        "app(standalone_mode=False)\n"
        f"print(*sorted({unneeded!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
