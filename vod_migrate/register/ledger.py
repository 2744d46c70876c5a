"""Takes what the calls of a worker meant into the results store, and tells the run's metrics; what the canary's meant waits until it is judged."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from vod_migrate.metrics import RunMetrics
from vod_migrate.results.recorder import Recorder
from vod_migrate.results.work import SETTLED, CallRecord, Settlement


class Ledger:
    """Shared by the threads of one worker. While it is held, only the calls themselves are recorded.

    Its metrics count answers as they are recorded, so no query is made for them: a late one, which may change nothing, is counted there and
    not in the report.
    """

    def __init__(self, recorder: Recorder, metrics: RunMetrics) -> None:
        self._recorder = recorder
        self._metrics = metrics
        self._lock = threading.Lock()
        self._held: list[Settlement] | None = None

    def record(self, call: CallRecord | None, settlements: Sequence[Settlement] = ()) -> None:
        """Returns when a call and what it meant are committed, or kept where the ledger is held. None: no call of its own.

        Raises:
            StoreUnreachable
        """
        with self._lock:
            if self._held is not None:
                self._held += settlements
                settlements = ()
        if call is not None or settlements:
            self._commit(call, settlements)

    def hold(self) -> None:
        """What calls mean is kept from now on."""
        with self._lock:
            self._held = self._held or []

    @property
    def holds_success(self) -> bool:
        """Whether a file was registered while the ledger was held."""
        with self._lock:
            return any(kept.outcome in ("registered", "already_registered") for kept in self._held or ())

    def release(self) -> None:
        """Records what was kept.

        Raises:
            StoreUnreachable
        """
        with self._lock:
            held, self._held = self._held, None
        if held:
            self._commit(None, held)

    def _commit(self, call: CallRecord | None, settlements: Sequence[Settlement]) -> None:
        self._recorder.record(call, settlements)
        if call is not None:
            self._metrics.count("calls", 1, answer=call.answer)
            self._metrics.timing("call_duration", call.seconds)
        settled = Counter((one.outcome, one.code or "no_code") for one in settlements if one.outcome in SETTLED)
        for (outcome, code), objects in settled.items():
            self._metrics.count(outcome, objects, **({"code": code} if outcome == "failed" else {}))
