"""Every migration in one line: what became of its objects, its newest run, and its last thirty nights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from vod_migrate.report.browse.access import QUERIES, Readable, read_only, reading
from vod_migrate.report.loader import QUERIES as RUN_QUERIES
from vod_migrate.results.store import Store

NIGHTS = 30
MIGRATIONS_A_PAGE = 40
_MOST_RUNS = 150  # of one migration in its nights: five a night, before the oldest are left out


@dataclass(frozen=True, kw_only=True, slots=True)
class Night:
    """What the runs that began on one date did, in objects. registered: new in VOD, or known to it already."""

    date: dt.date
    registered: int = 0
    failed: int = 0
    runs: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LastRun:
    """The newest run of a migration that the reader may see."""

    run_id: str
    bucket: str
    state: str
    dag_id: str | None
    dag_run_id: str | None
    started: dt.datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationLine:
    """A migration of an account. The numbers are objects by their present state; pending: those that were never settled.

    dag_ids: the DAGs that have run it, of those that the reader may see; nights: the last NIGHTS dates in the migration's zone, the
    oldest first, also those without a run.
    """

    account: str
    migration: str
    dag_ids: tuple[str, ...]
    pending: int
    registered: int
    failed: int
    gone: int
    last: LastRun | None
    nights: tuple[Night, ...]

    @property
    def objects(self) -> int:
        """All that are still there."""
        return self.pending + self.registered + self.failed

    @property
    def done(self) -> float:
        """The share that is registered, 0 to 1; nothing at all is not done."""
        return self.registered / self.objects if self.objects else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationsPage:
    """Migrations by name. more: (migration, account) after which the next page begins, None on the last one."""

    lines: tuple[MigrationLine, ...]
    more: tuple[str, str] | None


def migrations_page(
    store: Store,
    *,
    readable: Readable,
    named: str = "",
    after: tuple[str, str] | None = None,
    most: int = MIGRATIONS_A_PAGE,
) -> MigrationsPage:
    """The migrations that have run at least once, by name, from (migration, account) on. named: what their names contain."""
    name, account = after or (None, None)
    lines = _lines(store, readable=readable, most=most + 1, named=named, after_migration=name, after_account=account)
    shown = tuple(lines[:most])
    return MigrationsPage(lines=shown, more=(shown[-1].migration, shown[-1].account) if len(lines) > most else None)


def migration_line(store: Store, account: str, migration: str, *, readable: Readable) -> MigrationLine | None:
    """One migration; None where there is none or its reader may not see it."""
    return next(iter(_lines(store, readable=readable, most=1, account=account, migration=migration)), None)


def migration_dags(store: Store, account: str, migration: str) -> frozenset[str]:
    """The DAGs that have run a migration, whoever may see them; '' stands for the command line. Empty where there is no such migration."""
    with read_only(store) as connection:
        return frozenset(
            row["dag_id"] for row in RUN_QUERIES.migration_dags(connection, account=account, migration=migration)
        )


def _lines(store: Store, *, readable: Readable, most: int, **narrowed: Any) -> list[MigrationLine]:
    unnamed: dict[str, Any] = dict.fromkeys(("account", "migration", "named", "after_migration", "after_account"))
    with reading(store, readable) as reader:
        rows = reader.rows(QUERIES.migration_lines, most=most, **(unnamed | narrowed))
        migrations = [row["migration_id"] for row in rows]
        counted = reader.rows(QUERIES.nights, migrations=migrations, nights=NIGHTS, most=_MOST_RUNS)
    nights: dict[int, dict[dt.date, Night]] = {}
    for row in counted:
        of_migration = nights.setdefault(row.pop("migration_id"), {})
        of_migration[row["date"]] = Night(**row)
    return [_line(row, nights.get(row["migration_id"], {})) for row in rows]


def _line(row: Mapping[str, Any], nights: dict[dt.date, Night]) -> MigrationLine:
    counts = ("account", "migration", "pending", "registered", "failed", "gone")
    today = row["now"].astimezone(ZoneInfo(row["timezone"])).date()
    dates = [today - dt.timedelta(days=back) for back in range(NIGHTS - 1, -1, -1)]
    return MigrationLine(
        **{name: row[name] for name in counts},
        dag_ids=tuple(row["dag_ids"] or ()),
        last=None if row["run_id"] is None else LastRun(**{name: row[name] for name in LastRun.__slots__}),
        nights=tuple(nights.get(date) or Night(date=date) for date in dates),
    )
