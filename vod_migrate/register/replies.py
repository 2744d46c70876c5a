"""Every answer and exception of RegisterMedia, read in one place: outcomes per object, or an error of the tree.

Replies are matched by (bucket, decoded key), never by string equality: the documented examples ask with https and are
answered with http. `FailedFileURLs` is read in every form seen: plain strings, and strings that hold JSON lists.
A contradiction (in both lists, or a URL that fits two entries) is unknown: it is tried again, never guessed away.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from vod_migrate.errors import (
    AccountStopped,
    BrokenReply,
    Denied,
    InvalidCredentials,
    NetworkTrouble,
    RegisterError,
    RequestRefused,
    ServiceTrouble,
    Suspended,
    Throttled,
)
from vod_migrate.media import Batch, Entry, Outcome, Reply, Verdict
from vod_migrate.redaction import redacted

__all__ = ["classify", "read_reply"]

_URL = re.compile(r"[a-z]+://([^/]+)/(.*)", re.DOTALL | re.IGNORECASE)
_CREDENTIAL_CODES = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSecurityToken")
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_JSON_TROUBLE = "parse the value as json"
_MEDIA_ID = re.compile(r"[!-~]{1,128}")
_NO_CODE = ("", "None")
"""What the SDK makes of an error body without a Code."""


def read_reply(fields: Mapping[str, Any], batch: Batch) -> Reply:
    """One outcome for every entry of the batch, from the body of a 200 answer.

    Raises:
        BrokenReply: the body has neither of RegisterMedia's lists.
    """
    listed = fields.get("RegisteredMediaList")
    refused = fields.get("FailedFileURLs")
    if listed is None and refused is None:
        raise BrokenReply("VOD answered 200 without RegisteredMediaList and FailedFileURLs", http_status=200)
    if not isinstance(listed, list | None) or not isinstance(refused, list | str | None):
        raise BrokenReply("VOD answered 200 with lists of other types", http_status=200)
    told: dict[int, Outcome] = {}
    clashes: set[int] = set()
    finder = _Finder(batch)
    for outcome in [*_registered(listed, finder), *_failed(refused, finder)]:
        known = told.setdefault(outcome.result_id, outcome)
        if known != outcome and (known.media_id, known.verdict.value == "failed") != (
            outcome.media_id,
            outcome.verdict.value == "failed",
        ):
            clashes.add(outcome.result_id)
    request_id = fields.get("RequestId")
    return Reply(
        request_id=_short(request_id) if isinstance(request_id, str) else None,
        outcomes=tuple(_settled(entry, told, clashes) for entry in batch.entries),
    )


def _settled(entry: Entry, told: Mapping[int, Outcome], clashes: set[int]) -> Outcome:
    if entry.result_id in clashes:
        return Outcome(
            result_id=entry.result_id,
            verdict=Verdict.UNKNOWN,
            code="contradiction",
            message="the reply says two different things about this file",
        )
    return told.get(
        entry.result_id,
        Outcome(
            result_id=entry.result_id,
            verdict=Verdict.UNKNOWN,
            code="no_answer",
            message="the reply names this file in neither list",
        ),
    )


def _registered(listed: Any, finder: _Finder) -> Iterator[Outcome]:
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, Mapping):
            continue
        entry = finder.find(item.get("FileURL"))
        media_id = item.get("MediaId")
        if entry is None or not isinstance(media_id, str) or not _MEDIA_ID.fullmatch(media_id):
            continue
        new = item.get("NewRegister")
        already = new is False or (isinstance(new, str) and new.lower() == "false")
        yield Outcome(
            result_id=entry.result_id,
            verdict=Verdict.ALREADY_REGISTERED if already else Verdict.REGISTERED,
            media_id=media_id,
        )


def _failed(refused: Any, finder: _Finder) -> Iterator[Outcome]:
    for url in _flat(refused):
        entry = finder.find(url)
        if entry is not None:
            yield Outcome(
                result_id=entry.result_id,
                verdict=Verdict.FAILED,
                code="file_refused",
                message="VOD listed the file in FailedFileURLs; the API gives no reason",
            )


def _flat(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(reversed(part))
        elif isinstance(part, str):
            text = part.strip()
            if text.startswith("["):
                with contextlib.suppress(ValueError, RecursionError):
                    waiting.append(json.loads(text))
            elif text:
                yield text


class _Finder:
    """Finds the entry that a URL of the reply means."""

    def __init__(self, batch: Batch) -> None:
        self._by_url = {_without_scheme(entry.file_url): entry for entry in batch.entries}
        self._by_key = {(batch.storage_address.lower(), entry.key): entry for entry in batch.entries}

    def find(self, url: Any) -> Entry | None:
        if not isinstance(url, str):
            return None
        exact = self._by_url.get(_without_scheme(url))
        if exact is not None:
            return exact
        match = _URL.fullmatch(url)
        if match is None:
            return None
        host, path = match[1].lower(), match[2]
        meant = {
            entry.result_id: entry
            for key in (unquote(path), path)
            if (entry := self._by_key.get((host, key))) is not None
        }
        return next(iter(meant.values())) if len(meant) == 1 else None


def _without_scheme(url: str) -> str:
    return url.partition("://")[2]


def classify(error: Exception, *, api: str = "RegisterMedia") -> RegisterError:
    """What an exception of the SDK means. Secrets never stand in one; a proxy's page is cut short. api: what was called."""
    inner = getattr(error, "inner_exception", None)
    code = str(getattr(error, "code", None) or "")
    status = getattr(error, "status_code", None)
    if code and isinstance(status, int):
        return _from_answer(error, code, status, api)
    text = _short(str(inner or error))
    # The SDK stumbles over an error body that is no JSON object; what `requests` raises is an OSError.
    stumbled = isinstance(inner, AttributeError | KeyError | TypeError | ValueError) and not isinstance(inner, OSError)
    if _JSON_TROUBLE in text or stumbled:
        return BrokenReply(f"VOD's answer is not JSON, a proxy or gateway may stand between ({text})", code="not_json")
    return NetworkTrouble(f"VOD does not answer ({text})", code="no_connection")


def _from_answer(error: Exception, code: str, status: int, api: str) -> RegisterError:
    request_id = _short(str(getattr(error, "request_id", None) or "")) or None
    code = _short(code)
    message = _short(str(getattr(error, "message", None) or error))
    told = f"{code}: {message}"
    if code.startswith("Throttling") or status == _TOO_MANY_REQUESTS:
        pause = getattr(error, "retry_after", None)
        return Throttled(
            f"the account's {api} quota is used up ({told}); workers slow down, nothing is lost",
            code=code,
            http_status=status,
            request_id=request_id,
            retry_after=pause / 1000 if isinstance(pause, int | float) else None,  # the SDK's unit: milliseconds
        )
    if code in _NO_CODE and status < _SERVER_ERROR:
        return BrokenReply(
            f"an answer with HTTP {status} and without a code is not VOD's, a proxy or gateway may stand between ({message})",
            code="no_code",
            http_status=status,
        )
    kind, advice = _kind(code, status)
    return kind(advice.format(told=told, api=api), code=code, http_status=status, request_id=request_id)


def _kind(code: str, status: int) -> tuple[type[RegisterError], str]:  # noqa: PLR0911 - one line a kind
    if code.startswith(_CREDENTIAL_CODES):
        return InvalidCredentials, "VOD does not accept the credentials ({told}): check AccessKey, secret and token"
    if code.startswith("InvalidTimeStamp"):
        return AccountStopped, "VOD refuses the request's time ({told}): set this machine's clock, e.g. with NTP"
    if code == "SignatureNonceUsed":
        return ServiceTrouble, "the way to VOD repeated a request ({told})"
    if code.startswith("OperationDenied"):
        return Suspended, "VOD is suspended or not activated for this account ({told}): see the console's billing page"
    if code.startswith(("Forbidden", "NoPermission", "AccessDenied")):
        return Denied, "the credentials may not call {api} ({told}): allow vod:{api} in the RAM policy"
    if status >= _SERVER_ERROR or code.startswith(("InternalError", "ServiceUn")):
        return ServiceTrouble, "VOD is in trouble ({told})"
    return RequestRefused, "VOD refused the call ({told})"


def _short(text: str) -> str:
    # Postgres stores neither NUL nor half a surrogate pair.
    line = redacted(" ".join(text.encode(errors="replace").decode().replace("\x00", "\ufffd").split()))
    return line if len(line) <= 300 else line[:300] + "…"  # noqa: PLR2004 - readable length
