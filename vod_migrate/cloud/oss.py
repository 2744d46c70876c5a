"""OSS as the package sees it: the bucket client, fast listing, locations of stored files, and one reading of its errors."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import oss2
from lxml import etree

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.credentials import Credentials
from vod_migrate.cloud.redaction import redacted
from vod_migrate.errors import (
    BucketMissing,
    ListingBroken,
    ManifestBroken,
    SourceDenied,
    SourceError,
    SourceUnavailable,
)

_NOT_FOUND = 404


_FORBIDDEN = 403


_SERVER_ERROR = 500


_TOO_MANY = 429


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """Where a file lies: a key of a bucket, or a path where bucket is ''."""

    bucket: str
    path: str

    def __str__(self) -> str:
        return f"oss://{self.bucket}/{self.path}" if self.bucket else self.path

    def beside(self, path: str) -> Location:
        """Another key of the same bucket, or another path."""
        return Location(bucket=self.bucket, path=path)


def location_of(location: str) -> Location:
    """Reads a path or oss://BUCKET/KEY."""
    if not location.startswith("oss://"):
        return Location(bucket="", path=location)
    bucket, _, key = location.removeprefix("oss://").partition("/")
    return Location(bucket=bucket, path=key)


def reading_error(error: oss2.exceptions.OssError, place: Location) -> SourceError:
    """What an oss2 exception means for reading one object."""
    told = f"{error.code or type(error).__name__}: {error.message or error.details or error}".strip()
    if isinstance(error, oss2.exceptions.RequestError) or error.status >= _SERVER_ERROR or error.status == _TOO_MANY:
        return SourceUnavailable(f"OSS does not answer for {place} ({told[:200]})")
    if error.status == _NOT_FOUND:
        return ManifestBroken(f"{place} does not exist: check its bucket and key")
    if error.status == _FORBIDDEN:
        return SourceDenied(f"OSS refuses to read {place} ({told}): allow oss:GetObject on it")
    return SourceError(f"OSS refuses to read {place} ({told})")


_TIMEOUTS = (5.0, 30.0)


_DENIED = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "SecurityTokenExpired",
    "InvalidSecurityToken",
}


_TOKEN_CODES = {"SecurityTokenExpired", "InvalidSecurityToken"}


_TOO_MANY_REQUESTS = 429


_COLUMNS = ("Key", "LastModified", "ETag", "Size", "StorageClass")


class FastBucket(oss2.Bucket):  # type: ignore[misc]
    """oss2's bucket, with lxml reading list pages by column: a quarter of the CPU of the SDK's own parsing."""

    credentials: Credentials

    @staticmethod
    def _parse_result(resp: Any, parse_func: Any, klass: Any) -> Any:
        if klass is not oss2.models.ListObjectsV2Result:
            return oss2.Bucket._parse_result(resp, parse_func, klass)  # noqa: SLF001 - the documented seam
        result = klass(resp)
        root = etree.fromstring(resp.read(), etree.XMLParser(resolve_entities=False, huge_tree=True))
        if root.tag != "ListBucketResult":
            # A log-in page of a proxy is well-formed, too, and would read as an empty bucket.
            raise SourceUnavailable(
                f"the answer to a listing is <{root.tag}>, not <ListBucketResult>: check the OSS endpoint, and whether a "
                "proxy stands between"
            )
        truncated = root.findtext("IsTruncated")
        if truncated not in ("true", "false"):
            raise ListingBroken(f"OSS does not say whether a listing goes on: IsTruncated is {truncated!r}")
        encoded = root.findtext("EncodingType") == "url"
        result.is_truncated = truncated == "true"
        result.prefix = _decoded(root.findtext("Prefix"), encoded=encoded)
        # The token is opaque and never URL-encoded, whatever the encoding type.
        result.next_continuation_token = root.findtext("NextContinuationToken") or ""
        result.object_list = _rows(root, encoded=encoded)
        return result


def _rows(root: Any, *, encoded: bool) -> list[tuple[str, str, str, int, str]]:
    columns = [root.xpath(f"Contents/{name}/text()", smart_strings=False) for name in _COLUMNS]
    if len({len(column) for column in columns}) > 1:
        # An object without one of the elements would shift the columns: read such a page row by row.
        contents = root.findall("Contents")
        columns = [[item.findtext(name) or "" for item in contents] for name in _COLUMNS]
    keys, modified, etags, sizes, classes = columns
    if encoded:
        keys = [unquote(key, errors="surrogateescape") for key in keys]
    try:
        return list(zip(keys, modified, etags, map(int, sizes), classes, strict=True))
    except ValueError as error:
        raise ListingBroken(f"OSS listed an object without a size in bytes: {error}") from error


def _decoded(text: str | None, *, encoded: bool) -> str | None:
    return unquote(text, errors="surrogateescape") if text and encoded else text


class _Credentials(oss2.credentials.CredentialsProvider):  # type: ignore[misc]
    def __init__(self, source: Credentials) -> None:
        self._source = source

    def get_credentials(self) -> Any:
        keys = self._source.current()
        return oss2.credentials.Credentials(keys.access_key_id, keys.access_key_secret, keys.security_token)


def open_bucket(connection: Connection, name: str) -> FastBucket:
    """A client for one bucket on the connection's OSS endpoint, V4-signed, with renewed credentials."""
    # At DEBUG it logs whole requests with security token and signature, at INFO the signature of a refused one.
    logging.getLogger("oss2").setLevel(logging.CRITICAL)
    auth = oss2.ProviderAuthV4(_Credentials(connection.credentials))
    bucket = FastBucket(auth, connection.oss_endpoint, name, region=connection.region)
    bucket.timeout = _TIMEOUTS
    bucket.credentials = connection.credentials
    return bucket


def listing_error(error: oss2.exceptions.OssError, bucket: str) -> SourceError:
    """What an oss2 exception means for a listing."""
    code = error.code or ""
    told = redacted(f"{code or type(error).__name__}: {error.message or error.details or error}".strip())
    passing = error.status >= _SERVER_ERROR or error.status == _TOO_MANY_REQUESTS or error.status <= 0
    if isinstance(error, oss2.exceptions.RequestError) or passing:
        return SourceUnavailable(f"OSS does not answer for bucket {bucket!r} ({_short(error)})")
    if code == "NoSuchBucket":
        return BucketMissing(
            f"bucket {bucket!r} does not exist at this endpoint: check `source.bucket` and the connection's region and endpoint"
        )
    if code == "RequestTimeTooSkewed":
        return SourceDenied(f"OSS refuses the request's time ({told}): set this machine's clock, e.g. with NTP")
    if code in _DENIED or error.status == _FORBIDDEN:
        return SourceDenied(
            f"OSS refuses to list bucket {bucket!r} ({told}): check the AccessKey and allow oss:ListObjects on the bucket"
        )
    return SourceError(f"OSS refuses to list bucket {bucket!r} ({told})")


def _short(error: oss2.exceptions.OssError) -> str:
    return _cut(redacted(str(getattr(error, "exception", None) or error.message or error)))


def _cut(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"  # noqa: PLR2004 - readable length
