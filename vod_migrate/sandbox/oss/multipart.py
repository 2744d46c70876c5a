"""Multipart upload: Initiate, UploadPart, Complete, Abort, and the list of what is unfinished.

The rules are those of the API pages (2025): part numbers 1 to 10,000, every part but the last at least 100 KB, parts named in
ascending order with their ETags. Nothing is visible before CompleteMultipartUpload.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from lxml import etree

from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import HttpReply, Request, element
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.objects.object import StoredObject, UnfinishedUpload, Upload
from vod_migrate.sandbox.oss import listing
from vod_migrate.sandbox.oss.objects import (
    OCTETS,
    check_digest,
    check_key,
    check_overwrite,
    checksum,
    malformed_xml,
    metadata_of,
    storage_class_of,
)

MOST_PARTS: Final = 10_000
SMALLEST_PART: Final = 100 * 1024
_MOST_UPLOADS: Final = 1_000


def initiate(bucket: Bucket, key: str, request: Request, now: str) -> HttpReply:
    """InitiateMultipartUpload: the UploadId."""
    check_key(key)
    check_overwrite(bucket, key, request)
    upload_id = secrets.token_hex(16).upper()
    bucket.unfinished[upload_id] = UnfinishedUpload(
        key=key,
        begun=now,
        storage_class=storage_class_of(bucket, request),
        content_type=request.header("Content-Type") or OCTETS,
        metadata=metadata_of(request),
    )
    encoded = request.parameters.get("encoding-type") == "url"
    shown = listing.encoder(encoded=encoded)(key)
    note = "<EncodingType>url</EncodingType>" if encoded else ""
    return _xml(
        "InitiateMultipartUploadResult",
        f"{note}{element('Bucket', bucket.name)}<Key>{shown}</Key>{element('UploadId', upload_id)}",
    )


def upload_part(bucket: Bucket, key: str, request: Request) -> HttpReply:
    """UploadPart: a part, or another one in its place."""
    check_digest(request)
    upload = _unfinished(bucket, key, request)
    number = request.parameters.get("partNumber", "")
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= MOST_PARTS):
        raise OssError(
            "InvalidArgument", 400, f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive.",
            ArgumentName="partNumber", ArgumentValue=number,
        )  # fmt: skip
    upload.parts[int(number)] = request.body
    return HttpReply(
        headers={"ETag": f'"{_etag(request.body)}"', "x-oss-hash-crc64ecma": checksum(request.body)},
    )


def complete(bucket: Bucket, key: str, request: Request, now: str) -> HttpReply:
    """CompleteMultipartUpload: the object of the parts that the body names."""
    check_digest(request)
    upload = _unfinished(bucket, key, request)
    check_overwrite(bucket, key, request)
    named = _named_parts(request.body)
    numbers = [number for number, _ in named]
    if numbers != sorted(set(numbers)):
        raise OssError("InvalidPartOrder", 400, "The list of parts was not in ascending order.")
    for number, etag in named:
        if number not in upload.parts or _etag(upload.parts[number]) != etag.strip('"').upper():
            raise OssError("InvalidPart", 400, "One or more of the specified parts could not be found.")
    parts = [upload.parts[number] for number in numbers]
    if any(len(part) < SMALLEST_PART for part in parts[:-1]):
        raise OssError("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size.")
    content = b"".join(parts)
    digests = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    etag = f"{_etag(digests)}-{len(parts)}"
    bucket.put(
        Upload(
            entry=StoredObject(key, len(content), etag, upload.storage_class, now),
            content=content,
            content_type=upload.content_type,
            crc64=checksum(content),
            metadata=upload.metadata,
        )
    )
    del bucket.unfinished[request.parameters["uploadId"]]
    reply = _xml(
        "CompleteMultipartUploadResult",
        f"{element('Bucket', bucket.name)}{element('Key', key)}" + element("ETag", f'"{etag}"'),
    )
    reply.headers.update({"ETag": f'"{etag}"', "x-oss-hash-crc64ecma": checksum(content)})
    return reply


def abort(bucket: Bucket, key: str, request: Request) -> HttpReply:
    """AbortMultipartUpload: its parts are gone."""
    _unfinished(bucket, key, request)
    del bucket.unfinished[request.parameters["uploadId"]]
    return HttpReply(status=204)


def list_multipart_uploads(bucket: Bucket, query: dict[str, str]) -> HttpReply:
    """ListMultipartUploads: what is unfinished, by key and UploadId."""
    prefix, delimiter, encoded = listing.common_parameters(query)
    encode = listing.encoder(encoded=encoded)
    most = listing.page_size(query, "max-uploads", _MOST_UPLOADS)
    key_marker, id_marker = query.get("key-marker", ""), query.get("upload-id-marker", "")
    waiting = sorted(
        (upload.key, upload_id, upload.begun)
        for upload_id, upload in bucket.unfinished.items()
        if upload.key.startswith(prefix)
        and (upload.key > key_marker or (id_marker and upload.key == key_marker and upload_id > id_marker))
    )
    folders = {_folder(key, prefix, delimiter) for key, _, _ in waiting} - {""}
    single = [one for one in waiting if not _folder(one[0], prefix, delimiter)]
    shown = single[:most]
    last = shown[-1] if len(single) > most else ("", "", "")
    body = [
        element("Bucket", bucket.name),
        "<EncodingType>url</EncodingType>" if encoded else "",
        f"<KeyMarker>{encode(key_marker)}</KeyMarker>",
        element("UploadIdMarker", id_marker),
        f"<NextKeyMarker>{encode(last[0])}</NextKeyMarker>",
        element("NextUploadIdMarker", last[1]),
        f"<Delimiter>{encode(delimiter)}</Delimiter>",
        f"<Prefix>{encode(prefix)}</Prefix>",
        element("MaxUploads", most),
        element("IsTruncated", "true" if last[0] else "false"),
        *(
            f"<Upload><Key>{encode(key)}</Key>{element('UploadId', upload_id)}{element('Initiated', begun)}</Upload>"
            for key, upload_id, begun in shown
        ),
        *(f"<CommonPrefixes><Prefix>{encode(one)}</Prefix></CommonPrefixes>" for one in sorted(folders)),
    ]
    return _xml("ListMultipartUploadsResult", "".join(body))


def _folder(key: str, prefix: str, delimiter: str) -> str:
    """The common prefix that stands for a key, empty if the key is listed itself."""
    first, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
    return f"{prefix}{first}{delimiter}" if found else ""


def _unfinished(bucket: Bucket, key: str, request: Request) -> UnfinishedUpload:
    upload_id = request.parameters.get("uploadId", "")
    upload = bucket.unfinished.get(upload_id)
    if upload is None or upload.key != key:
        raise OssError(
            "NoSuchUpload", 404,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
            UploadId=upload_id,
        )  # fmt: skip
    return upload


def _named_parts(body: bytes) -> list[tuple[int, str]]:
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise malformed_xml() from None
    named = [(part.findtext("PartNumber") or "", part.findtext("ETag") or "") for part in root.iterfind("Part")]
    if root.tag != "CompleteMultipartUpload" or not named or not all(number.isdigit() for number, _ in named):
        raise malformed_xml()
    return [(int(number), etag) for number, etag in named]


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest().upper()


def _xml(name: str, body: str) -> HttpReply:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{body}</{name}>'
    return HttpReply(headers={"Content-Type": "application/xml"}, body=text.encode())
