"""What OSS says to one listing of one key: whether it is there, knows us, has the bucket, in which region, and may be listed.

One request tells most of it. A listing is signed for the connection's region, and OSS takes that only for a bucket of that
region; where listing is not allowed, the bucket's location is asked for instead.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import oss2
from lxml import etree

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import FastBucket, open_bucket
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok, warning
from vod_migrate.doctor.timeout import CONNECT_SECONDS, READ_SECONDS
from vod_migrate.errors import BadSetting, BucketMissing, SourceDenied, SourceError, SourceUnavailable

_BAD_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "SecurityTokenExpired", "InvalidSecurityToken"}
_SUSPENDED = {"UserDisable"}
_FORBIDDEN = 403
_TOO_MANY = 429
_SERVER_ERROR = 500
_ENDPOINT = re.compile(r"oss-(?P<region>[a-z]{2}-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com")
MOST_PREFIXES = 5


class OssStatus(StrEnum):
    """What one answer of OSS comes to."""

    LISTED = "listed"
    DENIED = "denied"
    NO_BUCKET = "no bucket"
    OTHER_REGION = "other region"
    BAD_KEYS = "bad keys"
    SKEWED = "skewed"
    SUSPENDED = "suspended"
    UNREACHABLE = "unreachable"
    ODD = "odd"


@dataclass(frozen=True, kw_only=True, slots=True)
class OssAnswer:
    """One answer. told: in OSS's words; region: the bucket's, where it is told; skew: seconds our clock is ahead of OSS's."""

    says: OssStatus
    told: str
    region: str = ""
    skew: float | None = None
    empty: bool = False


def ask_listing(connection: Connection, bucket: str, prefix: str) -> OssAnswer:
    """Asks for the first key of a prefix. Raises only BadSetting, where no credentials are given out."""
    client = _client(connection, bucket)
    try:
        listed = client.list_objects_v2(prefix=prefix, max_keys=1)
    except oss2.exceptions.OssError as error:
        return _refused(error)
    except (SourceError, etree.XMLSyntaxError, OSError) as error:
        return OssAnswer(says=OssStatus.UNREACHABLE, told=str(error)[:300])
    return OssAnswer(
        says=OssStatus.LISTED,
        told="listed",
        region=connection.region,
        skew=skew_of(listed.headers),
        empty=not listed.object_list,
    )


def ask_location(connection: Connection, bucket: str) -> OssAnswer:
    """Asks where a bucket lies; needs oss:GetBucketLocation. Raises as ask_listing."""
    try:
        answer = _client(connection, bucket).get_bucket_location()
    except oss2.exceptions.OssError as error:
        return _refused(error)
    except (SourceError, etree.XMLSyntaxError, OSError) as error:
        return OssAnswer(says=OssStatus.UNREACHABLE, told=str(error)[:300])
    region = str(answer.location or "").removeprefix("oss-")
    says = OssStatus.LISTED if region == connection.region else OssStatus.OTHER_REGION
    return OssAnswer(says=says, told=f"the bucket lies in {region}", region=region, skew=skew_of(answer.headers))


def skew_of(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that this machine's clock is ahead of the Date of an answer; the Date has no fractions."""
    date = next((value for name, value in (headers or {}).items() if name.lower() == "date"), "")
    try:
        return time.time() - parsedate_to_datetime(date).timestamp() - 0.5
    except (ValueError, TypeError):
        return None


def bucket_checks(
    connection: Connection, bucket: str, *, first: OssAnswer, location: OssAnswer | None, others: Mapping[str, OssAnswer],
    prefix: str, listed: bool, dated: bool,
) -> list[Check]:  # fmt: skip
    """The checks oss, bucket, region and list.

    first: of listing the first prefix; location: asked for where that was denied; others: of listing the other prefixes;
    listed: whether the migration lists at all; dated: whether its prefixes change from day to day.
    """
    tried = f"ListObjectsV2 of bucket {bucket} at {connection.oss_endpoint}, prefix {prefix!r}, one key"
    if first.says is OssStatus.UNREACHABLE:
        error = SourceUnavailable(f"OSS does not answer ({first.told})")
        fix = f"check the connection's oss_endpoint ({connection.oss_endpoint}), the network and its proxy, then try again"
        return [failed("oss", tried, error, fix), *_unknown("OSS does not answer", "bucket", "region", "list")]
    checks = [ok("oss", tried, f"{connection.oss_endpoint} answers")]
    if first.says in (OssStatus.BAD_KEYS, OssStatus.SKEWED, OssStatus.SUSPENDED):
        why = {"bad keys": "the credentials", "skewed": "the clock", "suspended": "the account"}[first.says.value]
        return [*checks, *_unknown(f"OSS answers nothing else before {why} is mended", "bucket", "region", "list")]
    if first.says is OssStatus.NO_BUCKET:
        missing = BucketMissing(f"bucket {bucket!r} does not exist")
        fix = "correct source.bucket in the migration file; bucket names are the same for all regions"
        return [*checks, failed("bucket", tried, missing, fix), *_unknown("there is no bucket", "region", "list")]
    placed = first if first.says in (OssStatus.LISTED, OssStatus.OTHER_REGION) else location
    checks += _place_checks(connection, bucket, placed, tried)
    if any(check.error is not None for check in checks):
        return [*checks, *_unknown("the bucket is asked for in the wrong region", "list")]
    checks.append(_list_check(bucket, {prefix: first, **others}, tried, listed=listed, dated=dated))
    return checks


def _place_checks(connection: Connection, bucket: str, placed: OssAnswer | None, tried: str) -> list[Check]:
    if placed is None or placed.says not in (OssStatus.LISTED, OssStatus.OTHER_REGION):
        why = "neither a listing nor GetBucketLocation is allowed"
        fix = "allow oss:ListObjects (or oss:GetBucketLocation, for this check alone) on the bucket"
        return [not_checked(name, why, fix, tried=tried) for name in ("bucket", "region")]
    exists = ok("bucket", tried, f"{bucket} exists")
    if placed.says is OssStatus.LISTED:
        return [exists, ok("region", tried, f"the bucket lies in {connection.region}, as VOD does")]
    there = placed.region or "another region"
    wrong = BadSetting(
        f"bucket {bucket} lies in {there}, but the connection's region is {connection.region}: VOD of one region takes no "
        "file from a bucket of another"
    )
    fix = f"set the connection's region (VOD_MIGRATE_REGION) to {there}, and its endpoints with it"
    return [exists, failed("region", tried, wrong, fix)]


def _list_check(bucket: str, answers: Mapping[str, OssAnswer], tried: str, *, listed: bool, dated: bool) -> Check:
    denied = [prefix for prefix, answer in answers.items() if answer.says is OssStatus.DENIED]
    odd = {
        prefix: answer for prefix, answer in answers.items() if answer.says not in (OssStatus.DENIED, OssStatus.LISTED)
    }
    fix = f"allow oss:ListObjects on acs:oss:*:*:{bucket}" + (
        f", with oss:Prefix of {_named(denied)} where the policy has that condition" if any(denied) else ""
    )
    if not listed:
        why = "objects come from a manifest or an inventory, so nothing is listed"
        return not_checked("list", why) if denied or odd else ok("list", tried, "may be listed, though nothing is")
    if denied:
        error = SourceDenied(
            f"OSS does not let these credentials list {_named(denied)} of bucket {bucket} ({answers[denied[0]].told})"
        )
        return failed("list", tried, error, fix)
    if odd:
        prefix, answer = next(iter(odd.items()))
        return not_checked("list", f"OSS said to the prefix {prefix!r}: {answer.told}", tried=tried)
    empty = [prefix for prefix, answer in answers.items() if answer.empty]
    if empty and not dated:
        return warning(
            "list", tried, f"nothing in the bucket begins with {_named(empty)}",
            "correct source.prefixes, if objects should be there already: case, spaces and a '/' at the beginning count",
        )  # fmt: skip
    return ok("list", tried, f"{_named(list(answers))} may be listed")


def _named(prefixes: Sequence[str]) -> str:
    return ", ".join(repr(prefix) if prefix else "the whole bucket" for prefix in prefixes)


def _unknown(why: str, *names: str) -> list[Check]:
    return [not_checked(name, why) for name in names]


def _client(connection: Connection, bucket: str) -> FastBucket:
    client = open_bucket(connection, bucket)
    client.timeout = (CONNECT_SECONDS, READ_SECONDS)
    return client


def _refused(error: oss2.exceptions.OssError) -> OssAnswer:
    details: Mapping[str, Any] = error.details if isinstance(error.details, dict) else {}
    text = str(getattr(error, "exception", None) or error.message or error)
    told = f"{error.code or type(error).__name__}: {text}"[:300]
    skew = skew_of(error.headers if isinstance(error.headers, Mapping) else None)
    endpoint = _ENDPOINT.search(str(details.get("Endpoint") or ""))
    region = str(details.get("Region") or (endpoint["region"] if endpoint else "")).removeprefix("oss-")
    return OssAnswer(says=_says(error, region), told=told, region=region, skew=skew)


def _says(error: oss2.exceptions.OssError, region: str) -> OssStatus:  # noqa: PLR0911 - one line a kind
    if isinstance(error, oss2.exceptions.RequestError) or error.status >= _SERVER_ERROR or error.status <= 0:
        return OssStatus.UNREACHABLE
    if error.code == "RequestTimeTooSkewed":
        return OssStatus.SKEWED
    if error.code in _BAD_KEYS:
        return OssStatus.BAD_KEYS
    if error.code in _SUSPENDED:
        return OssStatus.SUSPENDED
    if error.code == "NoSuchBucket":
        return OssStatus.NO_BUCKET
    if region:
        # A signature for another region names the bucket's; the endpoint of another region names the right one.
        return OssStatus.OTHER_REGION
    if error.status == _TOO_MANY:
        return OssStatus.ODD
    return OssStatus.DENIED if error.status == _FORBIDDEN else OssStatus.ODD
