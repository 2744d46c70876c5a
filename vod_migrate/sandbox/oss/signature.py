"""OSS signatures: V1 and V4, in the Authorization header and in presigned URLs.

Sources: "Include signatures in the Authorization header" and "Add signatures to URLs" of the OSS API reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from vod_migrate.sandbox.accounts import Accounts, Caller
from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import Request, percent_encode

MAX_SKEW_S: Final = 15 * 60
_V4: Final = "OSS4-HMAC-SHA256"
_V4_FORM: Final = "%Y%m%dT%H%M%SZ"
_V4_ALWAYS_SIGNED: Final = frozenset({"content-type", "content-md5"})
_MAX_EXPIRES_S: Final = 7 * 86_400
_SUBRESOURCES: Final = frozenset(
    [
        "acl",
        "append",
        "asyncFetch",
        "bucketInfo",
        "callback",
        "callback-var",
        "cname",
        "comp",
        "continuation-token",
        "cors",
        "delete",
        "encryption",
        "endTime",
        "group",
        "inventory",
        "inventoryId",
        "lifecycle",
        "link",
        "live",
        "location",
        "logging",
        "metaQuery",
        "objectInfo",
        "objectMeta",
        "partNumber",
        "policy",
        "position",
        "qos",
        "qosInfo",
        "referer",
        "regionList",
        "replication",
        "replicationLocation",
        "replicationProgress",
        "requestPayment",
        "resourceGroup",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "security-token",
        "sequential",
        "startTime",
        "stat",
        "status",
        "style",
        "styleName",
        "symlink",
        "tagging",
        "transferAcceleration",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "vod",
        "website",
        "worm",
        "wormExtend",
        "wormId",
        "x-oss-ac-forward-allow",
        "x-oss-ac-source-ip",
        "x-oss-ac-subnet-mask",
        "x-oss-ac-vpc-id",
        "x-oss-async-process",
        "x-oss-process",
        "x-oss-request-payer",
        "x-oss-traffic-limit",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request says about its signer. `sign` computes the correct signature from the secret."""

    access_key_id: str
    signature: str
    token: str
    string_to_sign: str
    sign: Callable[[str], str]


def authenticate(request: Request, accounts: Accounts, *, bucket: str, key: str, now: float) -> Caller:
    """The signer of a request for `bucket` and `key` (decoded; empty if there is none).

    `now` is the server's time in seconds since 1970.
    """
    claim = _claim(request, bucket=bucket, key=key, now=now)
    caller = accounts.caller(claim.access_key_id)
    if caller is None:
        raise OssError(
            "InvalidAccessKeyId", 403, "The OSS Access Key Id you provided does not exist in our records.",
            OSSAccessKeyId=claim.access_key_id,
        )  # fmt: skip
    _check_token(caller, claim.token, now)
    expected = claim.sign(caller.credential.access_key_secret.get_secret_value())
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise OssError(
            "SignatureDoesNotMatch", 403,
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            OSSAccessKeyId=claim.access_key_id, SignatureProvided=claim.signature, StringToSign=claim.string_to_sign,
        )  # fmt: skip
    return caller


def _claim(request: Request, *, bucket: str, key: str, now: float) -> Claim:
    authorization = request.header("Authorization")
    query = request.parameters
    if authorization.startswith("OSS "):
        return _v1_header(request, authorization, bucket, key, now)
    if authorization.startswith(_V4 + " "):
        return _v4_header(request, authorization, bucket, key, now)
    if authorization:
        raise OssError("InvalidArgument", 400, "Authorization header is invalid.", ArgumentName="Authorization")
    if "x-oss-signature" in query:
        return _v4_url(request, query, bucket, key, now)
    if "Signature" in query and "OSSAccessKeyId" in query:
        return _v1_url(request, query, bucket, key, now)
    raise OssError("AccessDenied", 403, "Anonymous access is forbidden for this operation.")


def _check_token(caller: Caller, token: str, now: float) -> None:
    credential = caller.credential
    expected = credential.security_token.get_secret_value() if credential.security_token else ""
    if token != expected:
        raise OssError("InvalidSecurityToken", 403, "The security token you provided is invalid.")
    if credential.expires is not None and credential.expires.timestamp() <= now:
        raise OssError("SecurityTokenExpired", 403, "The security token you provided has expired.")


def _check_skew(then: float, now: float) -> None:
    if abs(then - now) > MAX_SKEW_S:
        raise OssError(
            "RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.",
            MaxAllowedSkewMilliseconds=str(MAX_SKEW_S * 1_000),
            ServerTime=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        )  # fmt: skip


# --- version 1 --------------------------------------------------------------------------------------------------------


def _v1_header(request: Request, authorization: str, bucket: str, key: str, now: float) -> Claim:
    date = request.header("x-oss-date") or request.header("Date")
    try:
        then = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        raise OssError("AccessDenied", 403, "OSS authentication requires a valid Date.") from None
    _check_skew(then, now)
    access_key_id, _, signature = authorization.removeprefix("OSS ").partition(":")
    return _v1(request, access_key_id, signature, request.header("x-oss-security-token"), date, bucket, key)


def _v1_url(request: Request, query: dict[str, str], bucket: str, key: str, now: float) -> Claim:
    expires = query.get("Expires", "")
    if not expires.isdigit() or int(expires) < now:
        raise OssError("AccessDenied", 403, "Request has expired.", Expires=expires)
    return _v1(
        request, query["OSSAccessKeyId"], query["Signature"], query.get("security-token", ""), expires, bucket, key
    )


def _v1(request: Request, access_key_id: str, signature: str, token: str, date: str, bucket: str, key: str) -> Claim:
    signed = sorted((name.lower(), value) for name, value in request.headers.items() if name.lower()[:6] == "x-oss-")
    resources = sorted((name, value) for name, value in request.query if name in _SUBRESOURCES)
    resource = f"/{bucket}/{key}" if bucket else "/"
    if resources:
        resource += "?" + "&".join(f"{name}={value}" if value else name for name, value in resources)
    text = "\n".join([
        request.method,
        request.header("Content-MD5"),
        request.header("Content-Type"),
        date,
        "".join(f"{name}:{value}\n" for name, value in signed) + resource,
    ])  # fmt: skip

    def sign(secret: str) -> str:
        return base64.b64encode(hmac.digest(secret.encode(), _bytes(text), "sha1")).decode()

    return Claim(access_key_id=access_key_id, signature=signature, token=token, string_to_sign=text, sign=sign)


# --- version 4 --------------------------------------------------------------------------------------------------------


def _v4_header(request: Request, authorization: str, bucket: str, key: str, now: float) -> Claim:
    parts = dict(
        part.strip().partition("=")[::2] for part in authorization.removeprefix(_V4).split(",") if part.strip()
    )
    if not {"Credential", "Signature"} <= parts.keys():
        raise OssError("InvalidArgument", 400, "Authorization header is invalid.", ArgumentName="Authorization")
    date = request.header("x-oss-date")
    _check_skew(_v4_time(date), now)
    return _v4(
        request, parts["Credential"], parts["Signature"], request.header("x-oss-security-token"),
        parts.get("AdditionalHeaders", ""), date, bucket, key,
    )  # fmt: skip


def _v4_url(request: Request, query: dict[str, str], bucket: str, key: str, now: float) -> Claim:
    date, lifetime = query.get("x-oss-date", ""), query.get("x-oss-expires", "")
    if not lifetime.isdigit() or int(lifetime) > _MAX_EXPIRES_S:
        raise OssError("AccessDenied", 403, "x-oss-expires must be a number of seconds up to 604800.")
    if _v4_time(date) + int(lifetime) < now:
        raise OssError("AccessDenied", 403, "Request has expired.", Expires=lifetime)
    return _v4(
        request, query.get("x-oss-credential", ""), query["x-oss-signature"], query.get("x-oss-security-token", ""),
        query.get("x-oss-additional-headers", ""), date, bucket, key,
    )  # fmt: skip


def _v4_time(date: str) -> float:
    try:
        return datetime.strptime(date, _V4_FORM).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise OssError("AccessDenied", 403, "OSS authentication requires a valid x-oss-date.") from None


def _v4(
    request: Request, scope: str, signature: str, token: str, additional: str, date: str, bucket: str, key: str
) -> Claim:
    access_key_id, *rest = scope.split("/")
    if len(rest) != 4 or rest[0] != date[:8] or rest[2:] != ["oss", "aliyun_v4_request"]:  # noqa: PLR2004 - its form
        raise OssError("InvalidArgument", 400, "The credential scope is invalid.", ArgumentName="Credential")
    text = f"{_V4}\n{date}\n{'/'.join(rest)}\n{_v4_canonical_digest(request, additional, bucket, key)}"

    def sign(secret: str) -> str:
        signing_key = ("aliyun_v4" + secret).encode()
        for step in rest:
            signing_key = hmac.digest(signing_key, step.encode(), "sha256")
        return hmac.digest(signing_key, text.encode(), "sha256").hex()

    return Claim(access_key_id=access_key_id, signature=signature, token=token, string_to_sign=text, sign=sign)


def _v4_canonical_digest(request: Request, additional: str, bucket: str, key: str) -> str:
    extra = sorted(name.strip().lower() for name in additional.split(";") if name.strip())
    headers = sorted(
        (name.lower(), value)
        for name, value in request.headers.items()
        if name.lower()[:6] == "x-oss-" or name.lower() in _V4_ALWAYS_SIGNED or name.lower() in extra
    )
    query = sorted(
        (percent_encode(name), percent_encode(value)) for name, value in request.query if name != "x-oss-signature"
    )
    text = "\n".join([
        request.method,
        # Even with path-style addressing the bucket is part of what is signed.
        percent_encode(f"/{bucket}/{key}" if bucket else "/", safe="/~"),
        "&".join(f"{name}={value}" if value else name for name, value in query),
        "".join(f"{name}:{value}\n" for name, value in headers),
        ";".join(extra),
        request.header("x-oss-content-sha256") or "UNSIGNED-PAYLOAD",
    ])  # fmt: skip
    return hashlib.sha256(_bytes(text)).hexdigest()


def signed_region(request: Request) -> str | None:
    """The region in a V4 credential scope, None for other signatures."""
    scope = request.parameters.get("x-oss-credential", "")
    authorization = request.header("Authorization")
    if authorization.startswith(_V4 + " "):
        scope = authorization.partition("Credential=")[2].partition(",")[0]
    parts = scope.split("/")
    return parts[2] if len(parts) == 5 else None  # noqa: PLR2004 - its form


def _bytes(text: str) -> bytes:
    # Header bytes that are not UTF-8 arrive as surrogates; they are signed as they were sent.
    return text.encode("utf-8", "surrogateescape")
