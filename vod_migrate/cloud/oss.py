"""OSS: a bucket's client, and the one place where oss2's errors become ours."""

from __future__ import annotations

import datetime as dt
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any
from urllib.parse import urlsplit

import oss2
from urllib3.exceptions import HTTPError

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.credentials import Credentials
from vod_migrate.cloud.list_page import FastBucket, read_page, restored_copy
from vod_migrate.cloud.local_fault import ANSWERED, local_fault, skew_of
from vod_migrate.cloud.location import Location, is_service_host, other_form
from vod_migrate.cloud.oss_reason import OssReason
from vod_migrate.cloud.oss_session import OssSession
from vod_migrate.cloud.redaction import one_line
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.errors import (
    BucketMissing,
    EndpointRefused,
    ManifestBroken,
    SourceDenied,
    SourceError,
    SourceUnavailable,
)
from vod_migrate.media import RestoredCopy

TIMEOUTS = (5.0, 30.0)
"""Seconds for connecting and reading."""

MOST_CONNECTIONS = 64
"""To one bucket at a time; each is made when it is needed."""

_CHUNK = 1 << 20
_WRITING = "oss:PutObject on it"
_TOKEN_CODES = {"SecurityTokenExpired", "InvalidSecurityToken"}
_REASONS = {
    "PublicEndpointForbidden": OssReason.PRIVATE,
    "RequestTimeTooSkewed": OssReason.SKEWED,
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", *_TOKEN_CODES), OssReason.BAD_KEYS),
    "UserDisable": OssReason.SUSPENDED,
    "NoSuchBucket": OssReason.NO_BUCKET,
}
"""What a code says by itself."""
_ACCEPTED = 202
_BAD_REQUEST, _NOT_FOUND, _FORBIDDEN, _TOO_MANY_REQUESTS, _SERVER_ERROR = 400, 404, 403, 429, 500
_PRIVATE = (
    "the bucket is not served at the public endpoint; set the connection's oss_endpoint to a custom domain of the bucket, or to an "
    "internal endpoint where this machine is inside Alibaba Cloud"
)
_ENDPOINT = re.compile(r"oss-(?P<region>[a-z]{2}-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com")


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectFacts:
    """What HeadObject says about an object: size in bytes, etag without quotes."""

    size: int
    etag: str | None
    last_modified: dt.datetime
    storage_class: str
    restored: RestoredCopy | None


class RestoreAnswer(StrEnum):
    """What OSS makes of a request to restore an object."""

    BEGUN = "begun"
    ONGOING = "ongoing"
    READABLE = "readable"
    NOT_ARCHIVED = "not_archived"
    MISSING = "missing"


class BucketClient:
    """One bucket, signed with V4, with credentials that are renewed. skew: as `skew_of` the last answer; listing_requests: so far, from all threads.

    Every method raises SourceError, or BadSetting where the credential provider fails.
    """

    def __init__(self, connection: Connection, name: str, *, timeouts: tuple[float, float] | None = None) -> None:
        """timeouts: seconds for connecting and reading."""
        # At DEBUG it logs whole requests with security token and signature, at INFO the signature of a refused one.
        logging.getLogger("oss2").setLevel(logging.CRITICAL)
        self.name = name
        self.skew: float | None = None
        self.listing_requests = 0
        self._counting = threading.Lock()
        self._connection = connection
        self._timeouts = timeouts or TIMEOUTS
        self._auth = oss2.ProviderAuthV4(_Provider(connection.credentials))
        # oss2's own checksum is slow where its C extension is missing; uploads send Content-MD5.
        self._fast = self._client(FastBucket, enable_crc=False)

    def list_page(self, prefix: str, *, most: int, delimiter: str = "", token: str = "", after: str = "") -> Any:
        """One page as oss2 names its parts, and its `body`.

        `object_list` has tuples (key, last_modified, etag, size, storage_class), `restored` the copies of archived objects by key. token: of the page before; after: a key to begin behind.
        """
        return self.read(self.list_unread(prefix, most=most, delimiter=delimiter, token=token, after=after))

    def list_unread(self, prefix: str, *, most: int, delimiter: str = "", token: str = "", after: str = "") -> Any:
        """The same page with nothing but its `body`, for `read`."""
        with self._counting:
            self.listing_requests += 1
        with self._listing():
            result = self._fast.list_objects_v2(
                prefix=prefix, delimiter=delimiter, continuation_token=token, start_after=after, max_keys=most
            )
        self.skew = skew_of(result.headers)
        return result

    def read(self, page: Any) -> Any:
        """A page that was not read."""
        with self._listing():
            return read_page(page)

    def _listing(self) -> AbstractContextManager[None]:
        return self._asking("list", f"bucket {self.name!r}", "oss:ListObjects on the bucket")

    def head(self, key: str) -> ObjectFacts | None:
        """What OSS says about an object; None where there is none, or none can be under this key."""
        try:
            with self._asking("read", self._location(key), "oss:GetObject on it"):
                told = self._fast.head_object(key)
        except SourceError as error:
            if error.reason == OssReason.NO_OBJECT:
                return None
            raise
        return ObjectFacts(
            size=int(told.content_length or 0),
            etag=str(told.etag or "").strip('"') or None,
            last_modified=dt.datetime.fromtimestamp(told.last_modified, dt.UTC),
            storage_class=told.headers.get("x-oss-storage-class") or "Standard",
            restored=restored_copy(told.headers.get("x-oss-restore") or ""),
        )

    def other_form(self, key: str) -> str:
        """The Unicode normalization, "NFC" or "NFD", in which the bucket has a key that it has not as written; '' for neither."""
        return other_form(key, lambda other: self.head(other) is not None)

    def restore(self, key: str, *, days: int, tier: str | None) -> RestoreAnswer:
        """Asks OSS to make a readable copy of an archived object, or to keep one for longer. tier: None where the class has none."""
        job = None if tier is None else oss2.models.RestoreJobParameters(tier)
        order = oss2.models.RestoreConfiguration(days=days, job_parameters=job)
        with self._asking("restore", self._location(key), "oss:RestoreObject on it"):
            try:
                answer = self._fast.restore_object(key, input=order)
            except oss2.exceptions.RestoreAlreadyInProgress:
                return RestoreAnswer.ONGOING
            except oss2.exceptions.OperationNotSupported:
                return RestoreAnswer.NOT_ARCHIVED
            except oss2.exceptions.NoSuchKey:
                return RestoreAnswer.MISSING
        return RestoreAnswer.BEGUN if answer.status == _ACCEPTED else RestoreAnswer.READABLE

    def region(self) -> str:
        """Where the bucket lies; needs oss:GetBucketLocation."""
        with self._asking("locate", f"bucket {self.name!r}", "oss:GetBucketLocation on the bucket"):
            answer = self._fast.get_bucket_location()
        self.skew = skew_of(answer.headers)
        return str(answer.location or "").removeprefix("oss-")

    def copy(self, key: str, file: IO[bytes], *, sleep: Callable[[float], None]) -> str:
        """Copies an object into an empty file, resuming where a connection broke, and returns its ETag.

        The bytes are those that are stored, whatever their Content-Encoding. (oss2's own resumable_download unpacks them, which
        breaks its ranges, and does not say which ETag it has read.)
        """
        etag, size = "", 0

        def rest() -> None:
            nonlocal etag, size
            have = file.tell()
            if etag and have >= size:
                return
            unchanged = {"If-Match": f'"{etag}"'} if etag else {}
            with self._asking("read", self._location(key), "oss:GetObject on it"):
                answer = self._fast.get_object(key, byte_range=(have, None) if have else None, headers=unchanged)
                etag, size = str(answer.etag or "").strip('"'), have + int(answer.content_length or 0)
                for chunk in answer.resp.response.raw.stream(_CHUNK, decode_content=False):
                    file.write(chunk)
            if file.tell() < size:
                raise SourceUnavailable(f"OSS sent {file.tell():,} of the {size:,} bytes of {self._location(key)}")

        patiently(rest, sleep=sleep, tries=TRIES)
        return etag

    def beginning(self, key: str, most: int) -> tuple[bytes, bool] | None:
        """The first bytes of an object, and whether that is all of it; None where it is archived."""
        with self._asking("read", self._location(key), "oss:GetObject on it"):
            try:
                answer = self._fast.get_object(key, byte_range=(0, most - 1))
            except oss2.exceptions.ServerError as error:
                if error.code == "InvalidObjectState":
                    return None
                raise
            stream = answer.resp.response
            content = stream.raw.read(most + 1, decode_content=False)
            stream.close()
        total = str(answer.headers.get("Content-Range") or "").rpartition("/")[2]
        return content[:most], len(content) <= most and (not total.isdigit() or int(total) <= most)

    def put(self, key: str, content: bytes) -> None:
        """Writes a whole object, or replaces it."""
        with self._asking("write", self._location(key), _WRITING):
            self._fast.put_object(key, content, headers={"Content-MD5": oss2.utils.content_md5(content)})

    def begin_upload(self, key: str) -> str:
        """Begins an upload in parts, and returns its ID; the object appears when it is completed."""
        with self._asking("write", self._location(key), _WRITING):
            return str(self._fast.init_multipart_upload(key).upload_id)

    def upload_part(self, key: str, upload_id: str, number: int, content: bytes) -> str:
        """Sends one part, and returns its ETag. number: from 1; content: at least 100 KB, except the last part's."""
        with self._asking("write", self._location(key), _WRITING):
            md5 = {"Content-MD5": oss2.utils.content_md5(content)}
            return str(self._fast.upload_part(key, upload_id, number, content, headers=md5).etag)

    def complete_upload(self, key: str, upload_id: str, etags: Sequence[str], *, size: int) -> None:
        """Makes the object of the parts. Once it is there, asking again changes nothing. size: bytes of all parts."""
        parts = [oss2.models.PartInfo(number, etag) for number, etag in enumerate(etags, 1)]
        with self._asking("write", self._location(key), _WRITING):
            try:
                self._fast.complete_multipart_upload(key, upload_id, parts)
            except oss2.exceptions.NoSuchUpload:
                # The answer to the request before may have been lost.
                found = self.head(key)
                if found is None or found.size != size:
                    raise

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Gives up an upload: its parts are deleted."""
        with self._asking("write", self._location(key), "oss:AbortMultipartUpload on it"):
            self._fast.abort_multipart_upload(key, upload_id)

    def try_list_buckets(self) -> None:
        """ListBuckets, one of them: whether OSS accepts the credentials, whatever the bucket. A custom domain has only its own."""
        if not is_service_host(urlsplit(self._connection.oss_endpoint).hostname or ""):
            self.list_page("", most=1)
            return
        service = oss2.Service(
            self._auth,
            self._connection.oss_endpoint,
            connect_timeout=self._timeouts,
            region=self._connection.region,
            session=OssSession(),
        )
        with self._asking("list", "buckets", "oss:ListBuckets"):
            service.list_buckets(max_keys=1)

    def sdk_bucket(self) -> oss2.Bucket:
        """oss2's own client, as its documentation describes it; it raises oss2's own errors."""
        return self._client(oss2.Bucket)

    def _client(self, kind: Any, **more: Any) -> Any:
        connection = self._connection
        return kind(
            self._auth,
            connection.oss_endpoint,
            self.name,
            connect_timeout=self._timeouts,
            region=connection.region,
            is_cname=not is_service_host(urlsplit(connection.oss_endpoint).hostname or ""),
            session=OssSession(pool_size=MOST_CONNECTIONS),
            **more,
        )

    def _location(self, key: str) -> Location:
        return Location(bucket=self.name, path=key)

    @contextmanager
    def _asking(self, verb: str, about: str | Location, permission: str) -> Iterator[None]:
        credentials = self._connection.credentials
        used = credentials.current()
        try:
            yield
            ANSWERED.add(self._connection.oss_endpoint)
        except oss2.exceptions.OssError as error:
            self.skew = skew_of(error.headers if isinstance(error.headers, Mapping) else None)
            if error.code in _TOKEN_CODES and credentials.renew(used):
                raise SourceUnavailable(
                    f"OSS rejected the security token ({error.code}); the provider has issued another one"
                ) from error
            self._check_here(getattr(error, "exception", ""))
            if error.status > 0:
                ANSWERED.add(self._connection.oss_endpoint)
            raise source_error(error, verb, about, permission=permission) from error
        except SyntaxError as error:
            raise SourceUnavailable(
                f"OSS's response to a request to {verb} {about} is not XML ({one_line(error)})",
                reason=OssReason.UNREACHABLE,
            ) from error
        except (OSError, HTTPError) as error:
            # oss2 wraps what goes wrong until the headers are there, not a connection that breaks within the body.
            self._check_here(error)
            raise SourceUnavailable(
                f"OSS's response to a request to {verb} {about} was cut off ({one_line(error)})",
                reason=OssReason.UNREACHABLE,
            ) from error

    def _check_here(self, error: object) -> None:
        """Refuses a mistake of this machine's configuration."""
        fault = local_fault(str(error), endpoint=self._connection.oss_endpoint, setting="oss_endpoint")
        if fault is not None:
            raise EndpointRefused(f"OSS cannot be reached: {fault}", reason=OssReason.MISCONFIGURED)


def source_error(error: oss2.exceptions.OssError, verb: str, about: str | Location, *, permission: str) -> SourceError:
    """What an oss2 exception means. verb, about: the request, 'list' and "bucket 'x'"; permission: what the request needs."""
    code = error.code or ""
    details: Mapping[str, Any] = error.details if isinstance(error.details, dict) else {}
    text = getattr(error, "exception", None) or error.message or error.details or error
    told = one_line(f"{code or type(error).__name__}: {text}")
    endpoint = _ENDPOINT.search(str(details.get("Endpoint") or ""))
    region = str(details.get("Region") or (endpoint["region"] if endpoint else "")).removeprefix("oss-")
    reason = _reason(error, code, region, details, of_object=isinstance(about, Location) and verb != "write")
    refuses = f"OSS refuses to {verb} {about} ({told})"
    kind, message = {
        OssReason.UNREACHABLE: (SourceUnavailable, f"OSS does not respond to a request to {verb} {about} ({told})"),
        OssReason.SKEWED: (
            SourceDenied,
            f"OSS rejects the time of a request to {verb} {about} ({told}): set this machine's clock, e.g. with NTP",
        ),
        OssReason.BAD_KEYS: (
            SourceDenied,
            f"OSS rejects the credentials of a request to {verb} {about} ({told}): check AccessKey, secret and token, and allow {permission}",
        ),
        OssReason.SUSPENDED: (SourceDenied, f"{refuses}: pay what is overdue in the Alibaba Cloud console"),
        OssReason.NO_BUCKET: (
            BucketMissing,
            f"OSS cannot {verb} {about}: the bucket does not exist at this endpoint; check its name and the connection",
        ),
        OssReason.OTHER_REGION: (
            EndpointRefused,
            f"{refuses}: the bucket is in {region or 'another region'}; correct the connection's region and oss_endpoint",
        ),
        OssReason.PRIVATE: (EndpointRefused, f"{refuses}: {_PRIVATE}"),
        OssReason.DENIED: (SourceDenied, f"{refuses}: allow {permission}"),
        OssReason.NO_OBJECT: (ManifestBroken, f"{about} does not exist ({told}): check its bucket and key"),
        OssReason.OTHER: (
            SourceError,
            f"{refuses}: it was replaced while it was being read; run again"
            if code == "PreconditionFailed"
            else refuses,
        ),
    }[reason]
    return kind(message, reason=reason, region=region)


def _reason(
    error: oss2.exceptions.OssError, code: str, region: str, details: Mapping[str, Any], *, of_object: bool
) -> OssReason:
    # oss2 gives what was never answered a status below 0.
    if error.status <= 0 or error.status == _TOO_MANY_REQUESTS or error.status >= _SERVER_ERROR:
        return OssReason.UNREACHABLE
    if details.get("EC") == "0048-00000401":
        return OssReason.PRIVATE
    if code in _REASONS:
        return _REASONS[code]
    if region:
        # A signature for another region names the bucket's; the endpoint of another region names the right one.
        return OssReason.OTHER_REGION
    if error.status == _FORBIDDEN:
        return OssReason.DENIED
    # A HEAD request has no body, and so no code; 400 is for a key that no object can have.
    missing = error.status == _NOT_FOUND or (error.status == _BAD_REQUEST and not code)
    return OssReason.NO_OBJECT if of_object and missing else OssReason.OTHER


class _Provider(oss2.credentials.CredentialsProvider):  # type: ignore[misc]
    def __init__(self, source: Credentials) -> None:
        self._source = source

    def get_credentials(self) -> Any:
        keys = self._source.current()
        return oss2.credentials.Credentials(keys.access_key_id, keys.access_key_secret, keys.security_token)
