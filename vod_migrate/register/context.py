"""What the parts of one worker share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from vod_migrate.describe.describer import Describer
from vod_migrate.media import MediaObject
from vod_migrate.metrics import RunMetrics
from vod_migrate.register.halt import Deadline, StopRequest
from vod_migrate.register.lease import Lease
from vod_migrate.register.ledger import Ledger
from vod_migrate.register.media_check import MediaCheck
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.send_queue import SendQueue
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.verifications import Verification
from vod_migrate.results.work import Place
from vod_migrate.shutdown import StopClock, Timings


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """One worker of one run, as each of its parts sees it.

    place, lease: what it holds in the run, and for how long; ledger: takes what its calls meant; name: for logs.
    halt: ends its threads; take_over: lists what nobody lists. check_media: looks up the canary's media. verify: what VOD says
    about all that the migration has registered since a moment. metrics: told while it works.
    """

    store: Store
    run: Run
    place: Place
    lease: Lease
    ledger: Ledger
    name: str
    client: Registrar
    describer: Describer
    halt: StopRequest
    take_over: Callable[[Place, Event], None]
    check_media: Callable[[MediaObject, str], MediaCheck]
    verify: Callable[[dt.datetime], Verification]
    metrics: RunMetrics
    timings: Timings
    hand: SendQueue = field(default_factory=SendQueue)
    deadline: Deadline = field(default_factory=Deadline)

    @property
    def clock(self) -> StopClock:
        """Time whose waits end when the worker halts."""
        return StopClock(self.halt.event)
