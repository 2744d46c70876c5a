"""What the database keeps of why a run stopped: stable codes, each with its error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vod_migrate.results
from vod_migrate import errors
from vod_migrate.errors import AccountStopped, RunStopped
from vod_migrate.results.stop_code import (
    SourceCode,
    StopCode,
    code_of,
    source_code_of,
    source_error,
    stop_error,
)

SCHEMA = Path(vod_migrate.results.__file__).with_name("schema.sql").read_text(encoding="utf-8")
ENDS_NO_RUN = ("RunStopped", "AccountStopped", "Interrupted", "Unfinished", "MostlyFailed")
"""Errors of one process, and verdicts that are drawn from the numbers: no worker writes them down for the others."""


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, RunStopped | AccountStopped) and name not in ENDS_NO_RUN
    ],
)
def test_every_error_that_stops_a_run_is_the_same_error_to_those_who_come_later(name: str) -> None:
    kind = getattr(errors, name)
    code = code_of(kind("because"))
    assert code is not None
    again = stop_error(code, "because")
    assert (type(again), str(again), again.exit_code) == (kind, "because", kind.exit_code)


def test_an_error_that_stops_no_run_has_no_code() -> None:
    assert code_of(errors.Interrupted("x")) is None
    assert code_of(errors.StoreUnreachable("x")) is None


def test_every_error_of_a_source_is_kept_by_its_code_and_an_unknown_one_as_other() -> None:
    for code in SourceCode:
        assert source_code_of(source_error(code, "because")) is code
    assert source_code_of(errors.BadOption("x")) is SourceCode.OTHER
    assert type(source_error(None, "x")) is errors.SourceError


@pytest.mark.parametrize(("column", "codes"), [("stop_code", StopCode), ("error_code", SourceCode)])
def test_the_schema_takes_exactly_the_codes(column: str, codes: type[StopCode | SourceCode]) -> None:
    found = re.search(rf"{column} +text check \({column} in \((.*?)\)\)", SCHEMA, re.DOTALL)
    assert found is not None
    assert set(re.findall(r"'(\w+)'", found[1])) == {code.value for code in codes}
