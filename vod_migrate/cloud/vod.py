"""VOD as the package sees it: the client, one call with its errors classified, and the renewal of credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from alibabacloud_credentials.exceptions import CredentialException
from Tea.exceptions import TeaException

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.credentials import Credentials
from vod_migrate.cloud.redaction import redacted
from vod_migrate.errors import (
    AccountStopped,
    BadSetting,
    BrokenReply,
    Denied,
    InvalidCredentials,
    NetworkTrouble,
    RegisterError,
    RequestRefused,
    ServiceTrouble,
    Suspended,
    Throttled,
    TokenExpired,
)

_TOKEN_CODES = ("InvalidSecurityToken", "SecurityToken")


CONNECT_MILLISECONDS = 5_000


READ_MILLISECONDS = 15_000


_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def vod_client(connection: Connection) -> Any:
    """The SDK's client; one is shared by all threads. Its own retry is off: ours knows what an answer means."""
    from alibabacloud_tea_openapi.utils_models import Config  # noqa: PLC0415 - slow SDK import
    from alibabacloud_vod20170321.client import Client  # noqa: PLC0415 - slow SDK import

    config = Config(credential=connection.credentials.client, region_id=connection.region, protocol="HTTPS")
    if connection.vod_endpoint:
        parts = urlsplit(connection.vod_endpoint)
        config.endpoint, config.protocol = parts.netloc, parts.scheme.upper()
    return Client(config)


def call_vod(
    client: Any,
    api: str,
    fields: Mapping[str, Any],
    *,
    connect_seconds: float = CONNECT_MILLISECONDS / 1000,
    read_seconds: float = READ_MILLISECONDS / 1000,
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """One request to a neighbour of RegisterMedia. Returns the body, by the API's own names, and the answer's headers.

    api: as the vendor calls it, `GetCategories`; fields: as the SDK calls them, `cate_id`.

    Raises:
        RegisterError: Throttled, Transient, RequestRefused or AccountStopped.
    """
    from alibabacloud_vod20170321 import models  # noqa: PLC0415 - slow SDK import
    from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - slow SDK import

    runtime = RuntimeOptions(connect_timeout=int(connect_seconds * 1000), read_timeout=int(read_seconds * 1000))
    send = getattr(client, f"{_WORD.sub('_', api).lower()}_with_options")
    try:
        response = send(getattr(models, f"{api}Request")(**fields), runtime)
    except TeaException as error:
        raise classify(error, api=api) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenReply(f"VOD's answer to {api} cannot be read ({type(error).__name__}: {error})") from error
    except CredentialException as error:
        raise NetworkTrouble(
            f"the credential provider gives no credentials ({type(error).__name__})", code="no_credentials"
        ) from error
    if response.body is None:
        raise BrokenReply(f"VOD answered {api} with something else", http_status=200)
    return response.body.to_map(), response.headers or {}


@contextmanager
def renewing(credentials: Credentials) -> Iterator[None]:
    """Around one call: a token that VOD refuses is asked for anew.

    Raises:
        TokenExpired: the provider gave another token. InvalidCredentials: it gave none. NetworkTrouble: it does not answer.
    """
    try:
        used = credentials.current()
        try:
            yield
        except InvalidCredentials as error:
            if not error.code.startswith(_TOKEN_CODES) or not credentials.renew(used):
                raise
            raise TokenExpired(
                f"{error.code}: VOD took the security token no more, and the provider has given another one",
                code=error.code,
                http_status=error.http_status,
                request_id=error.request_id,
            ) from error
    except BadSetting as error:
        raise NetworkTrouble(str(error), code="no_credentials") from error


_CREDENTIAL_CODES = (
    "InvalidAccessKeyId", "MissingAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSecurityToken",
    "MissingSecurityToken",
)  # fmt: skip


_THROTTLING = ("Throttling", "RequestsTooFrequent")


_TOO_MANY_REQUESTS = 429


_SERVER_ERROR = 500


_JSON_TROUBLE = "parse the value as json"


_NO_CODE = ("", "None")
"""What the SDK makes of an error body without a Code."""


def classify(error: Exception, *, api: str = "RegisterMedia") -> RegisterError:
    """What an exception of the SDK means. Secrets never stand in one; a proxy's page is cut short. api: what was called."""
    inner = getattr(error, "inner_exception", None)
    code = str(getattr(error, "code", None) or "")
    status = getattr(error, "status_code", None)
    if code and isinstance(status, int):
        return _from_answer(error, code, status, api)
    if isinstance(inner, CredentialException):
        # Its text repeats the provider's answer, and with it keys and tokens.
        return NetworkTrouble(
            f"the credential provider gives no credentials ({type(inner).__name__})", code="no_credentials"
        )
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
    if code.startswith(_THROTTLING) or status == _TOO_MANY_REQUESTS:
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
    if code == "InvalidSecurityToken.Expired":
        return InvalidCredentials, (
            "the security token has expired ({told}): give the connection a new one, or name a provider that renews it "
            "(credential_provider), then run again"
        )
    if code.startswith(_CREDENTIAL_CODES):
        return (
            InvalidCredentials,
            "VOD does not accept the credentials ({told}): check AccessKey, secret and token of the connection, then run again",
        )
    if code.startswith("InvalidTimeStamp"):
        return (
            AccountStopped,
            "VOD refuses the request's time ({told}): set this machine's clock, e.g. with NTP, then run again",
        )
    if code == "SignatureNonceUsed":
        return ServiceTrouble, "the way to VOD repeated a request ({told})"
    if code.startswith("OperationDenied"):
        return Suspended, (
            "VOD is suspended or not activated for this account ({told}): settle it on the console's billing page, or "
            "activate VOD, then run again"
        )
    if code.startswith(("Forbidden", "NoPermission", "AccessDenied")):
        return Denied, "the credentials may not call {api} ({told}): allow vod:{api} in the RAM policy, then run again"
    if status >= _SERVER_ERROR or code.startswith(("InternalError", "ServiceUn")):
        return ServiceTrouble, "VOD is in trouble ({told})"
    return RequestRefused, "VOD refused the call ({told})"


def _short(text: str) -> str:
    # Postgres stores neither NUL nor half a surrogate pair.
    line = redacted(" ".join(text.encode(errors="replace").decode().replace("\x00", "\ufffd").split()))
    return line if len(line) <= 300 else line[:300] + "…"  # noqa: PLR2004 - readable length
