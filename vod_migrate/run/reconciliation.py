"""Compares OSS, the results and VOD for a migration, and puts right what was asked for.

Nothing is changed before the comparison has come to its end: what is to be done waits on disk. Then it is done in parts, each one transaction,
under a run of its own; ended in the middle, the next reconciliation goes on with the rest.
"""

from __future__ import annotations

import pickle
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from tempfile import TemporaryFile
from typing import IO

from vod_migrate.audit.drift import KINDS, Drift, Judgment, Repair
from vod_migrate.audit.reconciliation import Balance, Extent, Reconciliation
from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import Interrupted
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.results.actions import Deed
from vod_migrate.results.repairs import FactRead, FoundMedia
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.run.parts import selection_of
from vod_migrate.run.request import Origin, build_request
from vod_migrate.run.settle import finishing

_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Repaired:
    """What was put right. run_id: the run under which it happened, None where a run of mode new has to do it all; done: objects by kind.

    registers: how many that run has to register.
    """

    registers: int
    run_id: str | None
    done: Counter[Drift]


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
        selection=selection_of(asked.run),
        extent=extent,
        stop=stop,
    )
    with TemporaryFile() as file:
        plan = _Plan(repair, file)
        for judgment in compared.judgments():
            each(judgment)
            plan.add(judgment)
        repaired = None
        if apply and plan.counts and not compared.balance.trouble:
            run_id, done = None, Counter[Drift]()
            if plan.kept:
                run = store.prepare_run(asked.run, prefixes=(), whole=False)
                run_id = run.run_id
                kinds = ", ".join(f"{count:,} {drift.value}" for drift, count in plan.counts.items())
                store.note_run_action(run, Deed.REPAIRED, by=by, detail=kinds)
                done = _repair(store, run, plan, stop)
            registers = plan.counts[Drift.NEW] + done[Drift.MEDIA_DELETED]
            repaired = Repaired(run_id=run_id, done=done, registers=registers)
        return Reconciled(balance=compared.balance, planned=plan.counts, repaired=repaired)


def _repair(store: Store, run: Run, plan: _Plan, stop: threading.Event) -> Counter[Drift]:
    done: Counter[Drift] = Counter()
    with finishing(store, run, interrupted_by=Interrupted):
        for drift, part in plan.parts():
            if stop.is_set():
                raise Interrupted(
                    f"repairing was stopped after {sum(done.values()):,} objects; run the command again to continue",
                    code="interrupted",
                )
            done[drift] += _put_right(store, run, KINDS[drift].repair, part)
    return done


def _put_right(store: Store, run: Run, repair: Repair | None, part: Sequence[Judgment]) -> int:
    if repair is Repair.IMPORT:
        known = ((one.object, one.media_id) for one in part)
        return store.import_media(
            run,
            [
                FoundMedia(object=found, media_id=media_id)
                for found, media_id in known
                if found and media_id is not None
            ],
        )
    facts = [FactRead(key=one.key, settled_at=one.settled_at) for one in part if one.settled_at is not None]
    if repair in (Repair.MARK_GONE, Repair.TAKE_BACK):
        return store.mark_facts(run, facts, gone=repair is Repair.MARK_GONE)
    return store.forget_facts(run, facts)


class _Plan:
    """What is to be put right, on disk, but for what only a run can do. counts: by kind; kept: how many judgments."""

    def __init__(self, kinds: Collection[Drift], file: IO[bytes]) -> None:
        self._kinds = frozenset(kinds)
        self._file = file
        self.counts: Counter[Drift] = Counter()
        self.kept = 0

    def add(self, judgment: Judgment) -> None:
        """Keeps a judgment of a wanted kind."""
        if judgment.drift in self._kinds:
            self.counts[judgment.drift] += 1
            if KINDS[judgment.drift].repair is not Repair.REGISTER:
                self.kept += 1
                pickle.dump(judgment, self._file)

    def parts(self) -> Iterator[tuple[Drift, Sequence[Judgment]]]:
        """The judgments of one kind in parts, and then those of the next."""
        for drift in self.counts:
            self._file.seek(0)
            kept = (pickle.load(self._file) for _ in range(self.kept))  # noqa: S301 - what `add` has written
            wanted = (judgment for judgment in kept if judgment.drift is drift)
            while part := list(islice(wanted, _AT_ONCE)):
                yield drift, part
