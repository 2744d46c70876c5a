"""What `lint-imports` does not see: names, sizes and circles among the modules of the package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import vod_migrate

PACKAGE = Path(vod_migrate.__file__).parent
MOST_LINES = 400
MOST_AT_THE_TOP = 4


@cache
def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def room(path: Path) -> str:
    """The package or module right below vod_migrate."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree: ast.Module) -> Iterator[str]:
    """Of every import of a module, also those inside functions and those for type checks alone."""
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name == "vod_migrate" and isinstance(node, ast.ImportFrom):
                yield from (alias.name for alias in node.names)
            elif name.startswith("vod_migrate."):
                yield name.split(".")[1]


def test_no_two_classes_share_a_name() -> None:
    where = defaultdict(list)
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_few_modules_stand_at_the_top() -> None:
    assert len({room(path) for path in modules() if path.parent == PACKAGE} - {"__init__"}) <= MOST_AT_THE_TOP


def test_no_module_is_long() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_packages_import_each_other_in_a_circle() -> None:
    rooms = {room(path) for path in modules()} - {"__init__"}
    imports = defaultdict(set)
    for path, tree in modules().items():
        imports[room(path)] |= (set(imported_rooms(tree)) & rooms) - {room(path)}
    assert list(TopologicalSorter(imports).static_order()), "or it raises CycleError, which names the circle"
    assert imports["cli"] >= {"run", "results"}, "the imports were read"
