"""The descriptions that were sent, to be compared with what would be sent now, and corrected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from vod_migrate.results.books import Shelf
from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, storable


@dataclass(frozen=True, kw_only=True, slots=True)
class SentDescription:
    """The RegisterMetadata that was sent with a registered object, but for its URL; empty where its media was imported."""

    key: str
    media_id: str
    sent: Mapping[str, Any]
    etag: str | None
    settled_at: dt.datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """The fields of a media that are to change, with their new values."""

    of: SentDescription
    fields: Mapping[str, Any]


class Corrections(Session):
    """What was sent, and what took its place."""

    def sent_of_keys(self, shelf: Shelf, keys: Iterable[str]) -> dict[str, SentDescription]:
        """What was sent with those of some keys that are registered by the shelf's migration."""
        rows = self._ask(
            QUERIES.sent_of_keys,
            source_id=shelf.source_id,
            migration_id=shelf.migration_id,
            keys=[storable(key) for key in keys],
        )
        return {row["key"]: SentDescription(**row) for row in rows}

    def save_sent(self, run: Run, taken: Sequence[Correction]) -> int:
        """Records what VOD has taken under a run. Returns for how many objects; one that was settled since is left alone."""
        saved = self._ask(
            QUERIES.save_sent,
            source_id=run.source_id,
            run_no=run.run_no,
            keys=[one.of.key for one in taken],
            settled=[one.of.settled_at for one in taken],
            sent=[Jsonb(dict(one.fields)) for one in taken],
            changed=[", ".join(one.fields) for one in taken],
        )
        return int(saved)
