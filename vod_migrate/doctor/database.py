"""Whether the results database answers, fits this version, and agrees with the connection about the account's rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok, warning
from vod_migrate.errors import StoreError, StoreNotMigrated, VodMigrateError
from vod_migrate.rate.limiter import API, rate_conflict
from vod_migrate.results.database import refuse_misfit, schema_versions
from vod_migrate.results.store import Store

DOCUMENTED_CALLS_PER_SECOND = 50.0
"""RegisterMedia, per account (QPS limits page, 2024-10)."""
_HALF = 0.5
_TRIED = "connecting to the results database"


def database_checks(named: Callable[[], str], connection: Connection | None) -> Iterator[Check]:
    """The checks database, schema and quota. named: gives the database's URL; may start the embedded one, and raise."""
    try:
        url = named()
        have, want = schema_versions(url)
    except VodMigrateError as error:
        yield database_away(error)
        yield from (not_checked(name, "the database does not answer") for name in ("schema", "quota"))
        return
    yield ok("database", _TRIED, "it answers")
    tried = "reading its schema's version"
    try:
        refuse_misfit(have, want)
    except StoreError as error:
        old = isinstance(error, StoreNotMigrated)
        fix = "run `vod-migrate db upgrade`" if old else "upgrade vod-migrate here, or name another database"
        yield failed("schema", tried, error, fix)
        yield not_checked("quota", "this version cannot read the database's schema")
        return
    yield ok("schema", tried, f"schema {have}, which this version works with ({want})")
    if connection is None:
        yield not_checked("quota", "there is no connection, so no account is named")
        return
    try:
        yield _quota_check(url, connection)
    except StoreError as error:
        yield not_checked("quota", str(error))


def database_away(error: VodMigrateError) -> Check:
    """The check of a database that does not answer."""
    fix = "start it, or correct VOD_MIGRATE_DATABASE_URL (inside Airflow: the connection vod_migrate_db)"
    return failed("database", _TRIED, error, fix)


def _quota_check(url: str, connection: Connection) -> Check:
    account, configured = connection.account, connection.calls_per_second
    tried = f"comparing the rate of account {account} with the connection's"
    with Store.open(url, connections=1, patience=0.0) as store:
        found = {(row[0], row[1], row[2]): (row[3], row[4]) for row in store.quotas()}.get((account, API, ""))
    if found is None:
        return ok("quota", tried, "the account has no rate yet; the first run sets it")
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
            "quota", tried, f"{rate:g} calls/s, now slowed to {rate * share:.1f} because VOD throttles",
            "find out which other programs use the account; the rate recovers by itself",
        )  # fmt: skip
    return ok("quota", tried, f"{rate:g} calls/s for all workers of the account")
