"""The files that a deployment is made of, read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.cluster.compose_file import example_values, interpolated

Services = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def compose_text(root: Path) -> str:
    return (root / "docker-compose.yml").read_text()


@pytest.fixture(scope="session")
def example_env(root: Path) -> dict[str, str]:
    return example_values((root / ".env.example").read_text())


@pytest.fixture(scope="session")
def compose_filled(compose_text: str, example_env: dict[str, str]) -> str:
    """The compose file's text when .env has a value for everything that .env.example leaves empty."""
    values = {name: value or f"filled{name}".replace("_", "") for name, value in example_env.items()}
    return interpolated(compose_text, {**values, "VOD_DEFAULT_CONNECTION": ""})


@pytest.fixture(scope="session")
def services(compose_filled: str) -> Services:
    found: Services = yaml.safe_load(compose_filled)["services"]
    return found


@pytest.fixture(scope="session")
def airflow_services(services: Services) -> Services:
    """Those that run our image."""
    return {name: service for name, service in services.items() if service["image"].startswith("vod-migrate:")}
