"""Tokens that run out while a migration runs: a provider is asked for another, and neither call nor attempt is lost."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from alibabacloud_credentials.utils import auth_util
from rigging import BUCKET, Rig

from vod_migrate.cloud.connection import Connection, connection_from_fields
from vod_migrate.errors import InvalidCredentials
from vod_migrate.results.store import Store
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import AccountConfig, CredentialConfig, SandboxConfig

TOKENS = ("first", "second", "third")
OBJECTS = 200


def credential(name: str, expires: dt.datetime | None = None) -> CredentialConfig:
    return CredentialConfig(access_key_id=f"STS.{name}", access_key_secret="s", security_token=name, expires=expires)


@contextmanager
def handing_out(names: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A credentials URI; each answer claims an hour, whatever the service thinks of it; '' is a failure. Yields what was handed out."""
    handed: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            handed.append(next(names))
            if not handed[-1]:
                self.send_error(500, "the-providers-secret")
                return
            expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
            given = {
                "Code": "Success",
                "AccessKeyId": f"STS.{handed[-1]}",
                "AccessKeySecret": "s",
                "SecurityToken": handed[-1],
                "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(given).encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    # The SDK reads the variable when it is imported.
    monkeypatch.setattr(auth_util, "environment_credentials_uri", f"http://127.0.0.1:{server.server_port}/sts")
    try:
        yield handed
    finally:
        server.shutdown()
        server.server_close()


def through(sandbox: Sandbox, **fields: Any) -> Connection:
    where = {"region": "cn-shanghai", "vod_endpoint": sandbox.endpoint, "oss_endpoint": sandbox.endpoint}
    return connection_from_fields({**where, **fields}, origin="test")


def expire(sandbox: Sandbox, *names: str) -> None:
    ago = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    account = AccountConfig(credentials=[credential(name, ago if name in names else None) for name in TOKENS])
    sandbox._do(lambda world: world.accounts.add(account))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    account = AccountConfig(credentials=[credential(name) for name in TOKENS])
    with Sandbox.start(SandboxConfig(accounts=[account]), quotas={"RegisterMedia": None}) as running:
        for number in range(OBJECTS):
            running.put(BUCKET, f"{number:03}.mp4")
        yield running


def troubles(rig: Rig) -> set[tuple[Any, ...]]:
    return set(rig.rows("select answer, code from vod_migrate.calls where answer <> 'ok'"))


def test_a_token_that_expires_during_a_run_is_renewed_and_no_call_or_attempt_is_lost(
    store: Store, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with handing_out(iter(TOKENS), monkeypatch) as handed:
        rig = Rig(store, through(sandbox, credential_provider="credentials_uri"), sandbox)
        run = rig.prepare(calls_per_second=15)
        rig.discover(run)
        worker = threading.Thread(target=rig.register, args=[run], daemon=True)
        worker.start()
        while worker.is_alive() and len(sandbox.truth(BUCKET)) < OBJECTS / 4:
            time.sleep(0.02)
        expire(sandbox, "first")
        worker.join(30)
        summary = finish(store=store, run_id=run.run_id)
    assert (summary.state, summary.counts.registered) == ("succeeded", OBJECTS)
    assert handed == ["first", "second"], "once, however many threads were refused"
    assert troubles(rig) == {("transient", "InvalidSecurityToken.Expired")}
    assert rig.rows("select count(*) from vod_migrate.events") == [(0,)]
    assert {state for state, _, _ in rig.results().values()} == {"registered"}
    counted = sandbox.counters()["RegisterMedia"]
    assert counted["effects"] == OBJECTS / 10
    assert counted["requests"] - counted["effects"] == counted["refused"] == summary.calls - OBJECTS / 10
    rig.assert_results_equal_truth()


def test_a_token_that_has_expired_before_the_listing_is_renewed(
    store: Store, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire(sandbox, "first")
    with handing_out(iter(TOKENS), monkeypatch) as handed:
        rig = Rig(store, through(sandbox, credential_provider="credentials_uri"), sandbox)
        assert rig.run().counts.registered == OBJECTS
    assert (handed, troubles(rig)) == (["first", "second"], set())


def test_a_token_that_expires_while_categories_are_asked_for_is_renewed(
    store: Store, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with handing_out(iter(TOKENS), monkeypatch) as handed:
        rig = Rig(store, through(sandbox, credential_provider="credentials_uri"), sandbox)
        run = rig.prepare(rig.migration(describe={"category": "Shows", "categories": "create"}), limit=10)
        rig.discover(run)
        expire(sandbox, "first")
        rig.register(run)
    assert handed == ["first", "second"]
    assert {item.cate_id is None for item in sandbox.truth(BUCKET).values()} == {False}
    assert len(sandbox.truth(BUCKET)) == 10


@pytest.mark.parametrize(
    ("names", "most"),
    [
        pytest.param(itertools.repeat("first"), 2, id="the same token again"),
        pytest.param(itertools.cycle(TOKENS), 5, id="one dead token after the other"),
    ],
)
def test_a_provider_that_has_only_dead_tokens_stops_the_run_with_everything_pending(
    store: Store, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, names: Iterator[str], most: int
) -> None:
    with handing_out(names, monkeypatch) as handed:
        rig = Rig(store, through(sandbox, credential_provider="credentials_uri"), sandbox)
        run = rig.prepare()
        rig.discover(run)
        expire(sandbox, *TOKENS)
        with pytest.raises(InvalidCredentials, match="name a provider that renews it"):
            rig.register(run)
    assert len(handed) <= most
    assert rig.rows("select distinct attempts, no_answers from vod_migrate.work") == [(0, 0)]
    assert {state for state, _, _ in rig.results().values()} == {"pending"}


def test_a_token_of_the_connections_own_that_expires_stops_the_run_and_the_next_one_goes_on(
    store: Store, sandbox: Sandbox
) -> None:
    def rig_with(name: str) -> Rig:
        keys = {"access_key_id": f"STS.{name}", "access_key_secret": "s", "security_token": name}
        return Rig(store, through(sandbox, **keys), sandbox)

    rig = rig_with("first")
    run = rig.prepare()
    rig.discover(run)
    expire(sandbox, "first")
    with pytest.raises(InvalidCredentials, match="the security token has expired"):
        rig.register(run)
    assert (rig.calls(), troubles(rig)) == (1, {("stopped", "InvalidSecurityToken.Expired")})
    assert rig.run().state == "stopped"
    assert rig_with("second").run().counts.registered == OBJECTS
    rig.assert_results_equal_truth()


def test_a_provider_that_fails_is_waited_for_and_its_answer_is_in_no_record(
    store: Store, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with handing_out(iter(["first", "", "", "second"]), monkeypatch) as handed:
        rig = Rig(store, through(sandbox, credential_provider="credentials_uri"), sandbox)
        run = rig.prepare(limit=10)
        rig.discover(run)
        expire(sandbox, "first")
        with caplog.at_level("DEBUG"):
            rig.register(run)
    assert handed == ["first", "", "", "second"]
    assert len(sandbox.truth(BUCKET)) == 10
    assert ("transient", "no_credentials") in troubles(rig)
    assert "the-providers-secret" not in repr(rig.rows("select message from vod_migrate.calls")) + caplog.text
