"""VOD signatures: ACS3-HMAC-SHA256 in the Authorization header, and the older RPC signature in the parameters.

Sources: "Request syntax and signature method V3" and "RPC-style signature" of the OpenAPI pages; error codes are those of
the common gateway.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import deque
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from vod_migrate.sandbox.accounts import Accounts, Caller
from vod_migrate.sandbox.errors import BadRequest, VodError
from vod_migrate.sandbox.http import Request, decode_form, percent_encode

MAX_SKEW_S: Final = 15 * 60
_ACS3: Final = "ACS3-HMAC-SHA256"
_AUTHORIZATION: Final = re.compile(
    rf"{_ACS3} Credential=(?P<id>[^,]+), ?SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]+)"
)
_DATE_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"
_FORM: Final = "application/x-www-form-urlencoded"


class Nonces:
    """Nonces of the last 30 minutes: a signature may be dated 15 minutes before or after now."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._order: deque[tuple[float, tuple[str, str]]] = deque()

    def use(self, access_key_id: str, nonce: str, now: float) -> bool:
        """Whether this is the first use."""
        while self._order and self._order[0][0] < now - 2 * MAX_SKEW_S:
            self._seen.discard(self._order.popleft()[1])
        if (access_key_id, nonce) in self._seen:
            return False
        self._seen.add((access_key_id, nonce))
        self._order.append((now, (access_key_id, nonce)))
        return True


def body_parameters(request: Request) -> tuple[tuple[str, str], ...]:
    """The parameters in a form body, decoded, in order."""
    if not request.body or not request.header("Content-Type").startswith(_FORM):
        return ()
    try:
        return decode_form(request.body.decode("ascii"))
    except (UnicodeDecodeError, BadRequest):
        raise VodError("InvalidParameter", 400, "The body is not percent-encoded UTF-8.") from None


def authenticate(request: Request, accounts: Accounts, nonces: Nonces, now: float) -> Caller:
    """The signer of the request. `now`: seconds since 1970."""
    if request.header("Authorization"):
        return _acs3(request, accounts, nonces, now)
    if "Signature" in request.parameters or b"Signature=" in request.body:
        return _rpc(request, accounts, nonces, now)
    raise VodError("MissingAccessKeyId", 400, "AccessKeyId is mandatory for this action.")


def _acs3(request: Request, accounts: Accounts, nonces: Nonces, now: float) -> Caller:
    found = _AUTHORIZATION.fullmatch(request.header("Authorization"))
    if found is None:
        raise _incomplete(f"Authorization must have the form {_ACS3} Credential=…,SignedHeaders=…,Signature=….")
    signed = found["headers"].split(";")
    present = {name.lower() for name in request.headers}
    unsigned = {name for name in present if name.startswith("x-acs-") or name == "host"} - set(signed)
    absent = {"x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "host"} - present
    if unsigned or absent:
        raise _incomplete(f"These headers must be present and signed: {', '.join(sorted(unsigned | absent))}.")
    caller = _caller(accounts, found["id"], request.header("x-acs-security-token"), now)
    _check_date(request.header("x-acs-date"), now)
    digest = hashlib.sha256(request.body).hexdigest()
    if request.header("x-acs-content-sha256") != digest:
        raise _mismatch(f"x-acs-content-sha256 of the body is {digest}")
    text = f"{_ACS3}\n{_canonical_digest(request, signed, digest)}"
    secret = caller.credential.access_key_secret.get_secret_value()
    if not hmac.compare_digest(hmac.digest(secret.encode(), text.encode(), "sha256").hex(), found["signature"]):
        raise _mismatch(text)
    _check_nonce(nonces, found["id"], request.header("x-acs-signature-nonce"), now)
    return caller


def _canonical_digest(request: Request, signed: list[str], payload: str) -> str:
    # On the wire a space may be a plus, but %20 is signed, so the query is encoded again.
    query = "&".join(f"{percent_encode(name)}={percent_encode(value)}" for name, value in sorted(request.query))
    headers = "".join(f"{name}:{request.header(name).strip()}\n" for name in signed)
    text = "\n".join([request.method, request.path, query, headers, ";".join(signed), payload])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _rpc(request: Request, accounts: Accounts, nonces: Nonces, now: float) -> Caller:
    parameters = {**request.parameters, **dict(body_parameters(request))}
    signature = parameters.pop("Signature", "")
    if parameters.get("SignatureMethod") != "HMAC-SHA1" or parameters.get("SignatureVersion") != "1.0":
        raise _incomplete("SignatureMethod must be HMAC-SHA1 and SignatureVersion 1.0.")
    access_key_id = parameters.get("AccessKeyId", "")
    caller = _caller(accounts, access_key_id, parameters.get("SecurityToken", ""), now)
    _check_date(parameters.get("Timestamp", ""), now)
    canonical = "&".join(f"{percent_encode(name)}={percent_encode(parameters[name])}" for name in sorted(parameters))
    text = f"{request.method}&%2F&{quote(canonical, safe='~')}"
    secret = caller.credential.access_key_secret.get_secret_value() + "&"
    expected = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise _mismatch(text)
    _check_nonce(nonces, access_key_id, parameters.get("SignatureNonce", ""), now)
    return caller


def _caller(accounts: Accounts, access_key_id: str, token: str, now: float) -> Caller:
    caller = accounts.caller(access_key_id)
    if caller is None:
        raise VodError("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found.")
    credential = caller.credential
    expected = credential.security_token.get_secret_value() if credential.security_token else ""
    if expected and not token:
        raise VodError("MissingSecurityToken", 400, "SecurityToken is mandatory for this action.")
    if token != expected:
        raise VodError("InvalidSecurityToken.Malformed", 400, "Specified SecurityToken is malformed.")
    if credential.expires is not None and credential.expires.timestamp() <= now:
        raise VodError("InvalidSecurityToken.Expired", 400, "Specified SecurityToken is expired.")
    return caller


def _check_date(date: str, now: float) -> None:
    try:
        then = datetime.strptime(date, _DATE_FORM).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise VodError(
            "InvalidTimeStamp.Format", 400, "Specified time stamp or date value is not well formatted."
        ) from None
    if abs(then - now) > MAX_SKEW_S:
        raise VodError("InvalidTimeStamp.Expired", 400, "Specified time stamp or date value is expired.")


def _check_nonce(nonces: Nonces, access_key_id: str, nonce: str, now: float) -> None:
    if not nonce or not nonces.use(access_key_id, nonce, now):
        raise VodError("SignatureNonceUsed", 400, "Specified signature nonce was used already.")


def _incomplete(rule: str) -> VodError:
    return VodError("IncompleteSignature", 400, f"The request signature does not conform to Aliyun standards. {rule}")


def _mismatch(signed: str) -> VodError:
    return VodError(
        "SignatureDoesNotMatch", 400,
        f"Specified signature does not match our calculation. server string to sign is:{signed}",
    )  # fmt: skip
