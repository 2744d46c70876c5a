"""The tables of docs/discussion/scale.md are computed again: inputs by symbol, then a formula and its result in each row."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "discussion" / "scale.md").read_text()
INPUTS = {
    name: float(value.replace(",", ""))
    for name, value in re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", PAGE, re.MULTILINE)
}
RESULTS = re.findall(r"^ *\| ([^|]+) \| `([^`|]+)` \| ([\d.,]+) ?(\w*) \|$", PAGE, re.MULTILINE)
UNITS = {"": 1.0, "min": 60.0, "h": 3600.0, "days": 86_400.0, "GB": 1e9}
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def computed(formula: ast.expr) -> float:
    match formula:
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](computed(left), computed(right))
        case ast.Name(id=name):
            return INPUTS[name]
        case ast.Constant(value=value):
            return float(str(value))
    raise AssertionError(ast.dump(formula))


@pytest.mark.parametrize(("what", "formula", "shown", "unit"), RESULTS, ids=[row[0] for row in RESULTS])
def test_a_result_is_what_its_formula_gives(what: str, formula: str, shown: str, unit: str) -> None:
    digits = len(shown.partition(".")[2])
    found = computed(ast.parse(formula, mode="eval").body) / UNITS[unit]
    assert f"{found:,.{digits}f}" == shown, what


def test_every_input_is_used_and_every_table_is_read() -> None:
    used = set(re.findall(r"[A-Za-z_]+", " ".join(formula for _, formula, _, _ in RESULTS)))
    assert used == set(INPUTS)
    assert len(RESULTS) == PAGE.count("\n| ") + PAGE.count("\n   | ") - len(INPUTS) - 4
