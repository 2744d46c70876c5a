"""Nights of two migrations, films and shows, as the pages read them."""

from __future__ import annotations

from typing import Any

from rigging import Rig

from vod_migrate.migration.options import parse_options
from vod_migrate.report.browse.objects import ObjectLine
from vod_migrate.results.run import Run
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin
from vod_migrate.run.settle import finish

FILMS, SHOWS = frozenset({"films_dag"}), frozenset({"shows_dag"})
EVERYTHING = None


def night(rig: Rig, name: str, dag_run_id: str = "one", *, by_hand: bool = False, **options: Any) -> Run:
    """A whole run of a migration over the prefix of its own name, in Airflow or by hand."""
    origin = (
        Origin() if by_hand else (Origin(kind="airflow", dag_id=f"{name}_dag", dag_run_id=dag_run_id, task_group=""))
    )
    run = prepare(
        store=rig.store,
        connection=rig.connection,
        migration=rig.migration(name, source={"prefixes": [f"{name}/"]}),
        options=parse_options(options),
        origin=origin,
    )
    rig.discover(run)
    rig.register(run)
    finish(store=rig.store, run_id=run.run_id)
    return run


def at(line: ObjectLine) -> tuple[str, str, str]:
    """What names an object."""
    return line.account, line.bucket, line.key


def keys(page: Any) -> list[str]:
    return [line.key for line in page.lines]
