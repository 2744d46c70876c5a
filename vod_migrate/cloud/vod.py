"""VOD: one client, and the one place where the SDK's errors become ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from darabonba.runtime import RuntimeOptions
from Tea.exceptions import TeaException

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.credentials import Credentials
from vod_migrate.cloud.local_fault import ANSWERED, local_fault, skew_of
from vod_migrate.cloud.redaction import one_line
from vod_migrate.errors import (
    AccountStopped,
    BadSetting,
    BrokenReply,
    Denied,
    InvalidCredentials,
    Misconfigured,
    NetworkTrouble,
    RegisterError,
    RequestRefused,
    ServiceTrouble,
    Suspended,
    Throttled,
    TokenExpired,
)

TIMEOUTS = (5.0, 15.0)
"""Seconds for connecting and reading."""

_POOL = 128
"""Connections that the SDK keeps open to a host: as many as a worker may have threads (`register.threads`)."""
_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_TOKEN_CODES = ("InvalidSecurityToken", "SecurityToken")
_CREDENTIAL_CODES = (
    "InvalidAccessKeyId", "MissingAccessKeyId", "SignatureDoesNotMatch", "IncompleteSignature", "InvalidSecurityToken",
    "MissingSecurityToken",
)  # fmt: skip
_THROTTLING = ("Throttling", "RequestsTooFrequent")
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_JSON_TROUBLE = "parse the value as json"
_NO_CODE = ("", "None")
"""What the SDK makes of an error body without a Code."""


class VodClient:
    """The APIs of VOD by their names; one client is shared by all threads. skew: as `skew_of` the last answer."""

    def __init__(self, connection: Connection, *, timeouts: tuple[float, float] | None = None) -> None:
        """timeouts: seconds for connecting and reading."""
        self.skew: float | None = None
        self._credentials = connection.credentials
        self._endpoint = connection.vod_endpoint or f"VOD in {connection.region}"
        config = Config(credential=connection.credentials.client, region_id=connection.region, protocol="HTTPS")
        if connection.vod_endpoint:
            parts = urlsplit(connection.vod_endpoint)
            config.endpoint, config.protocol = parts.netloc, parts.scheme.upper()
        self.sdk = Client(config)
        """The SDK's own client."""
        # The SDK's own retry is off: ours knows what an answer means.
        connect, read = (int(seconds * 1000) for seconds in timeouts or TIMEOUTS)
        # The SDK has one session for each host and size of pool. With another size than the calls before them, each of a canary's ten
        # lookups would make a session of its own and read the system's certificates for it, 20 ms of CPU.
        self._runtime = RuntimeOptions(connect_timeout=connect, read_timeout=read, max_idle_conns=_POOL)

    def call(self, api: str, **fields: Any) -> Mapping[str, Any]:
        """One request, and the body of its answer by the API's own names.

        api: as the vendor calls it, `GetCategories`; fields: as the SDK calls them, `cate_id`.

        Raises:
            RegisterError: Throttled, Transient, TokenExpired, RequestRefused or AccountStopped.
        """
        request = getattr(models, f"{api}Request")(**fields)
        send = getattr(self.sdk, f"{_WORD.sub('_', api).lower()}_with_options")
        with _renewing(self._credentials):
            try:
                response = send(request, self._runtime)
            except (TeaException, CredentialException) as error:
                classified = classify(error, api=api)
                if isinstance(classified, NetworkTrouble) and (
                    fault := local_fault(str(classified), endpoint=self._endpoint, setting="vod_endpoint")
                ):
                    raise Misconfigured(f"VOD cannot be reached: {fault}") from error
                if classified.http_status is not None:
                    ANSWERED.add(self._endpoint)
                raise classified from error
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                # The SDK's own parsing stumbles over bodies of other types.
                raise BrokenReply(f"VOD's response to {api} cannot be read ({one_line(error)})") from error
        self._credentials.proven()
        ANSWERED.add(self._endpoint)
        self.skew = skew_of(response.headers)
        # The SDK drops a body with an unexpected type in it, and keeps what it was in `_map`.
        kept = response.body.to_map() if response.body is not None else getattr(response, "_map", None) or {}
        body = kept if response.body is not None else kept.get("body")
        if not isinstance(body, Mapping):
            raise BrokenReply(f"VOD answered {api} with 200 and a body that is not a JSON object", http_status=200)
        return body


@contextmanager
def _renewing(credentials: Credentials) -> Iterator[None]:
    """Around one call: has a token that VOD rejects renewed, and raises TokenExpired where there is another one."""
    try:
        used = credentials.current()
        try:
            yield
        except InvalidCredentials as error:
            if not error.code.startswith(_TOKEN_CODES) or not credentials.renew(used):
                raise
            raise TokenExpired(
                f"VOD rejected the security token ({error.code}); the provider has issued another one",
                code=error.code,
                http_status=error.http_status,
                request_id=error.request_id,
            ) from error
    except BadSetting as error:
        # The provider worked when the run listed the bucket, so this is taken for a passing fault of it.
        raise NetworkTrouble(str(error), code="no_credentials") from error


def classify(error: Exception, *, api: str = "RegisterMedia") -> RegisterError:
    """What an exception of the SDK means. Secrets never stand in one; a proxy's page is cut short. api: what was called."""
    inner = getattr(error, "inner_exception", None)
    code = str(getattr(error, "code", None) or "")
    status = getattr(error, "status_code", None)
    if code and isinstance(status, int):
        return _from_answer(error, code, status, api)
    for provider in (error, inner):
        if isinstance(provider, CredentialException):
            # Its text repeats the provider's answer, and with it keys and tokens.
            return NetworkTrouble(
                f"the credential provider returned no credentials ({type(provider).__name__})", code="no_credentials"
            )
    text = one_line(inner or error)
    # The SDK stumbles over an error body that is not a JSON object; what `requests` raises is an OSError.
    stumbled = isinstance(inner, AttributeError | KeyError | TypeError | ValueError) and not isinstance(inner, OSError)
    if _JSON_TROUBLE in text or stumbled:
        return BrokenReply(
            f"VOD's response is not JSON; it may come from a proxy or gateway in between ({text})", code="not_json"
        )
    return NetworkTrouble(f"VOD does not respond ({text})", code="no_connection")


def _from_answer(error: Exception, code: str, status: int, api: str) -> RegisterError:
    request_id = one_line(getattr(error, "request_id", None) or "") or None
    code = one_line(code)
    message = one_line(getattr(error, "message", None) or error)
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
            f"a response with HTTP {status} and no error code is not from VOD; it may come from a proxy or gateway in between "
            f"({message})",
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
        return InvalidCredentials, (
            "VOD rejects the credentials ({told}): check the connection's AccessKey, secret and token, then run again"
        )
    if code.startswith("InvalidTimeStamp"):
        return AccountStopped, (
            "VOD rejects the time of the request ({told}): set this machine's clock, e.g. with NTP, then run again"
        )
    if code == "SignatureNonceUsed":
        return ServiceTrouble, "the network repeated a request to VOD ({told})"
    if code.startswith("OperationDenied"):
        return Suspended, (
            "VOD is suspended or not activated for this account ({told}): pay what is overdue on the console's billing "
            "page, or activate VOD, then run again"
        )
    if code.startswith(("Forbidden", "NoPermission", "AccessDenied")):
        return Denied, "the credentials may not call {api} ({told}): allow vod:{api} in the RAM policy, then run again"
    if status >= _SERVER_ERROR or code.startswith(("InternalError", "ServiceUn")):
        return ServiceTrouble, "VOD answered with a server error ({told})"
    return RequestRefused, "VOD refused the call ({told})"
