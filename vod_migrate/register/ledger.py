"""Takes what the calls of a worker meant into the results store; what the canary's meant waits until it is judged."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from vod_migrate.results.recorder import Recorder
from vod_migrate.results.work import CallRecord, Settlement


class Ledger:
    """Shared by the threads of one worker. While it is held, only the calls themselves are recorded."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
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
            self._recorder.record(call, settlements)

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
            self._recorder.record(None, held)
