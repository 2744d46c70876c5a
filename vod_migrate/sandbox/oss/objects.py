"""PutObject, GetObject and HeadObject, and what the other operations on objects check first."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

import crcmod

from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import HttpReply, Request
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.objects.object import ARCHIVED_CLASSES, StoredObject, Upload

MAX_KEY_BYTES: Final = 1_023
# Versioning is never enabled: an object is its own null version.
CURRENT_VERSIONS: Final = frozenset({"", "null"})
STORAGE_CLASSES: Final = frozenset({"Standard", "IA", *ARCHIVED_CLASSES})
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_META: Final = "x-oss-meta-"
_KEPT: Final = frozenset({"cache-control", "content-disposition", "content-encoding", "content-language", "expires"})
OCTETS: Final = "application/octet-stream"


@lru_cache(maxsize=1)
def _crc64() -> crcmod.Crc:
    # ECMA-182, reflected: the polynomial of x-oss-hash-crc64ecma. Its table is slow to build, so not at import.
    return crcmod.Crc(0x142F0E1EBA9EA3693, initCrc=0, rev=True, xorOut=0xFFFFFFFFFFFFFFFF)


def checksum(content: bytes) -> str:
    """CRC-64/ECMA of an object in decimal, as in x-oss-hash-crc64ecma."""
    crc = _crc64().copy()
    crc.update(content)
    return str(crc.crcValue)


def new_upload(
    *,
    key: str,
    content: bytes,
    modified: str,
    storage_class: str = "Standard",
    content_type: str = OCTETS,
    metadata: dict[str, str] | None = None,
) -> Upload:
    """An object to store in a bucket. `modified` is ISO 8601, as in listings."""
    check_key(key)
    check_storage_class(storage_class)
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest().upper()
    return Upload(
        entry=StoredObject(key, len(content), etag, storage_class, modified),
        content=content,
        content_type=content_type,
        crc64=checksum(content),
        metadata=metadata or {},
    )


def check_key(key: str) -> None:
    """Refuse a key unless it has 1 to 1,023 bytes of UTF-8 and does not begin with `/` or a backslash."""
    if not key or len(key.encode()) > MAX_KEY_BYTES or key[0] in "/\\":
        raise OssError("InvalidObjectName", 400, "The specified object is not valid.", ObjectName=key)


def storage_class_of(bucket: Bucket, request: Request) -> str:
    """The storage class that a new object asks for, or the bucket's."""
    storage_class = request.header("x-oss-storage-class") or bucket.storage_class
    check_storage_class(storage_class)
    return storage_class


def check_storage_class(storage_class: str) -> None:
    """Refuse a storage class that OSS does not have."""
    if storage_class not in STORAGE_CLASSES:
        raise OssError("InvalidArgument", 400, "The storage class is not valid.", ArgumentValue=storage_class)


def metadata_of(request: Request) -> dict[str, str]:
    """The headers of a new object that come back with it: x-oss-meta-*, and those of HTTP that OSS keeps."""
    sent = {name.lower(): value for name, value in request.headers.items()}
    return {name: value for name, value in sent.items() if name.startswith(_META) or name in _KEPT}


def check_overwrite(bucket: Bucket, key: str, request: Request) -> None:
    """Refuse to replace an object where the request forbids it."""
    if request.header("x-oss-forbid-overwrite").lower() == "true" and bucket.find(key) is not None:
        raise OssError("FileAlreadyExists", 409, "The object you specified already exists and can not be overwritten.")


def put_object(bucket: Bucket, key: str, request: Request, modified: str) -> HttpReply:
    """Store the body. Headers: Content-MD5, x-oss-storage-class, x-oss-meta-*, x-oss-forbid-overwrite."""
    check_digest(request)
    check_overwrite(bucket, key, request)
    upload = new_upload(
        key=key,
        content=request.body,
        modified=modified,
        storage_class=storage_class_of(bucket, request),
        content_type=request.header("Content-Type") or OCTETS,
        metadata=metadata_of(request),
    )
    bucket.put(upload)
    return HttpReply(headers={"ETag": f'"{upload.entry.etag}"', "x-oss-hash-crc64ecma": upload.crc64})


def head_object(bucket: Bucket, key: str, request: Request, now: float) -> HttpReply:
    """The headers of an object."""
    entry = existing(bucket, key, request)
    return HttpReply(headers=_headers(bucket, entry, now), length=entry.size)


def get_object(bucket: Bucket, key: str, request: Request, now: float) -> HttpReply:
    """An object, or one range of it. An archived object must be restored first."""
    entry = existing(bucket, key, request)
    if not bucket.readable(entry, now):
        raise OssError("InvalidObjectState", 403, "The operation is not valid for the object's state", ObjectName=key)
    headers = _headers(bucket, entry, now)
    standard = request.header("x-oss-range-behavior") == "standard"
    part = _range(request.header("Range"), entry.size, standard=standard)
    start, end = part or (0, entry.size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{entry.size}"
    status = 206 if part else 200
    upload = bucket.upload(key)
    if upload is not None:
        return HttpReply(status=status, headers=headers, body=upload.content[start:end])
    if bucket.dataset is None:
        raise OssError("NoSuchKey", 404, "The specified key does not exist.", Key=key)
    chunks = bucket.dataset.read(key, start, end - start)
    return HttpReply(status=status, headers=headers, chunks=chunks, length=end - start)


def version_of(request: Request) -> str:
    """The version that a request names, empty for none."""
    return request.parameters.get("versionId", "")


def existing(bucket: Bucket, key: str, request: Request) -> StoredObject:
    """The object of a request. Without versioning it has one version, `null`."""
    check_key(key)
    entry = bucket.find(key)
    if version_of(request) not in CURRENT_VERSIONS:
        raise OssError("NoSuchVersion", 404, "The specified version does not exist.", Key=key)
    if entry is None or entry.missing:
        raise OssError("NoSuchKey", 404, "The specified key does not exist.", Key=key)
    return entry


def _headers(bucket: Bucket, entry: StoredObject, now: float) -> dict[str, str]:
    modified = datetime.strptime(entry.last_modified, "%Y-%m-%dT%H:%M:%S.000Z").replace(tzinfo=UTC)
    headers = {
        "ETag": f'"{entry.etag}"',
        "Last-Modified": format_datetime(modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": OCTETS,
        "x-oss-object-type": "Normal",
        "x-oss-storage-class": entry.storage_class,
    }
    restore = bucket.restore(entry.key)
    described = restore.describe(now) if restore is not None else ""
    if described:
        headers["x-oss-restore"] = described
    upload = bucket.upload(entry.key)
    if upload is not None:
        headers |= {"Content-Type": upload.content_type, "x-oss-hash-crc64ecma": upload.crc64, **upload.metadata}
    return headers


def _range(header: str, size: int, *, standard: bool) -> tuple[int, int] | None:
    """The requested byte range, half-open; None for the whole object.

    By default OSS ignores a range that is malformed or leaves the object; with `x-oss-range-behavior: standard` it
    cuts the end and refuses a start outside (GetObject page, 2026-03).
    """
    found = _RANGE.fullmatch(header)
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if first:
        start, end = int(first), int(last) + 1 if last else size
        if end <= start < size:
            return None
    else:
        start, end = size - int(last), size
        start = max(start, 0) if standard else start
    if 0 <= start < size and end <= size:
        return start, end
    if not standard:
        return None
    if start < size:
        return start, size
    raise OssError("InvalidRange", 416, "The requested range cannot be satisfied", ActualObjectSize=str(size))


def check_digest(request: Request) -> None:
    """Compare the body with its Content-MD5, if there is one."""
    given = request.header("Content-MD5")
    digest = hashlib.md5(request.body, usedforsecurity=False).digest()
    if given and given != base64.b64encode(digest).decode():
        raise OssError("InvalidDigest", 400, "The Content-MD5 you specified was invalid.", **{"Content-MD5": given})


def malformed_xml() -> OssError:
    """The body is not the XML that the operation expects."""
    return OssError(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema.",
    )
