"""What the benchmarks share."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
REFUSED = """
from stage import stage
with stage() as play:
    play.sandbox({"buckets": [{"name": "Not A Bucket"}]})
"""


def test_every_benchmark_is_run() -> None:
    scripts = {
        path.stem for path in BENCHMARKS.glob("*.py") if "argparse" in path.read_text() or path.stem == "manifest"
    }
    listed = ast.parse((BENCHMARKS / "bench.py").read_text())
    (small,) = [
        ast.literal_eval(node.value)
        for node in listed.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SMALL"
    ]
    assert scripts == {*small, "bench"}


def test_a_benchmark_whose_sandbox_refuses_its_file_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert "sandbox.yaml: buckets.0.name" in done.stderr
    assert done.stderr.splitlines()[-1] == "the sandbox did not start"
