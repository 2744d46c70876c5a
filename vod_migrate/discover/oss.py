"""Objects from listing an OSS prefix, one page of 1,000 keys at a time, from any cursor.

A page that cannot be true (keys out of order, repeated, outside the prefix, truncated without a token or complete with one) is
an error, never a short listing: a listing that lies would mark living objects as gone. For the same reason the end of a
listing is not believed before OSS has said once more that there is nothing after the last key.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import oss2
from lxml import etree
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from vod_migrate.connection import Connection, CredentialSource
from vod_migrate.discover.hls import is_playlist
from vod_migrate.discover.page import PAGE_KEYS, ListedPage
from vod_migrate.errors import BucketMissing, ListingBroken, SourceDenied, SourceError, SourceUnavailable
from vod_migrate.media import MediaObject
from vod_migrate.redaction import redacted

__all__ = ["FastBucket", "ListedPage", "holds_playlist", "list_pages", "listing_error", "open_bucket"]

log = logging.getLogger(__name__)

MOST_EMPTY_PAGES = 100
_AFTER = "after:"
"""Begins a cursor of our own: a key to go on behind. The colon is in no token of OSS, which are base64."""
_TIMEOUTS = (5.0, 30.0)
_TRIES = 8
_DENIED = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "SecurityTokenExpired",
    "InvalidSecurityToken",
}
_TOKEN_CODES = {"SecurityTokenExpired", "InvalidSecurityToken"}
_FORBIDDEN = 403
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_COLUMNS = ("Key", "LastModified", "ETag", "Size", "StorageClass")


class FastBucket(oss2.Bucket):  # type: ignore[misc]
    """oss2's bucket, with lxml reading list pages by column: a quarter of the CPU of the SDK's own parsing."""

    credentials: CredentialSource

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
    def __init__(self, source: CredentialSource) -> None:
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


def list_pages(
    bucket: FastBucket,
    prefix: str,
    *,
    cursor: str | None = None,
    after: str | None = None,
    delimiter: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ListedPage]:
    """The pages of a prefix, from a cursor on.

    after: the last key before the cursor, to check the order against; delimiter: '/' leaves subfolders out;
    sleep: waits between tries.

    Raises:
        SourceUnavailable: after its retries; SourceDenied, BucketMissing, ListingBroken: at once.
    """
    last, empty = after, 0
    while True:
        page = _page(bucket, prefix, cursor, delimiter, sleep)
        # One by folders has no objects where there are only folders.
        empty = 0 if page.objects or delimiter else empty + 1
        if empty > MOST_EMPTY_PAGES:
            raise ListingBroken(f"OSS sends page after page of {prefix!r} without an object and without an end")
        if page.cursor is not None and page.cursor == cursor:
            raise ListingBroken(f"OSS repeated a page of {prefix!r}: its next token is the one just used")
        last = _check(page, prefix, last)
        if page.cursor is None and page.objects and not delimiter and _goes_on(bucket, prefix, last, sleep):
            log.warning("OSS ended the listing of %r after %r, but has more; going on there", prefix, last)
            page = replace(page, cursor=f"{_AFTER}{last}")
        yield page
        if page.cursor is None:
            return
        cursor = page.cursor


def _goes_on(bucket: FastBucket, prefix: str, last: str | None, sleep: Callable[[float], None]) -> bool:
    """Whether OSS has objects after the one at which it says that the listing ends: one small request a listing.

    What a listing leaves out by mistake would be marked as gone.
    """
    more = _page(bucket, prefix, f"{_AFTER}{last}", "", sleep, 1)
    return any(last is None or _sortable(found.key) > _sortable(last) for found in more.objects)


def holds_playlist(bucket: FastBucket, folder: str, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether a folder itself, not one below it, holds an HLS playlist: one pass over it.

    Raises:
        The errors of list_pages.
    """
    pages = list_pages(bucket, folder, delimiter="/", sleep=sleep)
    return any(is_playlist(found.key) for page in pages for found in page.objects)


def _page(
    bucket: FastBucket,
    prefix: str,
    cursor: str | None,
    delimiter: str,
    sleep: Callable[[float], None],
    most: int | None = None,
) -> ListedPage:
    for attempt in Retrying(
        retry=retry_if_exception_type(SourceUnavailable),
        wait=wait_random_exponential(multiplier=0.5, max=30),
        stop=stop_after_attempt(_TRIES),
        sleep=sleep,
        reraise=True,
    ):
        with attempt:
            return _ask(bucket, prefix, cursor, delimiter, PAGE_KEYS if most is None else most)
    raise AssertionError("unreachable: tenacity re-raises")


def _ask(bucket: FastBucket, prefix: str, cursor: str | None, delimiter: str, most: int) -> ListedPage:
    used = bucket.credentials.current()
    try:
        result = bucket.list_objects_v2(prefix=prefix, delimiter=delimiter, max_keys=most, **_from(cursor))
    except oss2.exceptions.OssError as error:
        if error.code in _TOKEN_CODES and bucket.credentials.renew(used):
            raise SourceUnavailable(
                f"OSS took the security token no more ({error.code}), and the provider has given another one"
            ) from error
        raise listing_error(error, bucket.bucket_name) from error
    except etree.XMLSyntaxError as error:
        raise SourceUnavailable(
            f"OSS answered a listing of {prefix!r} with something that is no XML: {error}"
        ) from error
    except OSError as error:
        # oss2 wraps what goes wrong until the headers are there, not a connection that breaks within the page.
        raise SourceUnavailable(f"the page of {prefix!r} from OSS broke off ({_cut(str(error))})") from error
    if result.is_truncated and not result.next_continuation_token:
        raise ListingBroken(f"OSS says that the listing of {prefix!r} goes on, but names no next page")
    if result.next_continuation_token and not result.is_truncated:
        raise ListingBroken(f"OSS says that the listing of {prefix!r} is complete, and names a next page")
    if result.prefix is not None and result.prefix != prefix:
        raise ListingBroken(f"OSS was asked for the prefix {prefix!r} and answered for {result.prefix!r}")
    name = bucket.bucket_name
    return ListedPage(
        objects=tuple(
            MediaObject(
                bucket=name,
                key=key,
                size=size,
                etag=etag.strip('"'),
                last_modified=_moment(modified, key),
                storage_class=storage_class,
            )
            for key, modified, etag, size, storage_class in result.object_list
        ),
        cursor=result.next_continuation_token if result.is_truncated else None,
    )


def _from(cursor: str | None) -> dict[str, str]:
    if cursor is not None and cursor.startswith(_AFTER):
        return {"start_after": cursor.removeprefix(_AFTER)}
    return {"continuation_token": cursor or ""}


def _moment(text: str, key: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ListingBroken(f"OSS listed {key!r} with no readable LastModified: {error}") from error


def _check(page: ListedPage, prefix: str, last: str | None) -> str | None:
    before = None if last is None else _sortable(last)
    for found in page.objects:
        if not found.key.startswith(prefix):
            raise ListingBroken(f"OSS listed {found.key!r}, which is outside the prefix {prefix!r}")
        this = _sortable(found.key)
        if before is not None and this <= before:
            raise ListingBroken(f"OSS listed {found.key!r} out of order under {prefix!r}")
        before, last = this, found.key
    return last


def _sortable(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


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
