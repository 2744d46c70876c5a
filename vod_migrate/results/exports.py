"""What was exported after runs, and up to when: so that the next export can hold only what has changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session


class Exports(Session):
    """Notes exports with their runs."""

    def export_moment(self) -> dt.datetime:
        """Whatever was recorded before this time can be seen by a query that begins now.

        A fact has the time at which its transaction began, and can be seen when that ends: so it is the beginning of the oldest
        transaction that has not ended.
        """
        moment: dt.datetime = self._ask(QUERIES.export_moment)
        return moment

    def export_base(self, run: Run) -> dt.datetime | None:
        """From when on a run that exports only changes has to look; None: it exports everything."""
        export = run.spec.export
        if export is None or not export.only_changes:
            return None
        same = Jsonb(export.model_dump(mode="json", include={"to", "format", "rows"}))
        found: dt.datetime | None = self._ask(QUERIES.export_base, run_no=run.run_no, same=same)
        return found

    def note_export(
        self, run: Run, *, exported: Mapping[str, Any], since: dt.datetime | None, until: dt.datetime
    ) -> None:
        """A table was written after a run. exported: where, and how many rows; since, until: from `export_base` and `export_moment`."""
        times = {"since": None if since is None else since.isoformat(), "until": until.isoformat()}
        self._ask(QUERIES.note_export, run_no=run.run_no, exported=Jsonb({**exported, **times}))
