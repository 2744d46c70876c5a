"""What the tests of the DAGs share."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def dags_folder() -> Path:
    return REPOSITORY / "dags"
