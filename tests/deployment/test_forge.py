"""The files of the forge follow their schemas, call the same commands as people, and lint as `make lint` does."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORGE = ROOT / ".github"
WORKFLOWS = sorted(FORGE.glob("workflows/*.yml"))
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "dependabot": [FORGE / "dependabot.yml"],
    "github-issue-config": [FORGE / "ISSUE_TEMPLATE" / "config.yml"],
    "github-issue-forms": [FORGE / "ISSUE_TEMPLATE" / "bug.yml", FORGE / "ISSUE_TEMPLATE" / "idea.yml"],
}


def makefile() -> str:
    return (ROOT / "Makefile").read_text()


def validated(schema: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow.read_text())["jobs"].values():
            yield from ((workflow.name, step) for step in job["steps"])


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_file_of_the_forge_follows_its_schema(schema: str) -> None:
    result = validated(schema, SCHEMAS[schema])
    assert result.returncode == 0, result.stdout


def test_the_schemas_cover_every_file_and_would_see_a_mistake(tmp_path: Path) -> None:
    assert sorted(path for paths in SCHEMAS.values() for path in paths) == sorted(FORGE.rglob("*.yml"))
    wrong = tmp_path / "ci.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "runs:"))
    assert validated("github-workflows", [wrong]).returncode == 1


def test_workflows_call_only_commands_that_people_have() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile(), re.MULTILINE))
    called = {word for _, step in steps() for word in re.findall(r"^make (\w+)", step.get("run", ""), re.MULTILINE)}
    assert {"lint", "test", "site", "full", "lock"} <= called <= targets
    assert any(step.get("run") == ".ci/run" for _, step in steps())


def test_workflows_use_fixed_versions_of_the_forge_s_own_actions() -> None:
    used = [step["uses"] for _, step in steps() if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", action)] == []


def test_the_pythons_of_the_workflow_are_those_that_make_accepts_and_the_package_names() -> None:
    accepted = re.search(r"not \(3, (\d+)\) <= sys\.version_info\[:2\] <= \(3, (\d+)\)", makefile())
    assert accepted is not None
    minors = [f"3.{minor}" for minor in range(int(accepted[1]), int(accepted[2]) + 1)]
    jobs = yaml.safe_load((FORGE / "workflows" / "ci.yml").read_text())["jobs"]
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == minors
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if ":: Python :: 3." in text]
    assert named == minors


def test_pre_commit_runs_what_make_lint_runs() -> None:
    rule = re.search(r"^lint:.*\n((?:\t.+\n)+)", makefile(), re.MULTILINE)
    assert rule is not None
    linters = [line.strip().replace("$(BIN)", ".venv/bin") for line in rule[1].splitlines()]
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == linters
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in local["hooks"])


def test_pre_commit_accepts_its_configuration() -> None:
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config"], cwd=ROOT, check=True)
