"""The checks of OSS and VOD, and what their answers tell together: the clock, the credentials, the account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok, warning
from vod_migrate.doctor.covers import cover_check
from vod_migrate.doctor.oss import MOST_PREFIXES, OssAnswer, OssStatus, ask_listing, ask_location, bucket_checks
from vod_migrate.doctor.timeout import NoAnswer, TimedCall
from vod_migrate.doctor.vod import VodAnswer, VodProbe, media_check, register_check, template_check, vod_checks
from vod_migrate.doctor.vod_settings import category_check
from vod_migrate.errors import (
    AccountStopped,
    BadOption,
    BadSetting,
    InvalidCredentials,
    NetworkTrouble,
    ServiceTrouble,
    Suspended,
)
from vod_migrate.migration.interval import interval_variables
from vod_migrate.migration.model import Migration
from vod_migrate.migration.templates import render

WARN_SKEW_SECONDS = 300.0
MOST_SKEW_SECONDS = 900.0
"""Beyond this both services refuse a signature (their pages on signing)."""

_OF_OSS = ("oss", "bucket", "region", "list", "covers")
_OF_VOD = ("vod", "register", "template_group", "categories", "lookup")
_OF_BOTH = ("clock", "credentials", "account")
_LINE_SECONDS = 110.0

Ask = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """What one service answered first, and the checks that followed from it."""

    oss: OssAnswer | None = None
    vod: VodAnswer | None = None
    checks: tuple[Check, ...] = ()


def service_checks(connection: Connection | None, migration: Migration | None) -> list[Check]:
    """Asks both services at the same time. Without a migration there is no bucket, and only VOD is asked."""
    if connection is None:
        return _none(_OF_OSS + _OF_VOD + _OF_BOTH, "there is no connection")
    tried = f"asking for the credentials ({connection.credentials.provider or 'AccessKey of the connection'})"
    try:
        TimedCall(connection.credentials.current).answer()
    except (BadSetting, NoAnswer) as error:
        wrong = error if isinstance(error, BadSetting) else BadSetting(f"the credential provider gives {error}")
        fix = "check the provider's settings, and that its service can be reached from here"
        rest = tuple(name for name in _OF_OSS + _OF_VOD + _OF_BOTH if name != "credentials")
        return [failed("credentials", tried, wrong, fix), *_none(rest, "there are no credentials")]
    lines = [
        TimedCall(partial(_oss_line, connection, migration), seconds=_LINE_SECONDS),
        TimedCall(partial(_vod_line, connection, migration), seconds=_LINE_SECONDS),
    ]
    oss, vod = (_told(line, names) for line, names in zip(lines, (_OF_OSS, _OF_VOD), strict=True))
    return [*oss.checks, *vod.checks, *_joint(connection, oss.oss, vod.vod)]


def _told(line: TimedCall[_Line], names: tuple[str, ...]) -> _Line:
    try:
        return line.answer()
    except NoAnswer as error:
        return _Line(checks=tuple(_none(names, str(error))))


def _oss_line(connection: Connection, migration: Migration | None) -> _Line:
    if migration is None:
        return _Line(checks=tuple(_none(_OF_OSS, "there is no migration file that names a bucket")))
    bucket = migration.source.bucket
    prefix, *more = _prefixes(migration)
    ask = partial(_asked_oss, ask_listing, connection, bucket)
    first = ask(prefix)
    denied = first.says is OssStatus.DENIED
    location = _asked_oss(ask_location, connection, bucket) if denied else None
    served = denied or first.says is OssStatus.LISTED
    checks = bucket_checks(
        connection,
        bucket,
        first=first,
        location=location,
        others={prefix: ask(prefix) for prefix in more} if served else {},
        prefix=prefix,
        listed=migration.source.listed,
        dated=migration.source.dated,
    )
    if not migration.describe.cover_if_exists or served:
        covers = _limited("covers", partial(cover_check, connection, migration))
    else:
        covers = not_checked("covers", "the bucket cannot be asked")
    return _Line(oss=first, checks=(*checks, covers))


def _asked_oss(ask: Callable[..., OssAnswer], *given: Any) -> OssAnswer:
    try:
        return TimedCall(partial(ask, *given)).answer()
    except (NoAnswer, BadSetting) as error:
        return OssAnswer(says=OssStatus.UNREACHABLE, told=str(error))


def _prefixes(migration: Migration) -> list[str]:
    """The prefixes of a run of today."""
    midnight = dt.datetime.combine(dt.datetime.now(migration.zone).date(), dt.time(), migration.zone)
    facts = interval_variables(migration, midnight.date(), (midnight, midnight + dt.timedelta(days=1)))
    prefixes = migration.source.prefixes if migration.source.listed else ("",)
    try:
        return list(dict.fromkeys(render(prefix, facts, "prefix") for prefix in prefixes))[:MOST_PREFIXES]
    except BadOption:
        return [prefixes[0].partition("{")[0]]


def _vod_line(connection: Connection, migration: Migration | None) -> _Line:
    line = VodProbe(connection)
    try:
        answer = TimedCall(line.first).answer()
    except NoAnswer as error:
        answer = VodAnswer(error=NetworkTrouble(f"VOD gives {error}"))
    ask = line.ask if answer.served else _silent(answer)
    checks = vod_checks(connection, answer)
    checks.append(_limited("register", partial(register_check, ask)))
    if migration is None:
        checks += _none(("template_group", "categories"), "there is no migration file that can be used")
    else:
        checks.append(_limited("template_group", partial(template_check, ask, migration.register_.template_group_id)))
        checks.append(_limited("categories", partial(category_check, ask, migration.describe)))
    checks.append(_limited("lookup", partial(media_check, ask)))
    return _Line(vod=answer, checks=tuple(checks))


def _silent(answer: VodAnswer) -> Ask:
    reached = isinstance(answer.error, AccountStopped)
    why = "VOD answers nothing else before that is mended" if reached else "VOD does not answer"

    def ask(_api: str, **_fields: Any) -> Mapping[str, Any]:
        raise ServiceTrouble(why)

    return ask


def _limited(name: str, check: Callable[[], Check]) -> Check:
    # Several questions may make one check.
    try:
        return TimedCall(check, seconds=30.0).answer()
    except (NoAnswer, AccountStopped, BadSetting) as error:
        return not_checked(name, str(error))


def _joint(connection: Connection, oss: OssAnswer | None, vod: VodAnswer | None) -> list[Check]:
    return [_clock(oss, vod), _credentials(oss, vod), _account(connection, oss, vod)]


def _clock(oss: OssAnswer | None, vod: VodAnswer | None) -> Check:
    tried = "comparing this machine's clock with the Date of an answer"
    skew = next((answer.skew for answer in (oss, vod) if answer is not None and answer.skew is not None), None)
    refused = (oss is not None and oss.says is OssStatus.SKEWED) or (vod is not None and _fault(vod) == "clock")
    fix = "set this machine's clock, e.g. with NTP"
    if refused or (skew is not None and abs(skew) > MOST_SKEW_SECONDS):
        off = "" if skew is None else f" by {_minutes(skew)}"
        wrong = f"this machine's clock is off{off}; OSS and VOD refuse requests whose time is off by 15 minutes"
        return failed("clock", tried, AccountStopped(wrong), fix)
    if skew is None:
        return not_checked("clock", "no answer bore a Date", tried=tried)
    if abs(skew) > WARN_SKEW_SECONDS:
        return warning("clock", tried, f"it is off by {_minutes(skew)}; from 15 minutes on requests are refused", fix)
    return ok("clock", tried, f"it is off by {abs(skew):.0f} s")


def _minutes(skew: float) -> str:
    return f"{abs(skew) / 60:.0f} minutes ({'ahead' if skew > 0 else 'behind'})"


def _credentials(oss: OssAnswer | None, vod: VodAnswer | None) -> Check:
    tried = "one signed request to each service"
    accepted = [name for name, known in (("OSS", _known_to_oss(oss)), ("VOD", vod is not None and vod.served)) if known]
    refused = []
    if oss is not None and oss.says is OssStatus.BAD_KEYS:
        refused.append(f"OSS says {oss.told}")
    if vod is not None and _fault(vod) == "credentials":
        refused.append(f"VOD says {vod.error}")
    if refused:
        also = f"; {accepted[0]} accepts them" if accepted else ""
        wrong = InvalidCredentials(f"the credentials are not accepted: {'; '.join(refused)}{also}")
        return failed(
            "credentials", tried, wrong, "correct the AccessKey, its secret or its token; a token may have expired"
        )
    if not accepted:
        return not_checked("credentials", "neither service answered whether it knows them", tried=tried)
    return ok("credentials", tried, f"{' and '.join(accepted)} accept{'s' if len(accepted) == 1 else ''} them")


def _known_to_oss(oss: OssAnswer | None) -> bool:
    known = (OssStatus.LISTED, OssStatus.DENIED, OssStatus.NO_BUCKET, OssStatus.OTHER_REGION, OssStatus.SUSPENDED)
    return oss is not None and oss.says in known


def _account(connection: Connection, oss: OssAnswer | None, vod: VodAnswer | None) -> Check:
    tried = "GetCategories"
    if vod is not None and isinstance(vod.error, Suspended):
        fix = "activate VOD in its console, or settle what is overdue"
        return failed("account", tried, vod.error, fix)
    if oss is not None and oss.says is OssStatus.SUSPENDED:
        wrong = Suspended(f"OSS is suspended for this account ({oss.told})")
        return failed("account", "a listing", wrong, "settle what is overdue in the console")
    if vod is not None and vod.served:
        return ok("account", tried, f"VOD serves it; workers share its quota as {connection.account!r}")
    return not_checked("account", "VOD did not answer as one who knows us", tried=tried)


def _fault(vod: VodAnswer) -> str:
    """What an account-wide refusal of VOD is about."""
    if isinstance(vod.error, InvalidCredentials):
        return "credentials"
    if isinstance(vod.error, Suspended):
        return "account"
    return "clock" if isinstance(vod.error, AccountStopped) and not vod.served else ""


def _none(names: tuple[str, ...], why: str) -> list[Check]:
    return [not_checked(name, why) for name in names]
