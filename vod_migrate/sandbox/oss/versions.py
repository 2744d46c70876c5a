"""ListObjectVersions of a bucket without versioning: each object has one version, named null."""

from __future__ import annotations

from typing import Final

from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import element
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.oss import listing
from vod_migrate.sandbox.oss.listing import Position

NULL_VERSION: Final = "null"


def list_object_versions(bucket: Bucket, query: dict[str, str], now: float) -> bytes:
    """The ListVersionsResult."""
    prefix, delimiter, encoded = listing.common_parameters(query)
    key_marker, version_marker = query.get("key-marker", ""), query.get("version-id-marker", "")
    listing.check_length("key-marker", key_marker)
    if version_marker and not key_marker:
        raise OssError(
            "InvalidArgument", 400, "A version-id-marker needs a key-marker.", ArgumentName="version-id-marker"
        )
    start = Position(key=key_marker, inclusive=not key_marker, above=key_marker)
    max_keys = listing.page_size(query)
    found = listing.page(bucket, prefix=prefix, delimiter=delimiter, start=start, max_keys=max_keys)
    encode = listing.encoder(encoded=encoded)
    owner = listing.owner(bucket)
    restores = listing.restore_infos(bucket, found.entries, now)
    head = [
        element("Name", bucket.name),
        f"<Prefix>{encode(prefix)}</Prefix>",
        f"<KeyMarker>{encode(key_marker)}</KeyMarker>",
        element("VersionIdMarker", version_marker),
        element("MaxKeys", max_keys),
        f"<Delimiter>{encode(delimiter)}</Delimiter>",
        "<EncodingType>url</EncodingType>" if encoded else "",
        element("IsTruncated", "true" if found.following else "false"),
        f"<NextKeyMarker>{encode(found.last)}</NextKeyMarker>" if found.following else "",
        element("NextVersionIdMarker", NULL_VERSION) if found.following else "",
    ]
    versions = [
        f"<Version><Key>{encode(entry.key)}</Key><VersionId>{NULL_VERSION}</VersionId><IsLatest>true</IsLatest>"
        f'<LastModified>{entry.last_modified}</LastModified><ETag>"{entry.etag}"</ETag><Type>Normal</Type>'
        f"<Size>{entry.size}</Size><StorageClass>{entry.storage_class}</StorageClass>"
        f"{restores.get(entry.key, '')}{owner}</Version>"
        for entry in found.entries
    ]
    prefixes = [f"<CommonPrefixes><Prefix>{encode(name)}</Prefix></CommonPrefixes>" for name in found.prefixes]
    body = "".join([*head, *versions, *prefixes])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ListVersionsResult>{body}</ListVersionsResult>'.encode()
