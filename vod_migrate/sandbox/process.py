"""A sandbox as a process: read its file, listen, report the endpoints, and stop on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import ValidationError

from vod_migrate.sandbox.environment import client_environment
from vod_migrate.sandbox.errors import BadRequest
from vod_migrate.sandbox.faults.config import FaultConfig, FaultPlanFile
from vod_migrate.sandbox.journal import Journal
from vod_migrate.sandbox.model import explain
from vod_migrate.sandbox.server import LOOPBACK, SandboxServer
from vod_migrate.sandbox.settings import BucketConfig, DatasetConfig, SandboxConfig

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared, not bound


class ConfigError(Exception):
    """The configuration of the sandbox cannot be used. The message names the file and the field."""


def read_config(path: Path | None) -> SandboxConfig:
    """The configuration in a YAML file; the default one without a file."""
    if path is None:
        return SandboxConfig()
    document = _read_yaml(path)
    try:
        return SandboxConfig.model_validate(document or {})
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error)}") from None


def read_plan(path: Path) -> list[FaultConfig]:
    """The faults in a YAML file: a list, or a mapping with the key faults."""
    document = _read_yaml(path)
    try:
        return FaultPlanFile.model_validate(document if isinstance(document, dict) else {"faults": document}).faults
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error)}") from None


def with_faults(config: SandboxConfig, path: Path | None) -> SandboxConfig:
    """The configuration with its faults replaced by those of a file."""
    return config if path is None else config.model_copy(update={"faults": read_plan(path)})


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None


def with_objects(config: SandboxConfig, *, bucket: str | None, objects: int | None, seed: int | None) -> SandboxConfig:
    """The configuration with a generated data set of this many objects in this bucket (default: the first)."""
    if objects is None and bucket is None and seed is None:
        return config
    name = bucket or (config.buckets[0].name if config.buckets else BucketConfig().name)
    chosen = next((one for one in config.buckets if one.name == name), BucketConfig(name=name))
    dataset = (chosen.generate or DatasetConfig()).model_dump(by_alias=True)
    changes = {"count": objects, "seed": seed}
    try:
        generate = DatasetConfig.model_validate({**dataset, **{k: v for k, v in changes.items() if v is not None}})
    except ValidationError as error:
        raise ConfigError(explain(error)) from None
    others = [one for one in config.buckets if one.name != name]
    return config.model_copy(update={"buckets": [chosen.model_copy(update={"generate": generate}), *others]})


def serve(
    config: SandboxConfig,
    *,
    host: str,
    port: int,
    ready_file: Path | None,
    as_json: bool,
    state: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `state` is the journal. Raises `ConfigError`, also if the port is taken."""
    asyncio.run(_serve(config, host=host, port=port, ready_file=ready_file, as_json=as_json, state=state))


async def _serve(
    config: SandboxConfig, *, host: str, port: int, ready_file: Path | None, as_json: bool, state: Path | None
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    if state is not None:
        _check_file(state)
    try:
        server = SandboxServer(config, None if state is None else Journal(state))
    except BadRequest as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"The journal {state} cannot be used: {error.strerror}.") from None
    try:
        bound = await server.start(port, host=host)
    except OSError as error:
        raise ConfigError(
            f"Port {port} cannot be used: {error.strerror}. Choose another, or 0 for a free one."
        ) from None
    # The SDKs need one address, and a sandbox on all addresses also answers on loopback.
    shown = LOOPBACK if host == ANY_ADDRESS else host
    ready = describe(f"http://{shown}:{bound}", config)
    try:
        if ready_file is not None:
            _write(ready_file, json.dumps(ready) + "\n")
        typer.echo(json.dumps(ready) if as_json else _words(ready))
        await stopped.wait()
    finally:
        await server.stop()


def describe(endpoint: str, config: SandboxConfig) -> dict[str, Any]:
    """What a client needs to know about a sandbox that is ready."""
    return {
        "endpoint": endpoint,
        "oss_endpoint": endpoint,
        "vod_endpoint": endpoint,
        "control": f"{endpoint}/_sandbox/",
        "pid": os.getpid(),
        "buckets": [bucket.name for bucket in config.buckets],
        "environment": client_environment(endpoint, config),
    }


def _words(ready: dict[str, Any]) -> str:
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in ready["environment"].items())
    return (
        f"The sandbox serves OSS and VOD at {ready['endpoint']} (buckets: {', '.join(ready['buckets'])}).\n"
        f"Point a client at it:\n\n{exports}\nunset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy\n\n"
        "Stop it with Ctrl-C."
    )


def _write(path: Path, text: str) -> None:
    _check_file(path)
    # A process that waits for the file must never read half of it.
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from None


def _check_file(path: Path) -> None:
    # A device or pipe would be replaced, or read without end.
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is not a regular file. Name another one.")


def fail(message: str) -> None:
    """Print what is wrong to standard error."""
    typer.echo(f"vod-migrate sandbox: {message}", err=True)
