"""The canary: the first files of a run whose settings are not proven yet, sent alone, the oddest keys first.

Nothing else is sent before its replies are in. They decide:

    a file of it is registered, and checking its media finds nothing wrong  →  the run continues
    VOD registered another file than the one that was sent                  →  the run stops
    every file of it failed, and so did some from the backlog's far end     →  the run stops, and says what they share

A canary that stops the run costs nothing: its files are pending as before, without attempts. Settings are proven by any
registered file of this run, or of an earlier run of the same migration file (its digest), so a nightly run sends no canary.
Neither does a run of mode failed, whose files are known to be doubtful, nor one of ten files or fewer, which is its own canary.

One worker sends it, in the run's role `canary`, and the others wait. What its calls meant is recorded when it is judged, so if the
worker is killed before, the next one sends a canary again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum

from vod_migrate.errors import CanaryFailed, Interrupted
from vod_migrate.media import FILES_PER_CALL, Batch, Outcome, Reply, Verdict
from vod_migrate.migration.options import Mode
from vod_migrate.register.aside import Aside
from vod_migrate.register.canary_keys import Failure, in_common, pick_canary
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.media_check import Match, MediaCheck
from vod_migrate.results.claims import CANARY
from vod_migrate.results.work import Work

log = logging.getLogger(__name__)

POOL_OBJECTS = 3_000
"""The first pages: enough to hold odd keys, listed within a second."""
SECOND_OBJECTS = 3
_SHOWN = 3


class _Stage(Enum):
    WAITING = "waiting for the role"
    GATHERING = "gathering keys"
    SENT = "sent"
    CHECKING = "checking media"
    OVER = "over"


class Canary:
    """The canary of one worker. All methods but `received` are called by its feeding thread."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        batches: Callable[[Sequence[Work]], list[Batch]],
        aside: Aside,
    ) -> None:
        """batches: describes objects, leaving out those that cannot be described; aside: takes what is claimed with the canary."""
        self._context = context
        self._store = context.store
        self._run = context.run
        self._place = context.place
        self._timings = context.timings
        self._batches = batches
        self._aside = aside
        self._lock = threading.Lock()
        self._sent: dict[str, Work] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._checks: dict[str, MediaCheck] = {}
        self._second = False
        self._gathering_since: float | None = None
        self._next_try = 0.0
        self._checker: threading.Thread | None = None
        self._stage = _Stage.OVER if context.run.mode is Mode.FAILED else _Stage.WAITING

    @property
    def pool(self) -> int:
        """How many objects to claim for choosing from; 0 when there is nothing to choose."""
        return 0 if self._stage is _Stage.OVER else POOL_OBJECTS

    def holds_back(self) -> bool:
        """Whether nothing may be sent now: this worker's canary is under way, or another's.

        Raises:
            CanaryFailed
        """
        if self._stage is _Stage.WAITING:
            self._try_to_begin()
            return self._stage is _Stage.WAITING
        if self._stage is _Stage.SENT and self._all_received():
            self._judge_answers()
        elif self._stage is _Stage.CHECKING and (self._checker is None or not self._checker.is_alive()):
            self._judge_checks()
        return self._stage in (_Stage.SENT, _Stage.CHECKING)

    def took(self, works: Sequence[Work]) -> bool:
        """Takes the oddest of some claimed works and keeps the others back; False: they are to be sent as usual."""
        if self._stage is _Stage.OVER:
            return False
        self._gathering_since = self._gathering_since or time.monotonic()
        listing = self._store.work_left(self._run).open_scans > 0
        waited = time.monotonic() - self._gathering_since
        if listing and len(works) < POOL_OBJECTS and waited < self._timings.canary_pool:
            self._store.release(self._place, {work.block_id for work in works})
            return True
        if len(works) <= FILES_PER_CALL:
            self._end()
            return False
        chosen = {found.key for found in pick_canary([work.object for work in works])}
        rest = [work for work in works if work.key not in chosen]
        if self._send([work for work in works if work.key in chosen]):
            self._aside.put(rest)
        else:
            # None of them can even be described; the next ones are tried.
            self._store.release(self._place, {work.block_id for work in rest})
        return True

    def received(self, reply: Reply) -> None:
        """A call came back; replies to other calls are ignored."""
        if self._stage is not _Stage.SENT:
            return
        with self._lock:
            self._outcomes |= {outcome.key: outcome for outcome in reply.outcomes if outcome.key in self._sent}

    def _try_to_begin(self) -> None:
        if time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + self._timings.canary_lock
        if not self._store.take_role(self._run, self._place, CANARY):
            return
        self._stage = _Stage.GATHERING
        # Only in the role: until it is judged, what the canary of another worker registered is not recorded.
        if self._store.proven(self._run):
            self._end()

    def _end(self) -> None:
        """The run continues."""
        self._context.ledger.release()
        self._store.drop_role(self._run, self._place, CANARY)
        self._stage = _Stage.OVER

    def _send(self, works: Sequence[Work]) -> bool:
        batches = self._batches(works)
        described = {entry.key for batch in batches for entry in batch.entries}
        if not described:
            return False
        with self._lock:
            self._sent |= {work.key: work for work in works if work.key in described}
        self._context.ledger.hold()
        self._stage = _Stage.SENT
        self._context.hand.put(batches)
        return True

    def _all_received(self) -> bool:
        with self._lock:
            return len(self._outcomes) == len(self._sent)

    def _judge_answers(self) -> None:
        verdicts = {outcome.verdict for outcome in self._outcomes.values()}
        if verdicts & {Verdict.REGISTERED, Verdict.ALREADY_REGISTERED}:
            self._stage = _Stage.CHECKING
            self._checker = threading.Thread(target=self._check, name="canary", daemon=True)
            self._checker.start()
        elif verdicts != {Verdict.FAILED} or self._context.ledger.holds_success:
            # Unknown outcomes prove nothing about the settings; and a probe may have been accepted meanwhile.
            self._end()
        elif self._second or not self._send_second():
            raise self._all_failed()

    def _send_second(self) -> bool:
        """A second opinion from the far end of the backlog: one broken folder must not hold up a bucket for ever."""
        self._second = True
        return self._send(self._aside.far_end(SECOND_OBJECTS))

    def _check(self) -> None:
        def check(outcome: Outcome) -> None:
            if outcome.media_id is not None:
                found = self._sent[outcome.key].object
                self._checks[outcome.key] = self._context.check_media(found, outcome.media_id)

        with suppress(Interrupted), ThreadPoolExecutor(FILES_PER_CALL, thread_name_prefix="canary") as threads:
            list(threads.map(check, self._outcomes.values()))

    def _judge_checks(self) -> None:
        seen = [(key, self._checks[key]) for key in self._sent if key in self._checks]
        others = [(key, check) for key, check in seen if check.match is Match.OTHER]
        if others:
            raise self._another_file(others)
        unsure = [check.explanation for _, check in seen if check.match is Match.NOT_CHECKED]
        if unsure:
            log.info("canary: %d of %d media were not checked: %s", len(unsure), len(seen), unsure[0])
        self._end()

    def _another_file(self, others: Sequence[tuple[str, MediaCheck]]) -> CanaryFailed:
        examples = "; ".join(f"{key!r}: {check.explanation}" for key, check in others[:_SHOWN])
        encoding = self._run.spec.register_.url_encoding
        other = "raw" if encoding == "percent" else "percent"
        return CanaryFailed(
            f"VOD registered another file for {len(others)} of the first {len(self._sent)} files ({examples}), so nothing more was "
            f"sent. VOD does not decode FileURLs as register.url_encoding: {encoding} encodes them: set it to {other}, and "
            "delete these media in the VOD console if nobody needs them. All objects stay pending",
            code="canary_other_file",
        )

    def _all_failed(self) -> CanaryFailed:
        failures = [
            Failure(found=work.object, code=outcome.code or "failed", message=outcome.message or "")
            for work, outcome in ((work, self._outcomes[key]) for key, work in self._sent.items())
        ]
        rules = self._run.spec.register_
        processing = (
            f"workflow {rules.workflow_id}" if rules.workflow_id else f"template group {rules.template_group_id}"
        )
        shared = ", ".join(in_common(failures)) or "nothing in their keys"
        codes = Counter(failure.code for failure in failures)
        answers = ", ".join(f"{code} for {count}" for code, count in codes.most_common())
        sample = ", ".join(repr(failure.found.key) for failure in failures[:_SHOWN])
        return CanaryFailed(
            f"none of the first {len(failures)} files was registered ({answers}), so nothing more was sent. They have this in "
            f"common: {shared}, and the {processing}. For example {sample}: {failures[0].message}. Check that bucket "
            f"{self._run.bucket} is added to VOD in this region, correct what they share or leave such files out with select, "
            "then run again; all objects stay pending",
            code="canary_failed",
        )
