"""The error tree is what its drawing says, and every error says what to do."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from vod_migrate import errors
from vod_migrate.errors import BadMigrationFile, Retryable, Throttled, VodMigrateError

DRAWN = re.compile(r"^    (?P<branch>[ │├└─]*)(?P<name>[A-Z]\w+) +(?P<exit>\d+)?(?P<retry> +yes)?", re.MULTILINE)
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and kind.__module__ == errors.__name__ and issubclass(kind, Exception)
}


def drawing() -> dict[str, tuple[str | None, int | None, bool]]:
    """name: (parent, exit code, retry) as drawn in the module's docstring."""
    drawn: dict[str, tuple[str | None, int | None, bool]] = {}
    above: list[str] = []
    for row in DRAWN.finditer(errors.__doc__ or ""):
        depth = len(row["branch"]) // 4
        above[depth:] = [row["name"]]
        parent = above[depth - 1] if depth else None
        drawn[row["name"]] = (parent, int(row["exit"]) if row["exit"] else None, bool(row["retry"]))
    return drawn


def test_the_drawing_shows_every_error_once() -> None:
    assert set(drawing()) == set(CLASSES) - {"Retryable"}


@pytest.mark.parametrize(("name", "drawn"), drawing().items())
def test_an_error_has_the_parent_the_exit_code_and_the_retry_that_are_drawn(
    name: str, drawn: tuple[str | None, int | None, bool]
) -> None:
    parent, exit_code, retry = drawn
    kind = CLASSES[name]
    assert issubclass(kind, VodMigrateError)
    assert kind.exit_code == (1 if exit_code is None else exit_code)
    assert issubclass(kind, Retryable) == retry
    if parent is not None:
        assert CLASSES[parent] in kind.__bases__


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_an_error_says_what_happened_in_a_sentence(name: str) -> None:
    assert (CLASSES[name].__dict__["__doc__"] or "").strip().endswith(".")


def test_errors_survive_a_copy_and_a_way_between_processes() -> None:
    bad = BadMigrationFile("a.yaml", ["name: is required", "source: is required"])
    for same in (pickle.loads(pickle.dumps(bad)), copy.copy(bad)):  # noqa: S301 - our own bytes
        assert (str(same), same.path, same.problems) == (str(bad), bad.path, bad.problems)
    throttled = pickle.loads(pickle.dumps(Throttled("m", code="Throttling.User", retry_after=1.5)))  # noqa: S301 - our own bytes
    assert (throttled.code, throttled.retry_after, str(throttled)) == ("Throttling.User", 1.5, "m")
