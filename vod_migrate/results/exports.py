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
        moment: dt.datetime = self._do(QUERIES.export_moment)
        return moment

    def note_export(self, run: Run, *, exported: Mapping[str, Any], until: dt.datetime) -> None:
        """A table was written after a run. exported: where, and how many rows; until: from `export_moment`, before it was read."""
        noted = Jsonb({**exported, "until": until.isoformat()})
        self._do(lambda c: QUERIES.note_export(c, run_no=run.run_no, exported=noted))

    def last_export(self, run: Run) -> dt.datetime | None:
        """Until when the migration's results were exported as the run's file says; None where they never were."""
        export = run.spec.export
        if export is None:
            return None
        same = Jsonb(export.model_dump(mode="json", include={"to", "format", "rows"}))
        found: dt.datetime | None = self._do(lambda c: QUERIES.last_export(c, migration_id=run.migration_id, same=same))
        return found
