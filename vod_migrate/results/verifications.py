"""What VOD said about media when it was asked: whether it can play what was registered."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from psycopg.types.json import Jsonb

from vod_migrate.results.run import Run
from vod_migrate.results.scan import SAMPLES
from vod_migrate.results.session import QUERIES, Session, storable


class Playback(StrEnum):
    """Whether a media can be played."""

    PLAYABLE = "playable"
    STORED = "stored"
    """VOD has the file and was not asked to process it."""
    NOT_DECODED = "not_decoded"
    """The same, and VOD names no length of it: it has not read the file, or cannot decode it."""
    PROCESSING = "processing"
    FAILED = "failed"
    SOURCE_DELETED = "source_deleted"
    MISSING = "missing"
    OTHER_FILE = "other_file"


WRONG = (Playback.FAILED, Playback.SOURCE_DELETED, Playback.MISSING, Playback.OTHER_FILE)


class Scope(StrEnum):
    """What was asked about: what a run registered, the first objects of its migration, or all that its migration has."""

    RUN = "run"
    FIRST = "first"
    MIGRATION = "migration"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """An example. detail: what VOD says about it, '' where its state says everything."""

    key: str
    media_id: str
    detail: str


Look = tuple[Playback, Finding]


@dataclass(kw_only=True)
class Verification:
    """What was found. objects: how many were asked about; calls: of BatchGetMediaInfos; samples: up to five of each state that needs one."""

    objects: int = 0
    calls: int = 0
    counts: Counter[Playback] = field(default_factory=Counter)
    samples: dict[Playback, list[Finding]] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        """Objects whose media cannot be played, and will not be."""
        return sum(self.counts[state] for state in WRONG)

    def add(self, looks: Iterable[Look]) -> None:
        """The objects of one call."""
        self.calls += 1
        for playback, example in looks:
            self.objects += 1
            self.counts[playback] += 1
            if playback in (*WRONG, Playback.NOT_DECODED, Playback.PROCESSING) and self.counts[playback] <= SAMPLES:
                self.samples.setdefault(playback, []).append(example)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """As it is stored."""
        return cls(
            objects=body["objects"],
            calls=body["calls"],
            counts=Counter({Playback(state): number for state, number in body["counts"].items()}),
            samples={Playback(state): [Finding(**one) for one in found] for state, found in body["samples"].items()},
        )

    def as_json(self) -> dict[str, Any]:
        """For scripts, and as it is stored."""
        return {
            "objects": self.objects,
            "calls": self.calls,
            "counts": {state.value: self.counts[state] for state in Playback if self.counts[state]},
            "samples": {
                state.value: [{"key": one.key, "media_id": one.media_id, "detail": one.detail} for one in found]
                for state, found in self.samples.items()
            },
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationRecord:
    """What was found when VOD was last asked. millionths: how much of it was asked about, drawn by the seed."""

    scope: Scope
    at: dt.datetime
    millionths: int
    seed: int
    found: Verification

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From the query verifications_of_run."""
        return cls(**{**row, "scope": Scope(row["scope"]), "found": Verification.from_json(row["found"])})

    def as_json(self) -> dict[str, Any]:
        """JSON types; at: ISO 8601."""
        return {
            "scope": self.scope.value,
            "at": self.at.isoformat(),
            "sample": self.millionths / 1_000_000,
            "seed": self.seed,
            **self.found.as_json(),
        }


class Verifications(Session):
    """Keeps the newest of each scope with its run."""

    def keep_verification(self, run: Run, scope: Scope, found: Verification, *, millionths: int, seed: int) -> None:
        """What VOD said; it takes the place of what it said before."""
        body = found.as_json()
        for examples in body["samples"].values():
            for one in examples:
                one["detail"] = storable(one["detail"].encode(errors="replace").decode())
        self._ask(
            QUERIES.keep_verification,
            run_no=run.run_no,
            scope=scope.value,
            millionths=millionths,
            seed=seed,
            found=Jsonb(body),
        )
