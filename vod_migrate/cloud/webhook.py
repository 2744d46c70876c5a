"""Posts JSON to a webhook, whose URL is a secret: no message, log or error repeats any part of it but the host."""

from __future__ import annotations

import http.client
import json
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from vod_migrate.cloud.redaction import one_line
from vod_migrate.cloud.retry import patiently
from vod_migrate.errors import BadSetting, MessageUnsent, ReceiverUnavailable

TIMEOUT_SECONDS = 10.0
"""For a try as a whole."""
TRIES = 3
_MOST_ANSWER_BYTES = 65_536
_VARIABLE = "VOD_MIGRATE_WEBHOOK_{}"
_SECRET_LENGTH = 8  # shorter parts of an address are words
_REDIRECT, _TOO_MANY, _SERVER_ERROR = 300, 429, 500
_T = TypeVar("_T")
_LETTERS = re.compile(r"[!-~]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """A webhook by its name. url, secret (of its signature, '' for none): never shown."""

    name: str
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """Where it is."""
        return urlsplit(self.url).hostname or ""


def webhook_from_environment(name: str) -> Webhook:
    """The webhook that the environment names.

    Raises:
        BadSetting: it names none, or no address.
    """
    variable = _VARIABLE.format(name.upper())
    url = os.environ.get(variable, "").strip()
    if not url:
        raise BadSetting(f"the webhook {name!r} has no URL: set {variable}")
    return checked_webhook(name, url, os.environ.get(f"{variable}_SECRET", "").strip(), origin=variable)


def checked_webhook(name: str, url: str, secret: str, *, origin: str) -> Webhook:
    """A webhook whose URL can be used. origin: what holds it, for errors.

    Raises:
        BadSetting: it is not the URL of a webhook.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _LETTERS.fullmatch(url):
        raise BadSetting(f"{origin} is not the URL of a webhook: copy the whole address, from https:// on")
    return Webhook(name=name, url=url, secret=secret)


def post_json(
    webhook: Webhook,
    body: Mapping[str, Any],
    *,
    parameters: Mapping[str, str] | None = None,
    sleep: Callable[[float], None],
) -> dict[str, Any]:
    """Posts JSON, with up to three tries, and returns the JSON of the answer; {} where it is none.

    parameters: what is added to the URL; sleep: waits between the tries.

    Raises:
        MessageUnsent: it was not delivered, or the receiver answers with an error.
    """
    content = json.dumps(body, ensure_ascii=False).encode()
    return patiently(lambda: _post(webhook, content, parameters or {}), sleep=sleep, tries=TRIES)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the secret and the message to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follows none."""


def _post(webhook: Webhook, content: bytes, parameters: Mapping[str, str]) -> dict[str, Any]:
    where = f"the webhook {webhook.name!r} at {webhook.host}"
    joint = "&" if urlsplit(webhook.url).query else "?"
    url = f"{webhook.url}{joint}{urlencode(parameters)}" if parameters else webhook.url
    request = urllib.request.Request(  # noqa: S310 - http or https, by `checked_webhook`
        url, data=content, headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "vod-migrate"}
    )
    try:
        status, told = _in_time(lambda: _answer(request))
    except (OSError, http.client.HTTPException) as error:
        # The text of some of these quotes the URL.
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        said = getattr(reason, "strerror", None) or type(reason).__name__
        raise ReceiverUnavailable(f"{where} does not respond ({said})") from None
    if status >= _REDIRECT:
        said = hidden(told.decode(errors="replace"), webhook) or "nothing more"
        kind = ReceiverUnavailable if status >= _SERVER_ERROR or status == _TOO_MANY else MessageUnsent
        raise kind(f"{where} responded with {status} ({said})")
    try:
        found = json.loads(told)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _answer(request: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read(_MOST_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(_MOST_ANSWER_BYTES)


def _in_time(ask: Callable[[], _T]) -> _T:
    """What `ask` returns; a receiver that sends a byte now and then never lets a socket's own timeout pass."""
    answer: Future[_T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(timeout=TIMEOUT_SECONDS)


def hidden(text: str, webhook: Webhook) -> str:
    """A receiver's words as one line, without what its URL and secret hold."""
    parts = urlsplit(webhook.url)
    secrets = {
        webhook.secret,
        webhook.url,
        parts.query,
        *parts.path.split("/"),
        *(value for _, value in parse_qsl(parts.query)),
    }
    for secret in sorted((one for one in secrets if len(one) >= _SECRET_LENGTH), key=len, reverse=True):
        text = text.replace(secret, "***")
    return one_line(text)
