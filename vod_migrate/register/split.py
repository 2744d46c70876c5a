"""Halves a refused batch until the refused files stand alone, and tells files at fault from settings at fault."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence

from vod_migrate.errors import AllRefused, RequestRefused
from vod_migrate.media import Batch, Entry, Outcome, Reply, Verdict
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.recorder import settle_refused
from vod_migrate.register.registrar import Registrar
from vod_migrate.results.work import Settlement

PROBED_OBJECTS = 3


class Split:
    """Halves a refused batch until the refused files stand alone: at most 8 extra calls for one in ten."""

    def __init__(self, inner: Registrar, *, fail: Callable[[Sequence[Settlement]], None], proof: SendProof) -> None:
        """fail: records files that were refused although each was alone in its call."""
        self._inner = inner
        self._fail = fail
        self._proof = proof

    def register(self, batch: Batch) -> Reply:
        """Sends a batch and isolates what it is refused for.

        Raises:
            AllRefused: every file was refused with one code, VOD accepted nothing of this run since, and other files that
                were tried fare no better.
        """
        alone: list[tuple[Entry, RequestRefused]] = []
        began: list[dt.datetime] = []
        outcomes = self._send(batch, alone, began)
        if alone:
            codes = {refusal.code for _, refusal in alone}
            if len(alone) == len(batch) and len(codes) == 1 and not self._settings_work(began[0]):
                code = codes.pop()
                raise AllRefused(
                    f"VOD refuses every file with {code}, so the settings are at fault, not the files: {alone[0][1]}. "
                    "No file was marked as failed; correct the migration file and run it again",
                    code="all_refused",
                )
            self._fail([settle_refused(entry, refusal) for entry, refusal in alone])
        return Reply(request_id=None, outcomes=tuple(outcomes))

    def _settings_work(self, began: dt.datetime) -> bool:
        return self._proof.accepted_since(began) or self._proof.probe(self._inner)

    def _send(self, batch: Batch, alone: list[tuple[Entry, RequestRefused]], began: list[dt.datetime]) -> list[Outcome]:
        try:
            return list(self._inner.register(batch).outcomes)
        except RequestRefused as refusal:
            began.append(dt.datetime.now(dt.UTC))
            if len(batch) == 1:
                entry = batch.entries[0]
                alone.append((entry, refusal))
                return [Outcome(key=entry.key, verdict=Verdict.FAILED, code=refusal.code, message=str(refusal))]
        first, second = batch.split()
        return self._send(first, alone, began) + self._send(second, alone, began)


class SendProof:
    """Whether the settings are right while files are refused, from what this worker and its siblings send.

    What was accepted before proves nothing: settings break, too.
    """

    def __init__(self, context: WorkerContext, far_end: Callable[[int], Sequence[Entry]]) -> None:
        """far_end: gives some entries from the end of the backlog."""
        self._context = context
        self._far_end = far_end
        self._lock = threading.Lock()
        self._accepted_at = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._accepted: Entry | None = None

    def accepted(self, batch: Batch, began: dt.datetime) -> None:
        """VOD accepted a call that began then."""
        with self._lock:
            self._accepted_at = max(self._accepted_at, began)
            self._accepted = batch.entries[-1]

    def accepted_since(self, moment: dt.datetime) -> bool:
        """Whether VOD accepted a call of the run that began after a moment."""
        return self._accepted_at > moment or self._context.store.accepted_since(self._context.run, moment)

    def probe(self, registrar: Registrar) -> bool:
        """Whether VOD accepts a file from the far end of the backlog, or once more one that it accepted before."""
        hand = self._context.hand
        batch = hand.take_last()
        if batch is not None:
            tried, rest = batch.entries[-PROBED_OBJECTS:], batch.entries[:-PROBED_OBJECTS]
        else:
            tried, rest = tuple(self._far_end(PROBED_OBJECTS)), ()
        accepted = next((entry for entry in tried if self._is_accepted(registrar, entry)), None)
        left = (*rest, *(entry for entry in tried if entry is not accepted))
        hand.put([self._batch(*left)] if left else [])
        # VOD answers with the same MediaId when a file is sent again, so this changes nothing.
        return accepted is not None or (self._accepted is not None and self._is_accepted(registrar, self._accepted))

    def _is_accepted(self, registrar: Registrar, entry: Entry) -> bool:
        try:
            registrar.register(self._batch(entry))
        except RequestRefused:
            return False
        return True

    def _batch(self, *entries: Entry) -> Batch:
        return Batch(storage_address=self._context.describer.storage_address, entries=entries)
