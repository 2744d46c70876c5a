"""What is known about objects, whatever run found it out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vod_migrate.media import MediaObject
from vod_migrate.migration.units import ALL_PARTS
from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, storable

LEAST_ALIKE = 65_536
"""Bytes from which files count as alike: the index objects_by_content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alike:
    """A registered key with the size and ETag of another. gone: it is known to have left the bucket."""

    key: str
    gone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredObject:
    """An object that has its MediaId. key: '' where only the MediaId is known; size: bytes, None where a manifest did not say."""

    key: str
    media_id: str
    size: int | None


class Facts(Session):
    """What can be asked about objects."""

    def alike_among(self, source_id: int, found: Iterable[MediaObject]) -> dict[str, Alike]:
        """Those of some objects that nobody has settled and that have size and ETag of a registered one: that one by their keys."""
        asked = [one for one in found if one.etag is not None and (one.size or 0) >= LEAST_ALIKE]
        if not asked:
            return {}
        rows = self._ask(
            QUERIES.alike_among,
            source_id=source_id,
            keys=[one.key for one in asked],
            sizes=[one.size for one in asked],
            etags=[one.etag for one in asked],
        )
        return {row["key"]: Alike(key=row["other"], gone=row["gone"]) for row in rows}

    def registered_among(self, account: str, bucket: str, keys: Iterable[str]) -> set[str]:
        """Those of some keys that have been registered, by whatever migration."""
        asked = [storable(key) for key in keys]
        rows = self._ask(QUERIES.registered_among, account=account, bucket=bucket, keys=asked)
        return {row["key"] for row in rows}

    def registered_objects(
        self, run: Run, *, whole: bool = False, millionths: int = ALL_PARTS, seed: int = 0
    ) -> Iterator[RegisteredObject]:
        """What a run registered, by key; whole: what its migration has in the run's bucket. Each stretch is a query of its own.

        millionths: how much of it, drawn by the seed.
        """
        rows = self._walk(
            QUERIES.registered_objects,
            {"key": ""},
            source_id=run.source_id,
            migration_id=run.migration_id,
            run_no=None if whole else run.run_no,
            millionths=millionths,
            all_parts=ALL_PARTS,
            seed=seed,
        )
        return (RegisteredObject(**row) for row in rows)

    def registered_since(self, run: Run, since: dt.datetime) -> Iterator[RegisteredObject]:
        """What the migration of a run has registered in its bucket since a moment, by key. Each stretch is a query of its own."""
        return (
            RegisteredObject(**row)
            for row in self._walk(QUERIES.registered_since, {"key": ""}, **run.numbers, since=since)
        )

    def latest_runs_of_bucket(self, bucket: str) -> list[str]:
        """The newest run of each migration that has taken objects from a bucket."""
        return [row["run_id"] for row in self._ask(QUERIES.latest_runs_of_bucket, bucket=bucket)]
