"""A Docker Compose file and the `.env` beside it, read as Docker Compose reads them."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_PLACE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
_COPY = re.compile(r"^COPY (?:--\S+ )*(?P<source>\S+) (?P<target>/opt/airflow/\S+)$", re.MULTILINE)
_UNITS = {"s": 1, "m": 60}


@dataclass(frozen=True, kw_only=True)
class Place:
    """One `${NAME}`, `${NAME:-default}` or `${NAME:?message}`."""

    name: str
    default: str | None
    required: bool


@dataclass(frozen=True, kw_only=True)
class Volume:
    """source: a folder beside the compose file if it begins with a dot, else a volume's name; target: a path in the container."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service. stop_grace_seconds: between SIGTERM and SIGKILL; health: a command that succeeds when it is healthy."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    volumes: tuple[Volume, ...]
    health: tuple[str, ...]
    stop_grace_seconds: float


def places(text: str) -> Iterator[Place]:
    """Where a text takes something from the environment."""
    return (_place(match) for match in _PLACE.finditer(text))


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """What Docker Compose makes of the text; `$$` becomes `$`."""

    def value(match: re.Match[str]) -> str:
        place = _place(match)
        return values.get(place.name) or place.default or ""

    return _PLACE.sub(value, text).replace("$$", "$")


def example_values(text: str) -> dict[str, str]:
    """The values in a file such as `.env.example`."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def filled_values(example: Mapping[str, str], compose: str) -> dict[str, str]:
    """An `.env` with a new secret for each value that the compose file requires and the example leaves empty."""
    required = {place.name for place in places(compose) if place.required}
    filled = {name: value or (secrets.token_hex(24) if name in required else "") for name, value in example.items()}
    return {**filled, "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}


def compose_services(text: str, values: Mapping[str, str]) -> dict[str, Service]:
    """The services by name. values: of `.env`."""
    found = _filled(yaml.safe_load(text)["services"], values)
    return {name: _service(name, service) for name, service in found.items()}


def image_files(dockerfile: str) -> dict[str, str]:
    """What an image holds below /opt/airflow: the path in the tree by the path in the image."""
    return {match["target"]: match["source"] for match in _COPY.finditer(dockerfile)}


def write_env(path: Path, values: Mapping[str, str]) -> None:
    """Writes an `.env`, for its owner only."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")


def _service(name: str, service: Mapping[str, Any]) -> Service:
    grace = str(service.get("stop_grace_period", "10s"))
    return Service(
        name=name,
        command=tuple(service.get("command", ())),
        environment=service.get("environment", {}),
        volumes=tuple(_volume(volume) for volume in service.get("volumes", ())),
        health=_health(service.get("healthcheck", {}).get("test", ())),
        stop_grace_seconds=float(grace[:-1]) * _UNITS[grace[-1]],
    )


def _filled(part: Any, values: Mapping[str, str]) -> Any:
    """After parsing, so that no value is read as YAML."""
    match part:
        case str():
            return interpolated(part, values)
        case dict():
            return {name: _filled(value, values) for name, value in part.items()}
        case list():
            return [_filled(value, values) for value in part]
        case _:
            return part


def _volume(text: str) -> Volume:
    source, target, *_ = text.split(":")
    return Volume(source=source, target=target)


def _health(test: list[str]) -> tuple[str, ...]:
    match test:
        case ["CMD", *command]:
            return tuple(command)
        case ["CMD-SHELL", command]:
            return ("sh", "-c", command)
        case _:
            return ()


def _place(match: re.Match[str]) -> Place:
    return Place(
        name=match["name"],
        default=match["rest"] if match["kind"] == "-" else None,
        required=match["kind"] == "?",
    )
