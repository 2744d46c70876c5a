"""Compares OSS, the results and VOD for a migration, and puts right what was asked for.

Nothing is changed before the comparison has come to its end: what is to be done waits on disk. Then it is done in parts, each one transaction,
under a run of its own; ended in the middle, the next reconciliation goes on with the rest.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from vod_migrate.audit.drift import KINDS, Drift, Judgment, Repair
from vod_migrate.audit.reconciliation import Balance, Extent, Reconciliation
from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import Interrupted
from vod_migrate.media import MediaObject
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.results.actions import Deed
from vod_migrate.results.repairs import FactRead, FoundMedia
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.run.parts import Parts
from vod_migrate.run.request import Origin, build_request
from vod_migrate.run.settle import finish

_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Repaired:
    """What was put right. run_id: the run under which it happened, None where a run of mode new has to do it all; done: objects by kind.

    registers: how many that run has to register.
    """

    registers: int
    run_id: str | None = None
    done: Counter[Drift] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """What was found. planned: how many objects of the wanted kinds there are; repaired: None where nothing was to be done."""

    balance: Balance
    planned: Counter[Drift]
    repaired: Repaired | None

    @property
    def left(self) -> int:
        """In how many ways the books still differ, but for what a run has to register."""
        if self.repaired is None:
            return self.balance.differing
        return self.balance.differing - sum(self.repaired.done.values()) - self.planned[Drift.NEW]


def reconcile(
    *,
    store: Store,
    connection: Connection,
    migration: Migration,
    options: RunOptions,
    extent: Extent,
    stop: threading.Event,
    repair: Collection[Drift] = (),
    apply: bool = False,
    by: str = "",
    each: Callable[[Judgment], object] = lambda _: None,
) -> Reconciled:
    """Compares the books of a migration. repair: kinds to put right, apply: now, rather than only counting them; by: who asked.

    each: is given every judgment.


    What is new, or was forgotten to be registered again, is left to a run of mode new. Where VOD could not be asked to the end, nothing is
    put right.

    Raises:
        BadOption: see `prepare`. SourceError: the source cannot be listed. Interrupted. StoreUnreachable.
    """
    asked = build_request(connection=connection, migration=migration, options=options, origin=Origin())
    compared = Reconciliation(
        store=store,
        connection=connection,
        run=asked.run,
        prefixes=asked.prefixes,
        selection=Parts(store=store, connection=connection, run=asked.run, stop=stop).selection(),
        extent=extent,
        stop=stop,
    )
    with _Plan(repair) as plan:
        for judgment in compared.judgments():
            each(judgment)
            plan.add(judgment)
        repaired = None
        if apply and plan.counts and not compared.balance.trouble:
            repaired = Repaired(registers=plan.counts[Drift.NEW])
            if plan.kept:
                run = store.prepare_run(asked.run, spec_digest=migration.digest(), prefixes=(), whole=False)
                kinds = ", ".join(f"{count:,} {drift.value}" for drift, count in plan.counts.items())
                store.note_run_action(run, Deed.REPAIRED, by=by, detail=kinds)
                done = _repair(store, run, plan, stop)
                registers = repaired.registers + done[Drift.MEDIA_DELETED]
                repaired = Repaired(run_id=run.run_id, done=done, registers=registers)
        return Reconciled(balance=compared.balance, planned=plan.counts, repaired=repaired)


def _repair(store: Store, run: Run, plan: _Plan, stop: threading.Event) -> Counter[Drift]:
    done: Counter[Drift] = Counter()
    try:
        for drift, part in plan.parts():
            _check(stop, done)
            done[drift] += _ACTIONS[KINDS[drift].repair](store, run, part)
    except Interrupted:
        summary = finish(store=store, run_id=run.run_id)
        store.finish_run(run, state="interrupted", summary={**summary.as_json(), "state": "interrupted"})
        raise
    finish(store=store, run_id=run.run_id)
    return done


def _check(stop: threading.Event, done: Counter[Drift]) -> None:
    if stop.is_set():
        raise Interrupted(
            f"repairing was stopped after {sum(done.values()):,} objects; run the command again to go on",
            code="interrupted",
        )


def _mark_gone(store: Store, run: Run, part: Sequence[Judgment]) -> int:
    return store.mark_facts_gone(run, _as_read(part))


def _take_back(store: Store, run: Run, part: Sequence[Judgment]) -> int:
    return store.take_facts_back(run, _as_read(part))


def _forget(store: Store, run: Run, part: Sequence[Judgment]) -> int:
    return store.forget_facts(run, _as_read(part))


def _import(store: Store, run: Run, part: Sequence[Judgment]) -> int:
    return store.import_media(
        run,
        [
            FoundMedia(object=one.object, media_id=one.media_id)
            for one in part
            if one.object is not None and one.media_id is not None
        ],
    )


_ACTIONS: dict[Repair | None, Callable[[Store, Run, Sequence[Judgment]], int]] = {
    Repair.MARK_GONE: _mark_gone,
    Repair.TAKE_BACK: _take_back,
    Repair.FORGET: _forget,
    Repair.FORGET_AND_REGISTER: _forget,
    Repair.IMPORT: _import,
}


def _as_read(part: Sequence[Judgment]) -> list[FactRead]:
    return [FactRead(key=one.key, settled_at=one.settled_at) for one in part if one.settled_at is not None]


class _Plan:
    """What is to be put right, on disk: one line an object, but for what only a run can do. counts: by kind; kept: how many lines."""

    def __init__(self, kinds: Collection[Drift]) -> None:
        self._kinds = frozenset(kinds)
        self._file = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        self.counts: Counter[Drift] = Counter()
        self.kept = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, judgment: Judgment) -> None:
        """Keeps a judgment of a wanted kind."""
        if judgment.drift in self._kinds:
            self.counts[judgment.drift] += 1
            if KINDS[judgment.drift].repair is Repair.REGISTER:
                return
            self.kept += 1
            self._file.write(json.dumps(_as_json(judgment)) + "\n")

    def parts(self) -> Iterator[tuple[Drift, Sequence[Judgment]]]:
        """The judgments of one kind in parts, and then those of the next."""
        for drift in self.counts:
            self._file.seek(0)
            part: list[Judgment] = []
            for line in self._file:
                judgment = _from_json(json.loads(line))
                if judgment.drift is drift:
                    part.append(judgment)
                if len(part) == _AT_ONCE:
                    yield drift, part
                    part = []
            if part:
                yield drift, part


def _as_json(judgment: Judgment) -> dict[str, Any]:
    found = judgment.object
    return {
        "drift": judgment.drift.value,
        "key": judgment.key,
        "media_id": judgment.media_id,
        "settled_at": None if judgment.settled_at is None else judgment.settled_at.isoformat(),
        "object": None
        if found is None
        else {
            "bucket": found.bucket,
            "key": found.key,
            "size": found.size,
            "etag": found.etag,
            "storage_class": found.storage_class,
            "last_modified": None if found.last_modified is None else found.last_modified.isoformat(),
        },
    }


def _from_json(line: dict[str, Any]) -> Judgment:
    found = line["object"]
    if found is not None:
        found = MediaObject(**{**found, "last_modified": _moment(found["last_modified"])})
    return Judgment(
        drift=Drift(line["drift"]),
        key=line["key"],
        media_id=line["media_id"],
        settled_at=_moment(line["settled_at"]),
        object=found,
    )


def _moment(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)
