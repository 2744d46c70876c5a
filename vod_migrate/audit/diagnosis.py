"""Finds out why files of a run failed, and keeps what it found: some of each code after every run, all of them when asked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from vod_migrate.audit.cause import Look, Surroundings, cause_of, differs
from vod_migrate.audit.experiment import Experiments
from vod_migrate.audit.media_states import MOST_IDS, MediaStates
from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss_reason import OssReason
from vod_migrate.cloud.retry import patiently
from vod_migrate.errors import BadSetting, Interrupted, RegisterError, SourceError
from vod_migrate.report.diagnosis import gives_no_reason
from vod_migrate.results.diagnoses import FailedObject, FoundCause
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

log = logging.getLogger(__name__)

SAMPLE = 50
"""Objects of each code that are examined after every run: at most three requests for each."""
AFTER_RUN_SECONDS = 60.0
"""How long that may take: the report waits for it."""
_TRIES = 4
_THREADS = 8
_REGISTERED_KEYS = 2_000
"""How many registered keys are looked at to learn which encoding VOD reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """objects: how many were examined; named: for how many a cause was found."""

    objects: int
    named: int


class Examiner:
    """Examines failed objects of one run. stop: ends every waiting."""

    def __init__(
        self, store: Store, connection: Connection, run: Run, *, stop: threading.Event, experiments: int = 0
    ) -> None:
        """experiments: for how many objects without a certain cause another way of sending them is tried."""
        self._left = experiments
        self._experiments = Experiments(store, connection, run, stop=stop) if experiments else None
        self._store = store
        self._run = run
        self._client = open_bucket(connection, run.bucket)
        self._states = MediaStates(connection, store, stop=stop)
        self._sleep = StopClock(stop).sleep
        self._stop = stop
        region = patiently(partial(_region_of, self._client), sleep=self._sleep, tries=_TRIES)
        self._around = _surroundings(store, connection, run, region)

    def sample(self, codes: Sequence[str], *, most: int = SAMPLE, seconds: float = AFTER_RUN_SECONDS) -> Examined:
        """Up to so many of each code that have no diagnosis yet, from everywhere in the bucket."""
        until = time.monotonic() + seconds
        found = (one for code in codes for one in self._store.failures_spread(self._run, code, most))
        return self._examine(found, over=lambda: time.monotonic() > until)

    def all(self, codes: Sequence[str]) -> Examined:
        """Every one, again if it was examined before."""
        return self._examine(one for code in codes for one in self._store.failures(self._run, code))

    def _examine(self, failed: Iterable[FailedObject], *, over: Callable[[], bool] = lambda: False) -> Examined:
        objects = named = 0
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="examine") as pool:
            rest = iter(failed)
            while part := list(islice(rest, MOST_IDS)):
                if self._stop.is_set() or over():
                    break
                causes = [
                    self._tried(one, found)
                    for one, found in zip(part, pool.map(self._cause_of, self._looks(part)), strict=True)
                ]
                self._store.save_diagnoses(self._run, list(zip(part, causes, strict=True)))
                objects += len(part)
                named += sum(1 for one in causes if one.cause)
        return Examined(objects=objects, named=named)

    def _tried(self, failed: FailedObject, found: FoundCause) -> FoundCause:
        if self._experiments is None or found.certain or not self._left:
            return found
        self._left -= 1
        return self._experiments.proven(failed, found)

    def _looks(self, part: Sequence[FailedObject]) -> list[Look]:
        sent = {str(one.sent["ReferenceId"]) for one in part if one.sent.get("ReferenceId")}
        holders = self._states.holders(sorted(sent)) if sent else {}
        return [
            Look(
                failed=one,
                around=self._around,
                client=self._client,
                holder=holders.get(str(one.sent.get("ReferenceId"))),
            )
            for one in part
        ]

    def _cause_of(self, look: Look) -> FoundCause:
        return patiently(lambda: cause_of(look), sleep=self._sleep, tries=_TRIES)


def codes_without_reason(store: Store, run: Run) -> list[str]:
    """The codes of a run that do not say why."""
    return [code for code in store.failure_codes(run) if gives_no_reason(code)]


def examine_after_run(store: Store, run: Run, *, connect: Callable[[], Connection], stop: threading.Event) -> str:
    """Examines some failures of a run that has ended. Returns a warning where that was not possible, which is no fault of the run.

    connect: gives the connection, asked only where something failed without a reason; stop: ends the examination.

    Raises:
        StoreUnreachable
    """
    codes = codes_without_reason(store, run)
    if not codes:
        return ""
    try:
        done = Examiner(store, connect(), run, stop=stop).sample(codes)
    except (SourceError, RegisterError, BadSetting, Interrupted) as error:
        return f"the failures could not be examined: {error}"
    log.info("examined %d failed objects and found a cause for %d", done.objects, done.named)
    return ""


def _region_of(client: BucketClient) -> str | None:
    """Where the bucket lies, as in `Surroundings`."""
    try:
        return client.region() or None
    except SourceError as error:
        if error.reason == OssReason.UNREACHABLE:
            raise
        return "" if error.reason == OssReason.NO_BUCKET else error.region or None


def _surroundings(store: Store, connection: Connection, run: Run, region: str | None) -> Surroundings:
    address = connection.storage_address(run.bucket)
    keys = store.registered_keys(run, _REGISTERED_KEYS)
    odd = [key for key in keys if differs(address, key)]
    return Surroundings(
        bucket=run.bucket,
        storage_address=address,
        rules=run.spec.register_,
        wanted_region=connection.region,
        region=region,
        proven=store.any_registered(run),
        plain=len(odd) < len(keys),
        odd=bool(odd),
    )
