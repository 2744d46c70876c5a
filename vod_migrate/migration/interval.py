"""Fills a run's date and data interval into a migration file: prefixes, the location of a manifest, the times of the selection."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from vod_migrate.errors import BadOption
from vod_migrate.migration.model import Migration
from vod_migrate.migration.source import Select
from vod_migrate.migration.templates import render

Interval = tuple[dt.datetime, dt.datetime]


def interval_variables(migration: Migration, date: dt.date | None, interval: Interval | None) -> dict[str, Any]:
    """The variables of a run's templates: the date, and the interval's start and end in the migration's time zone."""
    facts: dict[str, Any] = {}
    if date is not None:
        facts["date"] = date
    if interval is not None:
        facts["interval_start"], facts["interval_end"] = (moment.astimezone(migration.zone) for moment in interval)
    return facts


def resolve(
    migration: Migration, *, date: dt.date | None, given: bool, interval: Interval | None, listing: bool = True
) -> Migration:
    """The migration as one run uses it: locations filled in, the times of the selection with an offset.

    given: whether a person gave the date, which then stands for the interval: that local day from midnight to midnight.
    listing: whether the run reads its source at all; if not, it needs no date.

    Raises:
        BadOption: a location needs a date, or the selection an interval, that the run does not have.
    """
    if not listing:
        return migration
    facts: Mapping[str, Any] = interval_variables(migration, date, None if given else interval)
    source = migration.source
    if source.location:
        source = source.at(render(source.location, facts, "source location"))
    if given and date is not None:
        days = (date, date + dt.timedelta(days=1))
        start, end = (dt.datetime.combine(day, dt.time(), migration.zone) for day in days)
        facts = {"interval_start": start, "interval_end": end}
    return migration.model_copy(update={"source": source, "select": _windowed(migration, facts)})


def _windowed(migration: Migration, facts: Mapping[str, Any]) -> Select:
    select = migration.select
    resolved: dict[str, dt.datetime] = {}
    for name in ("modified_after", "modified_before"):
        edge = getattr(select, name)
        if isinstance(edge, str):
            moment = facts.get(edge)
            if moment is None:
                raise BadOption(
                    f"select.{name} is {edge}, and this run has no interval: start it by its schedule or a backfill, or give "
                    "it a date (--date YYYY-MM-DD), which stands for that whole day"
                )
            resolved[name] = moment
        elif edge is not None:
            resolved[name] = edge if edge.tzinfo is not None else edge.replace(tzinfo=migration.zone)
    if len(resolved) == 2 and resolved["modified_after"] >= resolved["modified_before"]:  # noqa: PLR2004 - both edges
        raise BadOption(
            f"select.modified_after is {resolved['modified_after']}, which is not before modified_before "
            f"{resolved['modified_before']}: no object would be taken"
        )
    return select.model_copy(update=resolved)
