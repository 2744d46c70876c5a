"""What is registered, to be compared with what VOD and OSS say now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vod_migrate.migration.units import ALL_PARTS
from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session

_AT_ONCE = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredObject:
    """An object that has its MediaId. key: '' where only the MediaId is known; size: bytes, None where a manifest did not say."""

    key: str
    media_id: str
    size: int | None


class RegisteredFacts(Session):
    """Reads facts, and changes none."""

    def registered_objects(
        self, run: Run, *, whole: bool = False, millionths: int = ALL_PARTS, seed: int = 0
    ) -> Iterator[RegisteredObject]:
        """What a run registered, by key; whole: what its migration has in the run's bucket. Each stretch is a query of its own.

        millionths: how much of it, drawn by the seed.
        """
        return self._stretches(
            QUERIES.registered_objects,
            source_id=run.source_id,
            migration_id=run.migration_id,
            run_no=None if whole else run.run_no,
            millionths=millionths,
            all_parts=ALL_PARTS,
            seed=seed,
        )

    def registered_since(self, run: Run, since: dt.datetime) -> Iterator[RegisteredObject]:
        """What the migration of a run has registered in its bucket since a moment, by key. Each stretch is a query of its own."""
        return self._stretches(
            QUERIES.registered_since, source_id=run.source_id, migration_id=run.migration_id, since=since
        )

    def _stretches(self, query: Any, **values: Any) -> Iterator[RegisteredObject]:
        after = ""
        while True:
            rows = self._do(lambda c, after=after: list(query(c, **values, after=after, most=_AT_ONCE)))  # type: ignore[misc]
            for row in rows:
                yield RegisteredObject(**row)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1]["key"]

    def latest_runs_of_bucket(self, bucket: str) -> list[str]:
        """The newest run of each migration that has taken objects from a bucket."""
        return [row["run_id"] for row in self._do(lambda c: list(QUERIES.latest_runs_of_bucket(c, bucket=bucket)))]
