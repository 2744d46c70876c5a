"""What waits in the triggerer for media: asks VOD in a thread, so that the triggerer's loop goes on, and looks again later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from vod_migrate.errors import Retryable, VodMigrateError


class MediaReadyTrigger(BaseTrigger):
    """Fires once media are ready, or never will be.

    media_ids, or run_id for what a run registered; connection_id: None for the run's own; processed: of media_ids, whether VOD was asked to
    transcode them; share, tolerate: see `audit.verification.is_ready`; every: seconds before each look.

    Its event has `ready` and `found` (as `vod-migrate verify --json`), or `error` where VOD may not be asked.
    """

    def __init__(
        self,
        *,
        media_ids: Sequence[str],
        run_id: str | None,
        connection_id: str | None,
        processed: bool,
        share: float,
        tolerate: float,
        every: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's
        self.media_ids = list(media_ids)
        self.run_id = run_id
        self.connection_id = connection_id
        self.processed = processed
        self.share = share
        self.tolerate = tolerate
        self.every = every

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How Airflow takes it into the triggerer."""
        names = ("media_ids", "run_id", "connection_id", "processed", "share", "tolerate", "every")
        return f"{type(self).__module__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks until there is something to say. What may go away by itself is waited out, until the sensor's own timeout."""
        stop = threading.Event()
        first = True
        try:
            while True:
                # Before the first look, too: Airflow fails a task whose trigger fires before it has noted the deferral (apache/airflow#72716).
                await asyncio.sleep(self.every)
                try:
                    ready, found = await asyncio.to_thread(self._look, stop, first=first)
                except VodMigrateError as error:
                    if not isinstance(error, Retryable):
                        yield _event(error=str(error))
                        return
                    self.log.warning("%s; it is tried again in %g s", error, self.every)
                else:
                    if ready is not None:
                        yield _event(ready=ready, found=found)
                        return
                    first = False
        finally:
            stop.set()

    def _look(self, stop: threading.Event, *, first: bool) -> tuple[bool | None, dict[str, Any]]:
        # Also the imports would hold up the loop for a second.
        from vod_migrate.airflow.hook import VodHook, open_results  # noqa: PLC0415 - not while parsing
        from vod_migrate.audit.media_states import MediaStates  # noqa: PLC0415 - not while parsing
        from vod_migrate.audit.verification import is_ready, verify  # noqa: PLC0415 - not while parsing
        from vod_migrate.migration.units import ALL_PARTS  # noqa: PLC0415 - not while parsing
        from vod_migrate.results.facts import RegisteredObject  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.access import known_run, owned_run  # noqa: PLC0415 - not while parsing

        with open_results() as store:
            if self.run_id is None:
                connection = VodHook(self.connection_id or VodHook.default_conn_name).connection
                processed = self.processed
                objects = iter([RegisteredObject(key="", media_id=one, size=None) for one in self.media_ids])
            else:
                run = known_run(store, self.run_id)
                connection = VodHook(self.connection_id or run.spec.connection).connection
                run = owned_run(store, connection, self.run_id)
                processed = run.spec.register_.processes
                objects = store.registered_objects(run, whole=False, millionths=ALL_PARTS, seed=0)
            found = verify(MediaStates(connection, store, stop=stop), objects, processed=processed, stop=stop)
        return is_ready(found, share=self.share, tolerate=self.tolerate, first=first), found.as_json()


def _event(**told: Any) -> TriggerEvent:
    return TriggerEvent(told)  # type: ignore[no-untyped-call]  # Airflow's
