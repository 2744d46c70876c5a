"""What a run and its plan are made of: the same parts for both, built from the file that is stored with the run."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass

from vod_migrate.audit.media_states import MediaStates
from vod_migrate.audit.verification import verify
from vod_migrate.cloud.connection import Connection
from vod_migrate.describe.categories import Categories
from vod_migrate.describe.covers import Covers
from vod_migrate.describe.describer import Describer, Lookups
from vod_migrate.discover.scanner import Scanner
from vod_migrate.discover.selection import Selection
from vod_migrate.discover.source import RunSource
from vod_migrate.metrics import Metrics, RunMetrics
from vod_migrate.register.client import RegisterMediaClient
from vod_migrate.register.media_check import MediaChecker
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.verifications import Verification
from vod_migrate.shutdown import PRODUCTION, Timings


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The parts of one run on one connection; each is built when it is asked for.

    stop: ends every wait inside them; receiver: of the run's metrics.
    """

    store: Store
    connection: Connection
    run: Run
    stop: threading.Event
    timings: Timings = PRODUCTION
    receiver: Metrics | None = None

    def metrics(self) -> RunMetrics:
        """What is told about the run while it works."""
        return RunMetrics(receiver=self.receiver, account=self.run.account, migration=self.run.migration)

    def scanner(self, *, patience: float) -> Scanner:
        """What lists it. patience: as for Scanner."""
        return Scanner(
            store=self.store,
            run=self.run,
            selection=selection_of(self.run),
            source=RunSource(self.connection, self.run),
            metrics=self.metrics(),
            stop=self.stop,
            patience=patience,
        )

    def lookups(self, *, create: bool) -> Lookups:
        """What descriptions ask the services for. create: whether a category that does not exist is made."""
        categories = Categories(self.connection, store=self.store, create=create, stop=self.stop)
        covers = Covers(self.connection, self.run.bucket, stop=self.stop)
        return Lookups(category=categories.find, exists=covers.exists)

    def describer(self, lookups: Lookups) -> Describer:
        """What makes descriptions of objects."""
        address = self.connection.storage_address(self.run.bucket)
        return Describer(self.run.spec, storage_address=address, lookups=lookups)

    def client(self) -> RegisterMediaClient:
        """The one call."""
        return RegisterMediaClient(self.connection, self.run.spec.register_)

    def media_checker(self) -> MediaChecker:
        """What looks up the canary's media."""
        return MediaChecker(
            self.connection, self.run.bucket, sizes=self.run.spec.source.listed, stop=self.stop, timings=self.timings
        )

    def verify(self, since: dt.datetime) -> Verification:
        """What VOD says about all that the migration has registered since a moment."""
        return verify(
            MediaStates(self.connection, self.store, stop=self.stop),
            self.store.registered_since(self.run, since),
            processed=self.run.spec.register_.processes,
            stop=self.stop,
        )


def selection_of(run: Run) -> Selection:
    """Which objects a run takes."""
    source, options = run.spec.source, run.options
    narrowed = ("",) if source.listed else (options.prefixes or source.prefixes)
    return Selection(
        run.spec.select,
        now=dt.datetime.now(dt.UTC),
        modified_since=options.modified_since,
        prefixes=tuple(narrowed),
    )
