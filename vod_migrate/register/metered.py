"""Tells the run's metrics what a worker has recorded: counts that are there anyway, so no query is made for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vod_migrate.metrics import RunMetrics
from vod_migrate.results.recorder import Recorder, RecorderQueries
from vod_migrate.results.run import Run
from vod_migrate.results.work import SETTLED, CallRecord, Place, Settlement


class MeteredRecorder(Recorder):
    """A recorder that tells what is committed.

    It counts answers, as they come: a late one, which may change nothing, is counted here and not in the report.
    """

    def __init__(self, store: RecorderQueries, run: Run, place: Place, metrics: RunMetrics) -> None:
        super().__init__(store, run, place)
        self._metrics = metrics

    def record(self, call: CallRecord | None, settlements: Sequence[Settlement] = ()) -> None:
        """Records, then tells. Takes and raises what `Recorder.record` does."""
        super().record(call, settlements)
        if call is not None:
            self._metrics.count("calls", 1, answer=call.answer)
            self._metrics.timing("call_duration", call.seconds)
        settled = Counter((one.outcome, one.code or "no_code") for one in settlements if one.outcome in SETTLED)
        for (outcome, code), objects in settled.items():
            self._metrics.count(outcome, objects, **({"code": code} if outcome == "failed" else {}))
