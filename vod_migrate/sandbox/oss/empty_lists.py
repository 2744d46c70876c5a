"""ListMultipartUploads and ListLiveChannel: the sandbox has neither, so both lists are always empty."""

from __future__ import annotations

from typing import Final

from vod_migrate.sandbox.http import element
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.oss import listing

_MAX_UPLOADS: Final = 1_000


def list_multipart_uploads(bucket: Bucket, query: dict[str, str]) -> bytes:
    """The ListMultipartUploadsResult."""
    prefix, delimiter, encoded = listing.common_parameters(query)
    encode = listing.encoder(encoded=encoded)
    body = [
        element("Bucket", bucket.name),
        "<EncodingType>url</EncodingType>" if encoded else "",
        f"<KeyMarker>{encode(query.get('key-marker', ''))}</KeyMarker>",
        element("UploadIdMarker", query.get("upload-id-marker", "")),
        element("NextKeyMarker", ""),
        element("NextUploadIdMarker", ""),
        f"<Delimiter>{encode(delimiter)}</Delimiter>",
        f"<Prefix>{encode(prefix)}</Prefix>",
        element("MaxUploads", listing.page_size(query, "max-uploads", _MAX_UPLOADS)),
        element("IsTruncated", "false"),
    ]
    return _document("ListMultipartUploadsResult", body)


def list_live_channels(query: dict[str, str]) -> bytes:
    """The ListLiveChannelResult."""
    body = [
        element("Prefix", query.get("prefix", "")),
        element("Marker", query.get("marker", "")),
        element("MaxKeys", listing.page_size(query)),
        element("IsTruncated", "false"),
        element("NextMarker", ""),
    ]
    return _document("ListLiveChannelResult", body)


def _document(name: str, body: list[str]) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{"".join(body)}</{name}>'.encode()
