"""The checks of OSS and VOD, and what their answers tell together: the clock, the credentials, the account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from vod_migrate.cloud.clients import open_bucket, open_vod
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss_reason import OssReason
from vod_migrate.doctor.checklist import Check, failed, none_checked, not_checked, ok, warning
from vod_migrate.doctor.deadline import TIMEOUTS, in_thread
from vod_migrate.doctor.oss import (
    MOST_PREFIXES,
    OssAnswer,
    ask_listing,
    ask_location,
    bucket_checks,
    cover_check,
    list_check,
)
from vod_migrate.doctor.vod import (
    VodAnswer,
    ask_first,
    asking,
    media_check,
    playback_check,
    register_check,
    vod_check,
)
from vod_migrate.doctor.vod_settings import Ask, category_check, template_check
from vod_migrate.errors import (
    AccountStopped,
    BadOption,
    BadSetting,
    Denied,
    InvalidCredentials,
    Misconfigured,
    ServiceTrouble,
    SourceDenied,
    SourceUnavailable,
    Suspended,
    VodMigrateError,
)
from vod_migrate.migration.interval import Interval, interval_variables
from vod_migrate.migration.model import Migration
from vod_migrate.migration.templates import render

WARN_SKEW_SECONDS = 300.0
MOST_SKEW_SECONDS = 900.0
"""Beyond this both services refuse a signature (their pages on signing)."""

_OF_OSS = ("oss", "bucket", "region", "list", "covers")
_OF_VOD = ("vod", "register", "template_group", "categories", "lookup", "playback")
_OF_BOTH = ("clock", "credentials", "account")
_UNUSABLE = "no usable migration file"


def credentials_failure(connection: Connection, seconds: float) -> Check | None:
    """The failed check of a provider that returns no credentials; None where it does."""
    tried = f"requesting the credentials ({connection.credentials.provider or 'AccessKey of the connection'})"
    fix = "check the provider's settings, and that its service can be reached from here"
    try:
        in_thread(connection.credentials.current).result(timeout=seconds)
    except TimeoutError:
        return failed("credentials", tried, BadSetting(f"the provider did not respond within {seconds:.0f} s"), fix)
    except BadSetting as error:
        return failed("credentials", tried, error, fix)
    return None


def connection_checks(connection: Connection) -> list[Check]:
    """Whether VOD and OSS know the AccessKey; both are asked without a migration. The Test button of Airflow's connection form.

    A refusal for want of a permission still proves the AccessKey: registering needs neither `vod:GetCategories` nor
    `oss:ListBuckets`.
    """

    def tried(name: str, action: str, where: str, ask: Callable[[], object]) -> Check:
        what = f"{action} at {where}"
        try:
            ask()
        except VodMigrateError as error:
            if isinstance(error, Denied) or (isinstance(error, SourceDenied) and error.reason == OssReason.DENIED):
                told = f"the AccessKey is valid but has no permission for {action}, which registering does not need"
                return ok(name, what, told)
            return failed(name, what, error, "correct the connection")
        return ok(name, what, "works")

    vod = open_vod(connection, timeouts=TIMEOUTS)
    bucket = open_bucket(connection, "any-bucket", timeouts=TIMEOUTS)
    return [
        tried("vod", "GetCategories", connection.vod_endpoint or "VOD",
              partial(asking(vod), "GetCategories", page_no=1, page_size=1)),
        tried("oss", "ListBuckets", connection.oss_endpoint, bucket.try_list_buckets),
    ]  # fmt: skip


class ServiceLines:
    """The two lines of checks, one a service, and the checks that both answers make together."""

    def __init__(self, connection: Connection | None, migration: Migration | None) -> None:
        self._connection = connection
        self._migration = migration
        self._oss: OssAnswer | None = None
        self._vod: VodAnswer | None = None
        self.names = _OF_OSS + _OF_VOD + _OF_BOTH

    def oss_checks(self) -> Iterator[Check]:
        """oss, bucket, region, list and covers; without a migration there is no bucket to ask about."""
        connection, migration = self._connection, self._migration
        if connection is None or migration is None:
            yield from none_checked(_OF_OSS, "no usable connection" if connection is None else _UNUSABLE)
            return
        bucket = open_bucket(connection, migration.source.bucket, timeouts=TIMEOUTS)
        prefix, *more = _prefixes(migration)
        self._oss = first = ask_listing(bucket, prefix, connection.region)
        denied = first.reason == OssReason.DENIED
        tried = f"ListObjectsV2 of bucket {bucket.name} at {connection.oss_endpoint}, prefix {prefix!r}, one key"
        location = ask_location(bucket) if denied else None
        misplaced = False
        for check in bucket_checks(connection, bucket.name, first=first, location=location, tried=tried):
            misplaced |= check.error is not None
            yield check
        served = denied or first.error is None
        if misplaced or first.reason in (OssReason.BAD_KEYS, OssReason.SKEWED, OssReason.SUSPENDED):
            yield not_checked("list", "the bucket cannot be queried")
        else:
            answers = {prefix: first}
            if served:
                answers |= {other: ask_listing(bucket, other, connection.region) for other in more}
            source = migration.source
            yield list_check(bucket.name, answers, tried, listed=source.listed, dated=source.dated)
        if not migration.describe.cover_if_exists:
            yield ok("covers", "nothing", "covers are not looked up")
        elif served:
            yield cover_check(bucket, migration.describe)
        else:
            yield not_checked("covers", "the bucket cannot be queried")

    def vod_checks(self) -> Iterator[Check]:
        """vod, register, template_group, categories and lookup."""
        connection, migration = self._connection, self._migration
        if connection is None:
            yield from none_checked(_OF_VOD, "no usable connection")
            return
        vod = open_vod(connection, timeouts=TIMEOUTS)
        self._vod = answer = ask_first(vod)
        ask = asking(vod) if answer.served else _silent(answer)
        yield vod_check(connection, answer)
        yield register_check(ask)
        if migration is None:
            yield from none_checked(("template_group", "categories", "playback"), _UNUSABLE)
        else:
            yield _settled("template_group", partial(template_check, ask, migration.register_.template_group_id))
            yield _settled("categories", partial(category_check, ask, migration.describe))
            yield playback_check(ask, migration)
        yield media_check(ask)

    def joint_checks(self) -> list[Check]:
        """clock, credentials and account, from what both services have answered by now."""
        if self._connection is None:
            return none_checked(_OF_BOTH, "no usable connection")
        oss = self._oss or OssAnswer(error=SourceUnavailable("not asked"))
        vod = self._vod or VodAnswer(error=ServiceTrouble("not asked"))
        return [_clock(oss, vod), _credentials(oss, vod), _account(self._connection, oss, vod)]


def today(migration: Migration) -> tuple[dt.date, Interval]:
    """The date and the interval of a run of today."""
    midnight = dt.datetime.combine(dt.datetime.now(migration.zone).date(), dt.time(), migration.zone)
    return midnight.date(), (midnight, midnight + dt.timedelta(days=1))


def _prefixes(migration: Migration) -> list[str]:
    """The prefixes of a run of today."""
    facts = interval_variables(migration, *today(migration))
    prefixes = migration.source.prefixes if migration.source.listed else ("",)
    try:
        return list(dict.fromkeys(render(prefix, facts, "prefix") for prefix in prefixes))[:MOST_PREFIXES]
    except BadOption:
        return [prefixes[0].partition("{")[0]]


def _silent(answer: VodAnswer) -> Ask:
    reached = isinstance(answer.error, AccountStopped) and not isinstance(answer.error, Misconfigured)
    why = "VOD rejects all other requests until that is fixed" if reached else "VOD does not respond"

    def ask(_api: str, **_fields: Any) -> Mapping[str, Any]:
        raise ServiceTrouble(why)

    return ask


def _settled(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except AccountStopped as error:
        return not_checked(name, str(error))


def _clock(oss: OssAnswer, vod: VodAnswer) -> Check:
    tried = "comparing this machine's clock with the Date of a response"
    skew = oss.skew if oss.skew is not None else vod.skew
    refused = oss.reason == OssReason.SKEWED or _fault(vod) == "clock"
    fix = "set this machine's clock, e.g. with NTP"
    if refused or (skew is not None and abs(skew) > MOST_SKEW_SECONDS):
        off = "this machine's clock is off" if skew is None else f"this machine's clock is off by {_minutes(skew)}"
        wrong = f"{off}; OSS and VOD reject requests whose time is off by 15 minutes"
        return failed("clock", tried, AccountStopped(wrong), fix)
    if skew is None:
        return not_checked("clock", "no response had a Date", tried=tried)
    if abs(skew) > WARN_SKEW_SECONDS:
        return warning("clock", tried, f"it is off by {_minutes(skew)}; from 15 minutes on, requests are rejected", fix)
    return ok("clock", tried, f"it is off by {abs(skew):.0f} s")


def _minutes(skew: float) -> str:
    return f"{abs(skew) / 60:.0f} minutes ({'ahead' if skew > 0 else 'behind'})"


def _credentials(oss: OssAnswer, vod: VodAnswer) -> Check:
    tried = "one signed request to each service"
    known_to_oss = oss.reason not in (
        OssReason.UNREACHABLE, OssReason.MISCONFIGURED, OssReason.BAD_KEYS, OssReason.SKEWED, OssReason.OTHER,
    )  # fmt: skip
    accepted = [name for name, known in (("OSS", known_to_oss), ("VOD", vod.served)) if known]
    wrong = ((oss.error, oss.reason == OssReason.BAD_KEYS), (vod.error, _fault(vod) == "credentials"))
    refused = [str(error) for error, unknown in wrong if unknown]
    if refused:
        also = f"; {accepted[0]} accepts them" if accepted else ""
        error = InvalidCredentials(f"the credentials are not accepted: {'; '.join(refused)}{also}")
        fix = "correct the AccessKey, its secret or its token; a token may have expired"
        return failed("credentials", tried, error, fix)
    if not accepted:
        return not_checked("credentials", "neither service confirmed them", tried=tried)
    return ok("credentials", tried, f"accepted by {', '.join(accepted)}")


def _account(connection: Connection, oss: OssAnswer, vod: VodAnswer) -> Check:
    tried = "GetCategories"
    if isinstance(vod.error, Suspended):
        return failed("account", tried, vod.error, "activate VOD in its console, or pay what is overdue")
    if oss.reason == OssReason.SUSPENDED:
        wrong = Suspended(f"OSS is suspended for this account ({oss.error})")
        return failed("account", "a listing", wrong, "pay what is overdue in the console")
    if vod.served:
        told = f"VOD is active for the account; workers share its quota under the name {connection.account!r}"
        return ok("account", tried, told)
    return not_checked("account", "VOD's response does not show whether it is active for the account", tried=tried)


def _fault(vod: VodAnswer) -> str:
    """What an account-wide refusal of VOD is about."""
    if isinstance(vod.error, InvalidCredentials):
        return "credentials"
    if isinstance(vod.error, Suspended):
        return "account"
    return "clock" if type(vod.error) is AccountStopped else ""
