"""The canary: the first files of a run whose settings are not proven yet, sent alone, the oddest keys first.

Nothing else is sent before it has come back. What it tells:

    a file of it is registered, and the look at it finds nothing wrong    →  the run goes on
    VOD made another file's media of a key                                →  the run stops
    every file of it failed, and so did some from the backlog's far end   →  the run stops, and says what they share

A stopped canary costs nothing: its results are pending as before, without attempts. Settings are proven by any registered
file, of this run or an earlier one of the same file (its digest), so a nightly run has no canary. Neither has a run of mode
failed, whose files are known to be doubtful, nor one of ten files or fewer, which is its own canary.

One worker sends it, under a lock of the run, and the others wait. A worker that is killed after its call was recorded leaves
its media without a look.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from vod_migrate.errors import CanaryFailed, Interrupted
from vod_migrate.media import FILES_PER_CALL, Batch, MediaObject, Outcome, Reply, Verdict
from vod_migrate.migration.options import Mode
from vod_migrate.register.canary_keys import Failure, in_common, pick_canary
from vod_migrate.register.media_check import Match, MediaCheck
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.work import Work

log = logging.getLogger(__name__)

POOL_OBJECTS = 3_000
"""The first pages: enough to hold odd keys, listed within a second."""
POOL_SECONDS = 5.0
"""How long a slow listing is waited for."""
SECOND_OBJECTS = 3
LOCK_GLANCE_SECONDS = 0.5
_SHOWN = 3


class Looks(Protocol):
    """Looks media up."""

    def look(self, found: MediaObject, media_id: str) -> MediaCheck:
        """Whether a MediaId is the object's."""
        ...


class _Stage(Enum):
    WAITING = "for the lock"
    GATHERING = "keys"
    SENT = "to come back"
    LOOKING = "media up"
    OVER = "over"


@dataclass(kw_only=True, slots=True)
class _Sent:
    """A file that was sent, and what came back."""

    work: Work
    outcome: Outcome | None = None
    sighting: MediaCheck | None = None


class Canary:
    """The canary of one worker. All methods but `heard` are called by its feeding thread."""

    def __init__(
        self,
        *,
        store: Store,
        run: Run,
        looks: Looks | None,
        batches: Callable[[Sequence[Work]], list[Batch]],
        put: Callable[[Iterable[Batch]], None],
    ) -> None:
        """looks: None looks at nothing; batches: describes files, leaving out those refused; put: gives calls to be sent."""
        self._store = store
        self._run = run
        self._looks = looks
        self._batches = batches
        self._put = put
        self._held = ExitStack()
        self._lock = threading.Lock()
        self._sent: dict[int, _Sent] = {}
        self._second = False
        self._gathering_since: float | None = None
        self._next_glance = 0.0
        self._looker: threading.Thread | None = None
        self._stage = _Stage.OVER if run.mode is Mode.FAILED else _Stage.WAITING

    @property
    def pool(self) -> int:
        """How many objects to claim for choosing from; 0 when there is nothing to choose."""
        return 0 if self._stage is _Stage.OVER else POOL_OBJECTS

    def holds_back(self, token: uuid.UUID) -> bool:
        """Whether nothing may be sent now: this worker's canary is under way, or another's.

        Raises:
            CanaryFailed
        """
        if self._stage is _Stage.WAITING:
            self._try_to_begin()
            return self._stage is _Stage.WAITING
        if self._stage is _Stage.SENT and self._all_heard():
            self._judge_answers(token)
        elif self._stage is _Stage.LOOKING and (self._looker is None or not self._looker.is_alive()):
            self._judge_looks()
        return self._stage in (_Stage.SENT, _Stage.LOOKING)

    def took(self, works: Sequence[Work], token: uuid.UUID) -> bool:
        """Takes the oddest of some claimed works and releases the others; False: they are to be sent as usual."""
        if self._stage is _Stage.OVER:
            return False
        self._gathering_since = self._gathering_since or time.monotonic()
        listing = self._store.work_left(self._run.run_id)[0] > 0
        waited = time.monotonic() - self._gathering_since
        if listing and len(works) < POOL_OBJECTS and waited < POOL_SECONDS:
            self._store.release(token, [work.result_id for work in works])
            return True
        if len(works) <= FILES_PER_CALL:
            self._end()
            return False
        chosen = {id(found) for found in pick_canary([work.object for work in works])}
        self._store.release(token, [work.result_id for work in works if id(work.object) not in chosen])
        self._send([work for work in works if id(work.object) in chosen])
        return True

    def heard(self, reply: Reply) -> None:
        """A call came back; one that is not the canary's is none of its business."""
        if self._stage is not _Stage.SENT:
            return
        with self._lock:
            for outcome in reply.outcomes:
                if outcome.result_id in self._sent:
                    self._sent[outcome.result_id].outcome = outcome

    def close(self) -> None:
        """Gives the lock back, whatever came of it."""
        self._held.close()

    def _try_to_begin(self) -> None:
        if time.monotonic() < self._next_glance:
            return
        self._next_glance = time.monotonic() + LOCK_GLANCE_SECONDS
        held = ExitStack()
        if not held.enter_context(self._store.canary_lock(self._run.run_id)):
            held.close()
            return
        self._held = held
        # Only under the lock: a file is registered before it is looked at.
        if self._store.any_registered(self._run.run_id):
            self._end()
        else:
            self._stage = _Stage.GATHERING

    def _end(self) -> None:
        self._stage = _Stage.OVER
        self._held.close()

    def _send(self, works: Sequence[Work]) -> bool:
        batches = self._batches(works)
        sent = {entry.result_id for batch in batches for entry in batch.entries}
        if not sent:
            # All of them cannot even be described; the next ones are tried.
            return False
        with self._lock:
            self._sent |= {work.result_id: _Sent(work=work) for work in works if work.result_id in sent}
        self._stage = _Stage.SENT
        self._put(batches)
        return True

    def _all_heard(self) -> bool:
        with self._lock:
            return all(sent.outcome is not None for sent in self._sent.values())

    def _judge_answers(self, token: uuid.UUID) -> None:
        verdicts = {sent.outcome.verdict for sent in self._sent.values() if sent.outcome is not None}
        if verdicts & {Verdict.REGISTERED, Verdict.ALREADY_REGISTERED}:
            self._stage = _Stage.LOOKING
            self._looker = threading.Thread(target=self._look, name="canary", daemon=True)
            self._looker.start()
        elif verdicts != {Verdict.FAILED} or self._store.any_registered(self._run.run_id):
            # No clear word about a file is none about the settings; and a probe may have been accepted meanwhile.
            self._end()
        elif self._second or not self._send_second(token):
            raise self._all_failed()

    def _send_second(self, token: uuid.UUID) -> bool:
        """A second opinion from the far end of the backlog: one broken folder must not hold up a bucket for ever."""
        self._second = True
        return self._send(self._store.claim_last(self._run.run_id, token, most=SECOND_OBJECTS))

    def _look(self) -> None:
        looks = self._looks
        if looks is None:
            return

        def look(sent: _Sent) -> None:
            if sent.outcome is not None and sent.outcome.media_id is not None:
                sent.sighting = looks.look(sent.work.object, sent.outcome.media_id)

        with suppress(Interrupted), ThreadPoolExecutor(FILES_PER_CALL, thread_name_prefix="canary") as threads:
            list(threads.map(look, self._sent.values()))

    def _judge_looks(self) -> None:
        seen = [sent for sent in self._sent.values() if sent.sighting is not None]
        others = [sent for sent in seen if sent.sighting is not None and sent.sighting.seen is Match.OTHER]
        if others:
            raise self._another_file(others)
        unsure = [sent.sighting.told for sent in seen if sent.sighting and sent.sighting.seen is Match.NOT_CHECKED]
        if unsure:
            log.info("canary: %d of %d media were not checked: %s", len(unsure), len(seen), unsure[0])
        self._end()

    def _another_file(self, others: Sequence[_Sent]) -> CanaryFailed:
        self._take_back(wrong=[sent.work.result_id for sent in others])
        told = "; ".join(
            f"{sent.work.object.key!r}: {sent.sighting.told}" for sent in others[:_SHOWN] if sent.sighting is not None
        )
        encoding = self._run.spec.register_.url_encoding
        other = "raw" if encoding == "percent" else "percent"
        return CanaryFailed(
            f"VOD made another file's media of {len(others)} of the first {len(self._sent)} files ({told}), so nothing more was "
            f"sent. VOD reads a FileURL in another way than register.url_encoding: {encoding} writes it: set it to {other}, and "
            "delete these media in the VOD console if nobody needs them. Everything is pending as before",
            code="canary_other_file",
        )

    def _all_failed(self) -> CanaryFailed:
        self._take_back()
        failures = [
            Failure(found=sent.work.object, code=sent.outcome.code or "failed", message=sent.outcome.message or "")
            for sent in self._sent.values()
            if sent.outcome is not None
        ]
        rules = self._run.spec.register_
        processing = (
            f"workflow {rules.workflow_id}" if rules.workflow_id else f"template group {rules.template_group_id}"
        )
        shared = ", ".join(in_common(failures)) or "nothing that their keys show"
        codes = Counter(failure.code for failure in failures)
        answers = ", ".join(f"{code} for {count}" for code, count in codes.most_common())
        sample = ", ".join(repr(failure.found.key) for failure in failures[:_SHOWN])
        return CanaryFailed(
            f"not one of the first {len(failures)} files was registered ({answers}), so nothing more was sent. They have in "
            f"common: {shared}, and the {processing}. For example {sample}: {failures[0].message}. Check that bucket "
            f"{self._run.bucket} is added to VOD in this region, correct what they share or leave such files out with select, "
            "then run again; everything is pending as before",
            code="canary_failed",
        )

    def _take_back(self, *, wrong: Sequence[int] = ()) -> None:
        self._store.take_back(self._run.run_id, [sent.work for sent in self._sent.values()], wrong=wrong)
