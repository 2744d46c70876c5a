"""What OSS's answer to a listing of one key tells: whether it answers, knows us, has the bucket, where, and may be listed.

A listing is signed for the connection's region, and OSS accepts that only for a bucket of that region; where listing is not
allowed, the bucket's location is asked for instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss_reason import OssReason
from vod_migrate.doctor.checklist import Check, failed, none_checked, not_checked, ok, warning
from vod_migrate.errors import BadSetting, SourceDenied, SourceError, SourceUnavailable
from vod_migrate.migration.description import Describe
from vod_migrate.migration.prefixes import empty_prefix_hint

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

MOST_PREFIXES = 5
_ACCOUNT_WIDE = {
    OssReason.BAD_KEYS: "the credentials",
    OssReason.SKEWED: "the clock",
    OssReason.SUSPENDED: "the account",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OssAnswer:
    """One answer. error: None where OSS did what it was asked; region: the bucket's, where it is known; skew: as `skew_of`."""

    error: SourceError | None = None
    region: str = ""
    skew: float | None = None
    empty: bool = False

    @property
    def reason(self) -> str:
        """Why OSS refused, an OssReason; '' where it did not."""
        return "" if self.error is None else self.error.reason or OssReason.UNREACHABLE

    @property
    def located(self) -> bool:
        """Whether it tells where the bucket is."""
        return self.error is None or self.reason == OssReason.OTHER_REGION


def ask_listing(bucket: BucketClient, prefix: str, region: str) -> OssAnswer:
    """Asks for the first key of a prefix."""
    return _asked(bucket, lambda: {"region": region, "empty": not bucket.list_page(prefix, most=1).object_list})


def ask_location(bucket: BucketClient) -> OssAnswer:
    """Asks where a bucket is; needs oss:GetBucketLocation."""
    return _asked(bucket, lambda: {"region": bucket.region()})


def _asked(bucket: BucketClient, question: Callable[[], dict[str, Any]]) -> OssAnswer:
    for last in (False, True):
        try:
            return OssAnswer(**question(), skew=bucket.skew)
        except SourceError as error:
            # The provider may have issued another token.
            if last or not isinstance(error, SourceUnavailable) or error.reason != OssReason.BAD_KEYS:
                return OssAnswer(error=error, region=error.region, skew=bucket.skew)
        except BadSetting as error:
            unusable = SourceUnavailable(str(error), reason=OssReason.UNREACHABLE)
            return OssAnswer(error=unusable, skew=bucket.skew)
    raise AssertionError("unreachable: the last round returns")


def bucket_checks(
    connection: Connection, bucket: str, *, first: OssAnswer, location: OssAnswer | None, tried: str
) -> Iterator[Check]:
    """The checks oss, bucket and region. first: of a listing; location: asked for where that was denied."""
    if first.reason in (OssReason.UNREACHABLE, OssReason.MISCONFIGURED):
        assert first.error is not None  # noqa: S101 - it has a reason
        fix = f"check the connection's oss_endpoint ({connection.oss_endpoint}), the network and its proxy, then try again"
        yield failed("oss", tried, first.error, fix)
        yield from none_checked(("bucket", "region"), "OSS does not respond")
        return
    yield ok("oss", tried, f"{connection.oss_endpoint} responds")
    if first.reason in _ACCOUNT_WIDE:
        why = f"OSS rejects all other requests until the problem with {_ACCOUNT_WIDE[OssReason(first.reason)]} is fixed"
        yield from none_checked(("bucket", "region"), why)
        return
    if first.error is not None and first.reason == OssReason.PRIVATE:
        yield failed("bucket", tried, first.error, "set the connection's oss_endpoint as the result says")
        yield not_checked("region", "the bucket cannot be queried")
        return
    if first.error is not None and first.reason == OssReason.NO_BUCKET:
        fix = "correct source.bucket in the migration file; bucket names are the same for all regions"
        yield failed("bucket", tried, first.error, fix)
        yield not_checked("region", "the bucket does not exist")
        return
    placed = first if first.located else location
    if placed is None or not placed.located:
        why = "the credentials allow neither ListObjects nor GetBucketLocation"
        fix = "allow oss:ListObjects (or oss:GetBucketLocation, for this check alone) on the bucket"
        yield from (not_checked(name, why, fix, tried=tried) for name in ("bucket", "region"))
        return
    yield ok("bucket", tried, f"{bucket} exists")
    yield _region_check(connection, bucket, placed.region or "another region", tried)


def _region_check(connection: Connection, bucket: str, region: str, tried: str) -> Check:
    if region == connection.region:
        return ok("region", tried, f"the bucket is in {connection.region}, as VOD is")
    wrong = BadSetting(
        f"bucket {bucket} is in {region}, but the connection's region is {connection.region}: VOD does not accept "
        "files from a bucket in another region"
    )
    return failed(
        "region",
        tried,
        wrong,
        f"set the connection's region (VOD_MIGRATE_REGION) to {region}, and its endpoints with it",
    )


def list_check(bucket: str, answers: Mapping[str, OssAnswer], tried: str, *, listed: bool, dated: bool) -> Check:
    """The check list, from the answers by prefix.

    listed: whether the migration lists at all; dated: whether its prefixes change from day to day.
    """
    denied = [prefix for prefix, answer in answers.items() if answer.reason == OssReason.DENIED]
    other = {prefix: answer.error for prefix, answer in answers.items() if answer.error and prefix not in denied}
    if not listed:
        why = "objects come from a manifest or an inventory, so nothing is listed"
        return not_checked("list", why) if denied or other else ok("list", tried, "listing is allowed, but not needed")
    if denied:
        error = SourceDenied(
            f"the credentials may not list {_named(denied)} of bucket {bucket} ({answers[denied[0]].error})"
        )
        fix = f"allow oss:ListObjects on acs:oss:*:*:{bucket}" + (
            f", with oss:Prefix of {_named(denied)} where the policy has that condition" if any(denied) else ""
        )
        return failed("list", tried, error, fix)
    if other:
        prefix, refused = next(iter(other.items()))
        return not_checked("list", f"prefix {prefix!r}: {refused}", tried=tried)
    empty = [prefix for prefix, answer in answers.items() if answer.empty]
    if empty and not dated:
        hint = next(
            filter(None, (empty_prefix_hint(prefix, bucket) for prefix in empty)),
            "prefixes are compared exactly, with case and spaces",
        )
        return warning(
            "list", tried, f"nothing in the bucket begins with {_named(empty)}",
            f"correct source.prefixes, if objects should be there already: {hint}",
        )  # fmt: skip
    return ok("list", tried, f"{_named(list(answers))} can be listed")


def cover_check(bucket: BucketClient, describe: Describe) -> Check:
    """Whether covers may be looked up, where they are."""
    template = next((part.cover_url for part in (describe, *describe.rules) if part.cover_url), None) or ""
    folder = template.partition("{")[0].rpartition("/")[0]
    key = f"{folder}/vod-migrate-doctor.jpg" if folder and "://" not in folder else "vod-migrate-doctor.jpg"
    tried = f"HeadObject of {key}, which does not have to exist"
    try:
        bucket.head(key)
    except SourceDenied as error:
        return failed("covers", tried, error, "allow oss:GetObject on the covers, or turn describe.cover_if_exists off")
    except (SourceError, BadSetting) as error:
        return not_checked("covers", str(error), tried=tried)
    return ok("covers", tried, "covers can be looked up")


def _named(prefixes: Sequence[str]) -> str:
    return ", ".join(repr(prefix) if prefix else "the whole bucket" for prefix in prefixes)
