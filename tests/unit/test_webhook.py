"""Posting to a webhook, against a real server: tries, timeouts and refusals, and no word of its address."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from receiver import HttpReceiver, http_receiver

from vod_migrate.cloud.webhook import Webhook, checked_webhook, post_json, webhook_from_environment
from vod_migrate.errors import BadSetting, MessageUnsent, ReceiverUnavailable, VodMigrateError

TOKEN = "c0ffee-canary-token"


@pytest.fixture(scope="module")
def running() -> Iterator[HttpReceiver]:
    with http_receiver() as started:
        yield started


@pytest.fixture
def receiver(running: HttpReceiver) -> HttpReceiver:
    running.received.clear()
    running.answers = [(200, b"{}")]
    return running


def hook(receiver: HttpReceiver) -> Webhook:
    return Webhook(name="ops", url=f"{receiver.url}/robot/send?access_token={TOKEN}", secret="SEC-canary")


def post(webhook: Webhook, **parameters: str) -> object:
    return post_json(webhook, {"text": "采访 🎬"}, parameters=parameters, sleep=lambda _: None)


def test_the_json_arrives_and_parameters_join_those_of_the_address(receiver: HttpReceiver) -> None:
    receiver.answers = [(200, b'{"errcode": 0}')]
    assert post(hook(receiver), sign="a+/=") == {"errcode": 0}
    (one,) = receiver.received
    assert (one.body, one.query) == ({"text": "采访 🎬"}, {"access_token": TOKEN, "sign": "a+/="})


ANSWERED: dict[str, tuple[list[tuple[int, bytes]], int, str]] = {
    "a server error": ([(503, b"down")], 3, "responded with 503 (down)"),
    "a refusal": ([(404, f"no robot {TOKEN}, SEC-canary".encode())], 1, "responded with 404 (no robot ***, ***)"),
    "a redirect": ([(302, b"")], 1, "responded with 302 (nothing more)"),
    "an error that goes away": ([(500, b""), (429, b""), (200, b"{}")], 3, ""),
    "no JSON": ([(200, b"<html>")], 1, ""),
    "JSON of another type": ([(200, b"[1]")], 1, ""),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_what_may_go_away_is_tried_three_times_and_a_refusal_once(receiver: HttpReceiver, name: str) -> None:
    receiver.answers, tries, said = ANSWERED[name]
    if said:
        with pytest.raises(MessageUnsent) as refused:
            post(hook(receiver))
        assert str(refused.value) == f"the webhook 'ops' at 127.0.0.1 {said}"
        assert refused.value.__context__ is None
    else:
        assert post(hook(receiver)) == {}
    assert len(receiver.received) == tries


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/canary", "http://receiver.invalid/canary"])
def test_a_receiver_that_is_not_there_is_named_by_its_host_alone(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ReceiverUnavailable, match="does not respond") as failed:
        post(Webhook(name="ops", url=url))
    assert "canary" not in str(failed.value) + caplog.text


def test_a_receiver_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vod_migrate.cloud.webhook.TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(ReceiverUnavailable, match="does not respond"):
            post(Webhook(name="ops", url=f"http://127.0.0.1:{silent.getsockname()[1]}/"))
    assert time.monotonic() - begun < 5


def test_a_receiver_that_sends_a_byte_now_and_then_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vod_migrate.cloud.webhook.TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def drip() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = slow.accept()
                    threading.Thread(target=byte_by_byte, args=(connection,), daemon=True).start()

        threading.Thread(target=drip, daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(ReceiverUnavailable, match="does not respond"):
            post(Webhook(name="ops", url=f"http://127.0.0.1:{slow.getsockname()[1]}/"))
    assert time.monotonic() - begun < 5


def byte_by_byte(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)


UNUSABLE = (
    "canary-token", "file:///etc/canary", "http://", "http://127.0.0.1:1/canary path", "https://h:canary/x", "http://[::canary/",
    "https://oapi.example.com/采访canary", "http://127.0.0.1:0/canary",
)  # fmt: skip


@pytest.mark.parametrize("url", UNUSABLE)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadSetting, match="is not the URL of a webhook") as refused:
        checked_webhook("ops", url, "", origin="VOD_MIGRATE_WEBHOOK_OPS")
    assert "canary" not in str(refused.value)


def test_a_webhook_comes_from_the_environment_and_shows_neither_address_nor_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(VodMigrateError, match="has no URL: set VOD_MIGRATE_WEBHOOK_OPS_CHAT"):
        webhook_from_environment("ops_chat")
    monkeypatch.setenv("VOD_MIGRATE_WEBHOOK_OPS_CHAT", f"https://oapi.example.com/send?access_token={TOKEN}")
    monkeypatch.setenv("VOD_MIGRATE_WEBHOOK_OPS_CHAT_SECRET", "SEC-canary")
    found = webhook_from_environment("ops_chat")
    assert (found.host, found.secret) == ("oapi.example.com", "SEC-canary")
    assert "canary" not in repr(found)
