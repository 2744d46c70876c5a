"""What is registered, to be compared with what VOD and OSS say now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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

    def registered_objects(self, run: Run, *, whole: bool, millionths: int, seed: int) -> Iterator[RegisteredObject]:
        """What a run registered, by key; whole: what its migration has in the run's bucket. Each stretch is a query of its own.

        millionths: how much of it, drawn by the seed.
        """
        after = ""
        while True:
            rows = self._do(
                lambda c, after=after: list(  # type: ignore[misc]
                    QUERIES.registered_objects(
                        c,
                        source_id=run.source_id,
                        migration_id=run.migration_id,
                        run_no=None if whole else run.run_no,
                        millionths=millionths,
                        all_parts=ALL_PARTS,
                        seed=seed,
                        after=after,
                        most=_AT_ONCE,
                    )
                )
            )
            for row in rows:
                yield RegisteredObject(**row)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1]["key"]

    def latest_runs_of_bucket(self, bucket: str) -> list[str]:
        """The newest run of each migration that has taken objects from a bucket."""
        return [row["run_id"] for row in self._do(lambda c: list(QUERIES.latest_runs_of_bucket(c, bucket=bucket)))]
