"""Whether the results database answers, fits this version, and agrees with the connection about the account's pace."""

from __future__ import annotations

from collections.abc import Callable

from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok, warning
from vod_migrate.doctor.timeout import NoAnswer, TimedCall
from vod_migrate.errors import StoreError, StoreNotMigrated, StoreUnreachable, VodMigrateError
from vod_migrate.rate.limiter import API, rate_conflict
from vod_migrate.results.database import refuse_misfit, schema_versions
from vod_migrate.results.store import Store

DOCUMENTED_CALLS_PER_SECOND = 50.0
"""RegisterMedia, an account (QPS limits page, 2024-10)."""
_HALF = 0.5
_TRIED = "connecting to the results database"


def store_checks(named: Callable[[], str], connection: Connection | None) -> list[Check]:
    """The checks database, schema and quota. named: gives the database's URL; may start the embedded one, and raise."""

    def reached() -> tuple[str, tuple[str | None, str]]:
        url = named()
        return url, schema_versions(url)

    try:
        url, (have, want) = TimedCall(reached).answer()
    except NoAnswer as error:
        return _away(StoreUnreachable(f"the results database gives {error}"))
    except VodMigrateError as error:
        return _away(error)
    checks = [ok("database", _TRIED, "it answers")]
    tried = "reading its schema's version"
    try:
        refuse_misfit(have, want)
    except StoreError as error:
        old = isinstance(error, StoreNotMigrated)
        fix = "run `vod-migrate db upgrade`" if old else "upgrade vod-migrate here, or name another database"
        why = "the database has no schema that this version can read"
        return [*checks, failed("schema", tried, error, fix), not_checked("quota", why)]
    checks.append(ok("schema", tried, f"schema {have}, which this version works with ({want})"))
    if connection is None:
        return [*checks, not_checked("quota", "there is no connection, so no account is named")]
    try:
        return [*checks, TimedCall(lambda: _quota_check(url, connection)).answer()]
    except (NoAnswer, StoreError) as error:
        return [*checks, not_checked("quota", str(error))]


def _away(error: VodMigrateError) -> list[Check]:
    fix = "start it, or correct VOD_MIGRATE_DATABASE_URL (inside Airflow: the connection vod_migrate_db)"
    why = "the database does not answer"
    return [failed("database", _TRIED, error, fix), not_checked("schema", why), not_checked("quota", why)]


def _quota_check(url: str, connection: Connection) -> Check:
    account, configured = connection.account, connection.calls_per_second
    tried = f"the pace of account {account}, compared with the connection's"
    with Store.open(url, connections=1, patience=0.0) as store:
        found = {(row[0], row[1], row[2]): (row[3], row[4]) for row in store.quotas()}.get((account, API, ""))
    if found is None:
        return ok("quota", tried, "the account has no pace yet; the first run makes it")
    rate, share = found
    conflict = rate_conflict(account, rate, configured)
    if conflict is not None:
        return failed(
            "quota", tried, conflict, "give both the same value; `vod-migrate quota` shows and changes the account's"
        )
    if rate > DOCUMENTED_CALLS_PER_SECOND:
        return warning(
            "quota", tried, f"{rate:g} calls/s; VOD documents {DOCUMENTED_CALLS_PER_SECOND:g} for an account",
            f"unless VOD granted you more: `vod-migrate quota {account} --calls-per-second 47`",
        )  # fmt: skip
    if share < _HALF:
        return warning(
            "quota", tried, f"{rate:g} calls/s, now slowed to {rate * share:.1f} since VOD throttles",
            "see which other programs use the account; the pace recovers by itself",
        )  # fmt: skip
    return ok("quota", tried, f"{rate:g} calls/s for all workers of the account")
