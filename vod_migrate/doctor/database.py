"""Whether the results database answers, can hold results, serves a run, fits this version, and agrees with the connection about the account's rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vod_migrate.cloud.connection import DEFAULT_ACCOUNT, Connection
from vod_migrate.doctor.checklist import Check, failed, none_checked, not_checked, ok, warning
from vod_migrate.errors import StoreError, StoreNotMigrated, VodMigrateError
from vod_migrate.rate.limiter import API, rate_conflict
from vod_migrate.report.rate_chart import DOCUMENTED_CALLS_PER_SECOND
from vod_migrate.results.database import (
    DatabaseState,
    database_state,
    refuse_misfit,
    refuse_too_few,
    refuse_unfit,
    refuse_ungranted,
)
from vod_migrate.results.session import RATE_CONNECTIONS, RUN_CONNECTIONS
from vod_migrate.results.store import Store

_HALF = 0.5
_TRIED = "connecting to the results database"


def database_checks(named: Callable[[], str], connection: Connection | None) -> Iterator[Check]:
    """The checks database, schema, grants, connections and quota. named: gives the address; may start the embedded one, and raise."""
    try:
        url = named()
        state = database_state(url)
        refuse_unfit(state)
    except VodMigrateError as error:
        yield database_away(error)
        yield from none_checked(("schema", "grants", "connections", "quota"), "the database is not usable")
        return
    yield ok("database", _TRIED, f"{state.database!r} responds, uses UTF-8 and is writable")
    yield (schema := _schema_check(state))
    yield (grants := _grants_check(state))
    yield _connections_check(url)
    if schema.error is not None or grants.error is not None:
        yield not_checked("quota", "the database's schema cannot be read")
    elif connection is None:
        yield not_checked("quota", "no usable connection, so the account is unknown")
    else:
        try:
            yield _quota_check(url, connection)
        except StoreError as error:
            yield not_checked("quota", str(error))


def _schema_check(state: DatabaseState) -> Check:
    tried = "reading its schema's version"
    if state.version is None and not state.may_use:
        return not_checked("schema", "this role has no permission to read it", tried=tried)
    try:
        refuse_misfit(state)
    except StoreError as error:
        old = isinstance(error, StoreNotMigrated)
        fix = "run `vod-migrate db upgrade`" if old else "upgrade vod-migrate here, or name another database"
        return failed("schema", tried, error, fix)
    return ok("schema", tried, f"schema {state.version}, which this version works with")


def _grants_check(state: DatabaseState) -> Check:
    tried = f"querying the privileges of the role {state.role!r}"
    try:
        refuse_ungranted(state)
    except StoreError as error:
        return failed("grants", tried, error, "run the SQL that the result names")
    return ok("grants", tried, "it can read and write all tables" if state.has_schema else "it can create the schema")


def _connections_check(url: str) -> Check:
    wanted = RUN_CONNECTIONS + RATE_CONNECTIONS
    tried = f"opening {wanted} connections at once, as a run does"
    try:
        refuse_too_few(url, wanted)
    except StoreError as error:
        return failed("connections", tried, error, "change the setting that the result names")
    return ok("connections", tried, "all of them respond")


def database_away(error: VodMigrateError) -> Check:
    """The check of a database that does not answer."""
    fix = "start it, or correct VOD_MIGRATE_DATABASE_URL (inside Airflow: the connection vod_migrate_db)"
    return failed("database", _TRIED, error, fix)


def _quota_check(url: str, connection: Connection) -> Check:
    account, configured = connection.account, connection.calls_per_second
    tried = f"comparing the rate of account {account} with the connection's"
    with Store.open(url, connections=1, patience=0.0) as store:
        found = {(row[0], row[1], row[2]): (row[3], row[4]) for row in store.quotas()}.get((account, API, ""))
        unnamed = store.connections_of_account(account) if account == DEFAULT_ACCOUNT else []
    if len(unnamed) > 1:
        return warning(
            "quota", tried, f"connections without an account name share one quota and one set of results: {', '.join(unnamed)}",
            "if they belong to different cloud accounts, give each its own Account name (VOD_MIGRATE_ACCOUNT in the environment)",
        )  # fmt: skip
    if found is None:
        return ok("quota", tried, "the account has no rate yet; its first run sets one")
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
            "quota", tried, f"{rate:g} calls/s, currently reduced to {rate * share:.1f} because VOD throttled calls",
            "find out which other programs use the account; the rate recovers by itself",
        )  # fmt: skip
    return ok("quota", tried, f"{rate:g} calls/s for all workers of the account")
