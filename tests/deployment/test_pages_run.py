"""The README's first migration, run as it stands: by bash, with the installed `vod-migrate`. The tutorial runs in test_wheel.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vod_migrate.sandbox.pytest_plugin import Sandbox

Shell = Callable[[str], str]
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in _FENCED.findall(page.read_text()) if found == language]


@pytest.fixture
def shell(tmp_path: Path, sandbox: Sandbox) -> Shell:
    """Runs a page's block in an empty folder whose environment points at the sandbox; returns what it printed."""
    environment = {
        **os.environ,
        **sandbox.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "VOD_MIGRATE_HOME": str(tmp_path / "home"),
        "VOD_MIGRATE_ACCOUNT": "sandbox",
    }
    for name in ("VOD_MIGRATE_DATABASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        environment.pop(name, None)

    def run(block: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_the_first_migration_of_the_readme_runs_as_it_stands(
    root: Path, tmp_path: Path, sandbox: Sandbox, shell: Shell
) -> None:
    sandbox.generate("media-archive", 300, prefix="interviews/", missing=0.02)
    (tmp_path / "dags" / "migrations").mkdir(parents=True)
    (tmp_path / "dags" / "migrations" / "interviews.yaml").write_text(blocks(root / "README.md", "yaml")[0])
    checks, sends, afterwards = (block for block in blocks(root / "README.md", "sh") if "vod-migrate " in block)

    shell(checks)
    assert not sandbox.truth("media-archive")
    shell(sends)
    registered = sandbox.truth("media-archive")
    assert len(registered) > 100
    lost = [
        key
        for key, one in sandbox.expected("media-archive").items()
        if one.missing and key.startswith("interviews/") and key not in registered
    ]
    for key in lost:
        sandbox.put("media-archive", key)
    printed = shell(afterwards)

    assert "interviews" in printed
    assert len(sandbox.truth("media-archive")) == len(registered) + len(lost)
    assert {path.suffix for path in (tmp_path / "reports").iterdir()} == {".csv", ".html"}
