"""Why files of a run failed, as far as it was found out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, storable


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedObject:
    """An object as it was when it failed. size: bytes, and etag: None where a manifest did not say; sent: its RegisterMetadata but for the URL."""

    key: str
    code: str
    size: int | None
    etag: str | None
    storage_class: str | None
    sent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCause:
    """Why an object failed. cause: our code, '' where none was found; certain: False for what is only likely; ruled_out: the causes that it is not."""

    cause: str
    certain: bool
    evidence: str
    ruled_out: tuple[str, ...] = ()


class Diagnoses(Session):
    """Failed objects, and what was found about them."""

    def failure_codes(self, run: Run) -> list[str]:
        """The codes with which objects of a run failed."""
        return [row["code"] for row in self._ask(QUERIES.failure_codes, run_no=run.run_no)]

    def failures_spread(self, run: Run, code: str, most: int) -> list[FailedObject]:
        """Up to so many objects that failed with a code and have no diagnosis yet, from everywhere in the bucket."""
        return [_failed(row) for row in self._ask(QUERIES.failures_spread, **run.numbers, code=code, most=most)]

    def failures(self, run: Run, code: str) -> Iterator[FailedObject]:
        """All objects of a run that failed with a code, by key. Each stretch is a query of its own."""
        return map(_failed, self._walk(QUERIES.failures_after, {"key": ""}, **run.numbers, code=code))

    def save_diagnoses(self, run: Run, found: Sequence[tuple[FailedObject, FoundCause]]) -> None:
        """Keeps what was found; it takes the place of what was found before."""
        self._ask(
            QUERIES.save_diagnoses,
            run_no=run.run_no,
            keys=[one.key for one, _ in found],
            codes=[one.code for one, _ in found],
            causes=[cause.cause for _, cause in found],
            certain=[cause.certain for _, cause in found],
            evidence=[storable(cause.evidence) for _, cause in found],
            ruled_out=[" ".join(cause.ruled_out) for _, cause in found],
        )

    def registered_keys(self, run: Run, most: int) -> list[str]:
        """Some keys that were registered with the very settings of a run, by it or before."""
        return [row["key"] for row in self._ask(QUERIES.registered_keys, run_no=run.run_no, most=most)]

    def any_registered(self, run: Run) -> bool:
        """Whether a file of the run's bucket was ever registered."""
        return bool(self._ask(QUERIES.any_registered, source_id=run.source_id))


def _failed(row: Mapping[str, Any]) -> FailedObject:
    return FailedObject(**{**row, "sent": row["sent"] or {}})
