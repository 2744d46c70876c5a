"""The sandbox inside a test: a server on a thread, and the pytest fixture `sandbox`.

pytest_plugins = ["vod_migrate.sandbox.pytest_plugin"]

def test_it(sandbox):
    sandbox.put("media-archive", "a.mp4")
    ...
    assert sandbox.truth("media-archive")["a.mp4"].title == "a"
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import pytest

from vod_migrate.sandbox import control_api
from vod_migrate.sandbox.environment import client_environment
from vod_migrate.sandbox.faults.config import FaultConfig, FaultPlanFile
from vod_migrate.sandbox.objects.content import sample
from vod_migrate.sandbox.oss.objects import new_upload
from vod_migrate.sandbox.server import SandboxServer
from vod_migrate.sandbox.settings import (
    AccountConfig,
    BucketConfig,
    CategoryConfig,
    DatasetConfig,
    SandboxConfig,
    Settings,
)
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod import console
from vod_migrate.sandbox.vod.console import MediaChange, MediaImport, MediaName

_START_S = 10
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One registered file, as the sandbox knows it. `registrations`: how many accepted calls carried it."""

    bucket: str
    key: str
    media_id: str
    title: str
    description: str | None
    tags: str | None
    cate_id: int | None
    cover_url: str | None
    reference_id: str | None
    template_group_id: str | None
    workflow_id: str | None
    user_data: str | None
    enable_first_frame_cover: bool | None
    generate_thumbnail: bool | None
    file_url: str
    registrations: int
    registered_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedObject:
    """One object of a bucket. `missing`: it is listed, but VOD does not find it. `content`: its true format."""

    key: str
    size: int
    storage_class: str
    missing: bool
    content: str


class Sandbox:
    """A running sandbox. Every method may be called from any thread but the server's own."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._server = SandboxServer(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)
        credential = config.accounts[0].credentials[0]
        self.access_key_id = credential.access_key_id
        self.access_key_secret = credential.access_key_secret.get_secret_value()
        self.region = config.accounts[0].regions[0]
        self.port = 0

    @classmethod
    def start(cls, config: SandboxConfig | None = None, **settings: Any) -> Self:
        """Start a sandbox. `settings` are those of `Settings`; they override the config."""
        chosen = config or SandboxConfig()
        if settings:
            merged = Settings.model_validate({**chosen.settings.model_dump(), **settings})
            chosen = chosen.model_copy(update={"settings": merged})
        sandbox = cls(chosen)
        sandbox._thread.start()
        sandbox.port = asyncio.run_coroutine_threadsafe(sandbox._server.start(), sandbox._loop).result(_START_S)
        return sandbox

    def stop(self) -> None:
        """Stop the sandbox. It may be called twice."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(_START_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_S)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The address at which OSS and VOD answer, with its scheme."""
        return f"http://{self.host}"

    @property
    def host(self) -> str:
        """Address and port without a scheme, as the VOD SDK needs its endpoint."""
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point a client at this sandbox."""
        return client_environment(self.endpoint, self._config)

    def put(self, bucket: str, key: str, body: bytes | None = None, *, storage_class: str = "Standard") -> None:
        """Store an object in a bucket that exists; by default a small file of the format of its extension."""
        stored = sample(key) if body is None else body

        def act(world: World) -> None:
            upload = new_upload(key=key, content=stored, modified=world.timestamp(), storage_class=storage_class)
            world.bucket(bucket).put(upload)

        self._do(act)

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object."""
        self._do(lambda world: world.bucket(bucket).delete(key))

    def generate(self, bucket: str, count: int, **dataset: Any) -> None:
        """Fill a bucket with a generated data set. Further arguments are those of `DatasetConfig`."""
        config = DatasetConfig.model_validate({"count": count, **dataset})
        self._do(lambda world: world.bucket(bucket).generate(config))

    def add_bucket(self, name: str, *, in_vod: bool = True, **bucket: Any) -> None:
        """Make a bucket, or change whether it is in VOD. Further arguments are those of `BucketConfig`."""
        config = BucketConfig.model_validate({"name": name, "in_vod": in_vod, **bucket})
        self._do(lambda world: world.set_bucket(config))

    def add_category(self, name: str, *, parent: int | None = None) -> int:
        """Make a media category in the first account. Returns its CateId."""
        config = CategoryConfig(name=name, parent=parent)
        return self._do(lambda world: world.accounts.first.categories.configure(config).id)

    def account(self, **changes: Any) -> AccountConfig:
        """Change the first account. Arguments are those of `AccountConfig`. Returns its new configuration."""

        def act(world: World) -> AccountConfig:
            known = world.accounts.first.config
            fields = {name: getattr(known, name) for name in AccountConfig.model_fields}
            return world.accounts.add(AccountConfig.model_validate({**fields, **changes})).config

        return self._do(act)

    def settings(self, **changes: Any) -> Settings:
        """Change settings, or only read them. Returns all of them."""
        return self._do(lambda world: world.change_settings(changes))

    def fault(self, kind: str, **fault: Any) -> int:
        """Add a fault. Arguments are those of `FaultConfig`. Returns its number."""
        config = FaultConfig.model_validate({"kind": kind, **fault})
        return self._do(lambda world: world.faults.add(config))

    def plan(self, faults: Sequence[dict[str, Any]]) -> int:
        """Replace all faults, timed from now. Returns how many there are."""
        configs = FaultPlanFile.model_validate({"faults": faults}).faults
        return self._do(lambda world: world.faults.replace(configs))

    def faults(self) -> list[dict[str, Any]]:
        """The armed faults with their numbers, and how often each was met and hit."""
        return self._do(lambda world: world.faults.summary())

    def clear_faults(self) -> int:
        """Disarm every fault. Returns how many there were."""
        return self._do(lambda world: world.faults.remove())

    def counters(self, account: str | None = None) -> dict[str, dict[str, Any]]:
        """The calls that arrived, by API; docs/reference/sandbox.md explains the names."""
        return self._do(lambda world: world.counters.summary(account))

    def reset_counters(self) -> None:
        """Reset the counters."""
        self._do(lambda world: world.counters.reset())

    def import_media(self, bucket: str, **order: Any) -> int:
        """Register the objects of a bucket behind the client's back. Arguments are those of `MediaImport`."""
        config = MediaImport.model_validate({"bucket": bucket, **order})
        return self._do(lambda world: console.import_media(world, config))

    def change_media(self, bucket: str, key: str, **changes: Any) -> dict[str, Any]:
        """Change one media behind the client's back. Arguments are those of `MediaChange`."""
        change = MediaChange.model_validate({"bucket": bucket, "key": key, **changes})
        return self._do(lambda world: console.change_media(world, change))

    def delete_media(self, bucket: str, key: str) -> dict[str, Any]:
        """Delete one media behind the client's back; its source file stays."""
        name = MediaName(bucket=bucket, key=key)
        return self._do(lambda world: console.delete_media(world, name))

    def truth(self, bucket: str, account: str | None = None) -> dict[str, Registered]:
        """What is registered from a bucket, by key."""
        rows = self._do(lambda world: list(control_api.truth(world, bucket, account)))
        return {row["key"]: Registered(**row) for row in rows}

    def expected(self, bucket: str, prefix: str = "") -> dict[str, ExpectedObject]:
        """Every object of a bucket, by key, in the order of OSS."""
        rows = self._do(lambda world: list(control_api.expected(world, bucket, prefix)))
        return {row["key"]: ExpectedObject(**row) for row in rows}

    def _do(self, act: Callable[[World], _Result]) -> _Result:
        async def on_loop() -> _Result:
            return act(self._server.world)

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A fresh sandbox with the bucket `media-archive`, empty and added to VOD."""
    with Sandbox.start() as running:
        yield running
