"""The lock, the Makefile and the package's own description agree with each other."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

LOCKS = ("requirements.txt", "requirements-dev.txt")


def pins(path: Path) -> dict[str, Requirement]:
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    found = [Requirement(line) for line in lines if line]
    return {requirement.name.lower(): requirement for requirement in found}


def version(pin: Requirement) -> str:
    (only,) = pin.specifier
    assert only.operator == "==", pin
    return only.version


@pytest.fixture
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.mark.parametrize("lock", [*LOCKS, "requirements-docs.txt"])
def test_every_line_of_a_lock_is_one_exact_version_from_the_index(root: Path, lock: str) -> None:
    for pin in pins(root / lock).values():
        version(pin)
        assert pin.url is None
    for line in (root / lock).read_text().splitlines():
        assert not line.startswith("-"), f"{line}: an option may name a place that others cannot reach"


def test_the_lock_satisfies_what_the_package_and_the_deployment_ask_for(root: Path, project: dict[str, Any]) -> None:
    lock = pins(root / "requirements.txt")
    asked = [Requirement(text) for text in project["project"]["dependencies"]]
    extras = project["project"]["optional-dependencies"]
    asked += [Requirement(text) for extra in extras.values() for text in extra]
    asked += pins(root / "requirements.in").values()
    for requirement in asked:
        assert requirement.specifier.contains(version(lock[requirement.name.lower()])), requirement


def test_the_development_tools_are_pinned_and_agree_with_the_deployment(root: Path, project: dict[str, Any]) -> None:
    tools = pins(root / "requirements-dev.txt")
    for text in project["dependency-groups"]["dev"]:
        assert Requirement(text).name.lower() in tools, f"{text}: run `make lock`"
    for name, pin in pins(root / "requirements.txt").items():
        assert name not in tools or version(tools[name]) == version(pin), name


def test_make_alone_lists_every_command_with_what_it_does(root: Path) -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=root, check=True, capture_output=True, text=True
    ).stdout
    phony = re.search(r"^\.PHONY: (.+)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert [line.split()[1] for line in listed.splitlines()] == phony[1].split()


def test_the_environment_is_made_anew_when_a_lock_changes(root: Path) -> None:
    rule = re.search(r"^\$\(STAMP\): ([^|\n]+)", (root / "Makefile").read_text(), re.MULTILINE)
    assert rule is not None
    assert rule[1].split() == [*LOCKS, "pyproject.toml"]


def test_ci_runs_the_same_commands_as_people(root: Path) -> None:
    steps = re.findall(r"^make (\w+)", (root / ".ci" / "run").read_text(), re.MULTILINE)
    assert steps == ["lint", "test", "demo"]


@pytest.mark.parametrize(
    ("found", "taken"),
    [(("3.11", "3.12", "3.13"), "3.13"), (("3.11", "3.12"), "3.12"), (("3.11",), "3.11")],
)
def test_make_takes_the_newest_python_that_can_make_environments(
    root: Path, tmp_path: Path, found: tuple[str, ...], taken: str
) -> None:
    for version in ("3.11", "3.12", "3.13"):
        # A version manager has a command for each version, also for those that are not there.
        program = tmp_path / f"python{version}"
        program.write_text(f"#!/bin/sh\nexit {0 if version in found else 127}\n")
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment.pop("PYTHON", None)

    told = subprocess.run(
        ["make", "-n", "new/bin/python", "VENV=new"],
        cwd=root, env=environment, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert f'"{tmp_path / f"python{taken}"}" -m venv new' in told
