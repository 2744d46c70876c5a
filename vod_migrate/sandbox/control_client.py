"""The client of the control API, for the command line."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

TIMEOUT_S: Final = 60


class ControlError(Exception):
    """The sandbox refused, or is not running. The message names the fix."""


def ask(url: str, method: str, name: str, body: object = None, **query: str | None) -> Any:
    """Send one control request. Returns the decoded JSON. Raises `ControlError`."""
    with _open(url, method, name, body, query) as response:
        return json.load(response)


def lines(url: str, name: str, **query: str | None) -> Iterator[str]:
    """The lines of an NDJSON reply, one by one. Raises `ControlError`."""
    with _open(url, "GET", name, None, query) as response:
        for line in response:
            yield line.decode().rstrip("\n")


def _open(url: str, method: str, name: str, body: object, query: Mapping[str, str | None]) -> Any:
    given = {key: value for key, value in query.items() if value is not None}
    target = f"{url.rstrip('/')}/_sandbox/{name}" + (f"?{urlencode(given)}" if given else "")
    if not target.startswith(("http://", "https://")):
        raise ControlError(f"{url!r} is not a URL; give the address of the sandbox as http://127.0.0.1:PORT.")
    request = urllib.request.Request(  # noqa: S310 - scheme checked above
        target, method=method, data=None if body is None else json.dumps(body).encode()
    )
    # The sandbox is on this machine, so no proxy is used.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        raise ControlError(_reason(error)) from None
    except OSError as error:
        raise ControlError(
            f"No sandbox responds at {url} ({error}); start one with: vod-migrate sandbox serve"
        ) from None


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode("utf-8", "replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}: {text[:200]}"
