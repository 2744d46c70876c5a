"""The lock on other machines: each of its packages has a wheel there, so that nobody needs a compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UV = Path(sys.executable).parent / "uv"
PURE = ("alibabacloud-tea", "crcmod", "oss2")
"""Published as source only; they build without a compiler."""


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("platform", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"])
def test_every_locked_package_installs_without_a_compiler(
    root: Path, tmp_path: Path, platform: str, python: str
) -> None:
    sources = [word for name in PURE for word in ("--no-binary", name)]
    where = ["--target", tmp_path / "nothing", "--python", sys.executable]
    wanted = ["--python-platform", platform, "--python-version", python, "--only-binary", ":all:", *sources]
    done = subprocess.run(
        [UV, "pip", "install", "--dry-run", "--no-deps", *where, *wanted, "-r", root / "requirements.txt"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "+ apache-airflow==" in done.stderr
