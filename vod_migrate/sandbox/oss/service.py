"""OSS: which operation a request is, whether its signer may do it, and the error XML."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import unquote

from vod_migrate.sandbox.accounts import Caller
from vod_migrate.sandbox.errors import OssError, ServiceError
from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.faults.listing import FalsePages
from vod_migrate.sandbox.http import HttpReply, Request, element
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.oss import (
    buckets,
    deletion,
    listing,
    live_channels,
    multipart,
    objects,
    restore,
    signature,
    versions,
)
from vod_migrate.sandbox.state import World

_RAM_ACTIONS: Final = {
    "HeadObject": "oss:GetObject",
    "DeleteMultipleObjects": "oss:DeleteObject",
    "InitiateMultipartUpload": "oss:PutObject",
    "UploadPart": "oss:PutObject",
    "CompleteMultipartUpload": "oss:PutObject",
}
_BUCKET_APIS: Final = {"GET": "ListObjects", "PUT": "PutBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
_BUCKET_SUBRESOURCES: Final = {
    ("GET", "bucketInfo"): "GetBucketInfo",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "live"): "ListLiveChannel",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "versions"): "ListObjectVersions",
    ("POST", "delete"): "DeleteMultipleObjects",
}
_OBJECT_SUBRESOURCES: Final = {
    ("POST", "restore"): "RestoreObject",
    ("POST", "uploads"): "InitiateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
_OBJECT_APIS: Final = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
# Subresources that select an operation that the sandbox does not have.
_NOT_HERE: Final = frozenset(
    [
        "acl",
        "append",
        "cors",
        "encryption",
        "inventory",
        "lifecycle",
        "live",
        "logging",
        "policy",
        "referer",
        "replication",
        "requestPayment",
        "restore",
        "stat",
        "symlink",
        "tagging",
        "uploadId",
        "uploads",
        "versioning",
        "versions",
        "website",
        "worm",
        "x-oss-process",
    ]
)


def locate(request: Request) -> tuple[str, str]:
    """Bucket and key of a path-style request, decoded; empty if the path does not name one."""
    bucket, _, key = request.path.removeprefix("/").partition("/")
    try:
        return unquote(bucket, errors="strict"), unquote(key, errors="strict")
    except UnicodeDecodeError:
        raise OssError("InvalidObjectName", 400, "The specified object is not valid.") from None


Operation = Callable[[Bucket, str, Request], HttpReply]


class Oss:
    """The OSS service of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._false_pages = FalsePages()
        self._operations: dict[str, Operation] = {
            "ListObjects": lambda bucket, _, request: self._listed(bucket, request),
            "PutObject": lambda bucket, key, request: objects.put_object(bucket, key, request, world.timestamp()),
            "GetObject": lambda bucket, key, request: objects.get_object(bucket, key, request, world.process_time()),
            "HeadObject": lambda bucket, key, request: objects.head_object(bucket, key, request, world.process_time()),
            "RestoreObject": lambda bucket, key, request: restore.restore_object(
                bucket, key, request, now=world.process_time(), durations_s=world.settings.restore_s
            ),
            "DeleteObject": deletion.delete_object,
            "DeleteMultipleObjects": lambda bucket, _, request: deletion.delete_objects(bucket, request),
            "ListObjectVersions": lambda bucket, _, request: _xml(
                versions.list_object_versions(bucket, request.parameters, world.process_time())
            ),
            "InitiateMultipartUpload": lambda bucket, key, request: multipart.initiate(
                bucket, key, request, world.timestamp()
            ),
            "UploadPart": multipart.upload_part,
            "CompleteMultipartUpload": lambda bucket, key, request: multipart.complete(
                bucket, key, request, world.timestamp()
            ),
            "AbortMultipartUpload": multipart.abort,
            "ListMultipartUploads": lambda bucket, _, request: multipart.list_multipart_uploads(
                bucket, request.parameters
            ),
            "ListLiveChannel": lambda _, __, request: _xml(live_channels.list_live_channels(request.parameters)),
            "GetBucketInfo": lambda bucket, _, __: buckets.bucket_info(bucket),
            "GetBucketLocation": lambda bucket, _, __: buckets.bucket_location(bucket),
            "HeadBucket": lambda bucket, _, __: HttpReply(headers={"x-oss-bucket-region": bucket.region}),
            "DeleteBucket": lambda bucket, _, __: buckets.delete_bucket(world, bucket),
        }

    def api_of(self, request: Request) -> str:
        """The vendor's name of the operation; both versions of listing are `ListObjects`."""
        bucket, _, key = request.path.removeprefix("/").partition("/")
        names = {name for name, _ in request.query}
        subresources = _OBJECT_SUBRESOURCES if key else _BUCKET_SUBRESOURCES if bucket else {}
        for (method, name), api in subresources.items():
            if method == request.method and name in names:
                return api
        if names & _NOT_HERE:
            return "NotImplemented"
        if not bucket:
            return "ListBuckets" if request.method == "GET" else "NotImplemented"
        return (_OBJECT_APIS if key else _BUCKET_APIS).get(request.method, "NotImplemented")

    def keys_of(self, request: Request) -> Iterable[str]:
        """The key of an object request, the prefix of a listing."""
        try:
            _, key = locate(request)
        except OssError:
            return ()
        return (key or request.parameters.get("prefix", ""),)

    def authenticate(self, request: Request) -> Caller:
        """The signer of the request."""
        bucket, key = locate(request)
        return signature.authenticate(request, self._world.accounts, bucket=bucket, key=key, now=self._world.now())

    def perform(self, api: str, request: Request, caller: Caller) -> tuple[HttpReply, int]:
        """Carry out the request."""
        if api == "NotImplemented":
            raise OssError("NotImplemented", 501, "The sandbox does not have this operation.")
        if caller.account.config.suspended:
            raise OssError("UserDisable", 403, "UserDisable")
        if not caller.may(_RAM_ACTIONS.get(api, f"oss:{api}")):
            raise OssError("AccessDenied", 403, "You have no right to access this object because of bucket acl.")
        return self._perform(api, request, caller), 0

    def _perform(self, api: str, request: Request, caller: Caller) -> HttpReply:
        name, key = locate(request)
        world, account = self._world, caller.account
        if api == "ListBuckets":
            return buckets.list_buckets(world, account, request.parameters)
        if api == "PutBucket":
            return buckets.put_bucket(world, account, name, signature.signed_region(request), request)
        bucket = self._bucket(name, caller, request)
        return self._operations[api](bucket, key, request)

    def _listed(self, bucket: Bucket, request: Request) -> HttpReply:
        query = request.parameters
        make = listing.list_objects_v2 if query.get("list-type") == "2" else listing.list_objects
        return _xml(make(bucket, query, self._world.process_time()))

    def _bucket(self, name: str, caller: Caller, request: Request) -> Bucket:
        buckets.check_bucket_name(name)
        bucket = self._world.buckets.get(name)
        if bucket is None:
            raise OssError("NoSuchBucket", 404, "The specified bucket does not exist.", BucketName=name)
        if bucket.uid != caller.account.uid:
            raise OssError("AccessDenied", 403, "The bucket you access does not belong to you.")
        region = signature.signed_region(request)
        if region not in {None, bucket.region}:
            raise OssError(
                "InvalidArgument", 400, "Invalid signing region in Authorization header.", Region=bucket.region
            )
        return bucket

    def can_distort(self, fault: FaultConfig, request: Request, reply: HttpReply) -> bool:
        """Whether a listing fault would change this page."""
        return self._false_pages.can(fault, request, reply)

    def distorted(self, faults: Sequence[FaultConfig], request: Request, reply: HttpReply) -> HttpReply:
        """A page as these faults change it."""
        body = reply.body
        for fault in faults:
            body = self._false_pages.falsified(fault, request, body)
        return HttpReply(headers=reply.headers, body=body)

    def refused(self, code: str, status: int, message: str, *, retry_after_ms: int | None) -> ServiceError:  # noqa: ARG002 - the protocol
        """Any code. OSS never says when to retry."""
        return OssError(code, status, message)

    def throttled(self, *, retry_after_ms: int | None = None) -> ServiceError:  # noqa: ARG002 - OSS never says when
        """Over the quota."""
        return OssError("TotalQpsLimitExceeded", 503, "Please reduce your request rate.")

    def broken(self, status: int) -> ServiceError:
        """A 500 or a 503."""
        if status == 500:  # noqa: PLR2004 - an HTTP status
            return OssError("InternalError", 500, "We encountered an internal error, please try again.")
        return OssError("ServiceUnavailable", 503, "Service is temporarily unavailable, please try again later.")

    def refusal(self, error: ServiceError, request: Request) -> HttpReply:
        """The error XML; for HEAD, which has no body, base64 of it in x-oss-err."""
        details = error.details if isinstance(error, OssError) else {}
        request_id = new_request_id()
        text = "".join([
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error>',
            element("Code", error.code),
            element("Message", error.message),
            element("RequestId", request_id),
            element("HostId", request.header("Host")),
            *(element(name, value) for name, value in details.items()),
            "</Error>",
        ])  # fmt: skip
        body = text.encode("utf-8", "replace")
        headers = {"Content-Type": "application/xml", "x-oss-request-id": request_id}
        if request.method == "HEAD":
            headers["x-oss-err"] = base64.b64encode(body).decode()
        return HttpReply(status=error.status, headers=headers, body=body)


def _xml(body: bytes) -> HttpReply:
    return HttpReply(headers={"Content-Type": "application/xml"}, body=body)


def new_request_id() -> str:
    """24 upper-case hex digits, as in OSS."""
    return secrets.token_hex(12).upper()
