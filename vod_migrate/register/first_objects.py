"""The first objects of a migration: some from all over its source, sent before the rest and looked at while the rest waits.

They come after the canary, which proves the settings with ten files: these prove that VOD can play what is registered. They are an
ordinary part of the queue, so whatever ends a worker, they are settled or pending, and whoever comes next goes on with them:

    nobody has settled so many yet     →  once the source is listed, the missing ones are drawn from the queue and sent
    they are sent                      →  VOD is asked until it has processed them, or until the time is over
    too many failed or cannot be played →  the run stops; the next one begins anew with others
    otherwise                          →  the rest is sent, or waits for the next run or for a person, as the file says

One worker does this in the run's role `canary`; its siblings and other runs of the migration wait.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum

from vod_migrate.errors import FirstFailed, FirstReached, Interrupted, Retryable, VodMigrateError
from vod_migrate.migration.checks import StagedStart
from vod_migrate.migration.options import Mode
from vod_migrate.migration.units import ALL_PARTS
from vod_migrate.register.aside import Aside
from vod_migrate.register.context import WorkerContext
from vod_migrate.results.claims import CANARY
from vod_migrate.results.first import FirstState
from vod_migrate.results.verifications import WRONG, Playback, Scope, Verification
from vod_migrate.results.work import Work

log = logging.getLogger(__name__)


class _Step(Enum):
    WAITING = "waiting for the role"
    LISTING = "waiting for the end of the listing"
    SENT = "sent"
    ASKING = "asking VOD"


class FirstObjects:
    """What one worker does about them. All methods are called by its feeding thread."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        put: Callable[[Sequence[Work]], None],
        aside: Aside,
        wait_for_listing: Callable[[], None],
    ) -> None:
        """put: sends some works; aside: what was claimed before; wait_for_listing: what to do while the source is listed."""
        self._context = context
        self._store = context.store
        self._run = context.run
        self._place = context.place
        self._timings = context.timings
        self._put = put
        self._aside = aside
        self._wait_for_listing = wait_for_listing
        self._since = dt.datetime.max.replace(tzinfo=dt.UTC)
        self._next_try = 0.0
        self._asking: threading.Thread | None = None
        self._found: Verification | None = None
        self._error: BaseException | None = None
        self._step = _Step.WAITING
        limit, rule = context.run.options.limit, context.run.spec.first
        few = rule is not None and limit is not None and limit <= rule.objects
        self._rule = None if few or context.run.mode is Mode.FAILED else rule
        """What the file says about them; None where they are nobody's business, or no longer."""

    def hold_back(self) -> bool:
        """Whether nothing else may be sent now; goes on with the first objects.

        Raises:
            FirstFailed, FirstReached: the run ends here for now. AccountStopped: VOD may not be asked.
        """
        rule = self._rule
        if rule is None:
            return False
        if self._step is _Step.WAITING:
            self._try_to_begin(rule.objects)
        elif self._step is _Step.LISTING:
            self._send_once_listed(rule.objects)
        elif self._step is _Step.SENT and not self._context.hand.busy:
            self._ask_vod(self._store.first_sent(self._run), rule)
        elif self._step is _Step.ASKING and (self._asking is None or not self._asking.is_alive()):
            self._judge(rule)
        return self._rule is not None

    def _try_to_begin(self, most: int) -> None:
        if waiting := self._aside.take():
            # What was claimed with the canary, so that whoever draws finds all of the queue.
            self._store.release(self._place, {work.block_id for work in waiting})
        if time.monotonic() < self._next_try:
            return
        self._next_try = time.monotonic() + self._timings.canary_lock
        if not self._store.take_role(self._run, self._place, CANARY):
            return
        first = self._store.take_first(self._run, most=most)
        if first.state is FirstState.ASKED:
            raise FirstReached(f"the first objects of {self._run.migration!r} wait for you: {self._yes}", code="first")
        if first.state is FirstState.PASSED:
            self._end()
        elif first.since is not None:
            self._since = first.since
            self._step = _Step.LISTING

    def _end(self) -> None:
        self._store.drop_role(self._run, self._place, CANARY)
        self._rule = None

    def _send_once_listed(self, most: int) -> None:
        if self._store.work_left(self._run).open_scans:
            self._wait_for_listing()
            return
        settled, _ = self._store.settled_since(self._run, self._since)
        works = self._store.claim_spread(
            self._run, self._place, most=max(0, most - settled), max_objects=self._run.pause_after.objects
        )
        log.info("%d first objects are sent, %d were before", len(works), settled)
        self._put(works)
        self._step = _Step.SENT

    def _ask_vod(self, sent: dt.datetime, rule: StagedStart) -> None:
        self._step = _Step.ASKING
        if rule.verify:
            until = sent + dt.timedelta(seconds=rule.timeout_seconds)
            self._asking = threading.Thread(target=self._ask_until, args=(until,), name="first", daemon=True)
            self._asking.start()

    def _ask_until(self, until: dt.datetime) -> None:
        try:
            with suppress(Interrupted):
                self._look_until(until)
        except BaseException as error:  # noqa: BLE001 - handed to the feeding thread
            self._error = error

    def _look_until(self, until: dt.datetime) -> None:
        """Asks VOD until it has processed all of them, too many cannot be played, or the time is over. What may go away is waited out."""
        looks = 0
        while True:
            try:
                found = self._context.verify(self._since)
            except VodMigrateError as error:
                if not isinstance(error, Retryable) or self._store.now() >= until:
                    raise
                log.warning("%s; VOD is queried again", error)
            else:
                self._found, looks = found, looks + 1
                log.info("first objects: %s", dict(found.counts))
                # A new media may not be found at the first look.
                unsure = found.counts[Playback.PROCESSING] + (looks == 1) * found.counts[Playback.MISSING]
                if not unsure or self._too_many(sure=looks > 1) or self._store.now() >= until:
                    return
            if self._context.halt.wait(self._timings.first_again):
                return

    def _too_many(self, *, sure: bool) -> bool:
        settled, failed = self._store.settled_since(self._run, self._since)
        return failed + self._unplayable(sure=sure) > self._run.spec.stop_after.failure_rate * settled

    def _unplayable(self, *, sure: bool) -> int:
        if self._found is None:
            return 0
        return self._found.wrong - (0 if sure else self._found.counts[Playback.MISSING])

    def _judge(self, rule: StagedStart) -> None:
        if self._error is not None:
            raise self._error
        if self._context.halt.asked:
            return
        settled, failed = self._store.settled_since(self._run, self._since)
        left = self._store.work_left(self._run)
        if not settled and left.waiting:
            # Nobody could be drawn, or nothing was answered about them.
            self._step = _Step.LISTING
            return
        if not settled:
            self._end()
            return
        found = self._found
        if found is not None:
            self._store.keep_verification(self._run, Scope.FIRST, found, millionths=ALL_PARTS, seed=0)
        if self._too_many(sure=True):
            self._store.close_first(self._run, FirstState.FAILED)
            raise FirstFailed(self._failure(settled, failed, rule.objects), code="first_failed")
        then = rule.then if left.waiting or left.alone else "continue"
        nothing_plays = found is not None and found.objects > 0 and found.counts[Playback.PROCESSING] == found.objects
        if then == "continue" and nothing_plays and left.waiting:
            then = "ask"
        self._store.close_first(self._run, FirstState.ASKED if then == "ask" else FirstState.PASSED)
        if then == "continue":
            self._end()
            return
        how = self._yes if then == "ask" else f"the next run of {self._run.migration!r} sends the rest"
        raise FirstReached(f"the first {settled:,} objects are done ({self._words(failed)}): {how}", code="first")

    @property
    def _yes(self) -> str:
        return f"look at them, then send the rest with `vod-migrate resume {self._run.migration}`, or resume the run in Airflow"

    def _words(self, failed: int) -> str:
        told = [f"{failed:,} failed"]
        if self._found is not None:
            counts = self._found.counts
            told += [
                f"VOD can play {counts[Playback.PLAYABLE]:,}",
                *(f"{counts[state]:,} {word}" for state, word in _WORDS.items() if counts[state]),
            ]
        return ", ".join(told)

    def _failure(self, settled: int, failed: int, most: int) -> str:
        rate = self._run.spec.stop_after.failure_rate
        samples = [] if self._found is None else [one for state in WRONG for one in self._found.samples.get(state, [])]
        example = f" For example {samples[0].key!r}: {samples[0].detail or 'not in VOD'}." if samples else ""
        return (
            f"of the first {settled:,} objects {self._words(failed)}: that is more than the {rate:.0%} that `stop_after.failure_rate` "
            f"allows, so nothing more was sent.{example} Correct the cause, then run again: another {most:,} objects are sent first. "
            "All other objects stay pending"
        )


_WORDS = {
    Playback.STORED: "are stored as files",
    Playback.NOT_DECODED: "are stored and not decoded",
    Playback.PROCESSING: "are still being processed",
    Playback.FAILED: "cannot be played",
    Playback.SOURCE_DELETED: "have lost their source",
    Playback.MISSING: "are not in VOD",
    Playback.OTHER_FILE: "are of another file",
}
