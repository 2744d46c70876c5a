"""Questions to VOD: each API has a quota row of its own, shared by everybody who asks; what may go away by itself is waited out."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vod_migrate.cloud.clients import open_vod
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.errors import Throttled
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock

if TYPE_CHECKING:
    from vod_migrate.cloud.vod import VodClient


class VodQueries:
    """Calls some APIs that only read. rates: calls per second of each, by its name; threads may share one; stop: ends every waiting."""

    def __init__(
        self, connection: Connection, store: Store, rates: Mapping[str, float], *, stop: threading.Event
    ) -> None:
        self._connection = connection
        self._clock = StopClock(stop)
        self._rates = {}
        for api, rate in rates.items():
            store.keep_quota(connection.account, api, rate)
            self._rates[api] = RateLimiter(store, account=connection.account, clock=self._clock, api=api)

    def call(self, api: str, **fields: Any) -> Mapping[str, Any]:
        """The body of an answer by the API's own names. fields: as the SDK calls them.

        Raises:
            RegisterError: VOD cannot be asked. Interrupted. StoreUnreachable.
        """
        rate = self._rates[api]

        def ask() -> Mapping[str, Any]:
            rate.wait()
            try:
                return self._client.call(api, **fields)
            except Throttled as error:
                rate.throttled(retry_after=error.retry_after)
                raise

        return patiently(ask, sleep=self._clock.sleep, tries=TRIES)

    @cached_property
    def _client(self) -> VodClient:
        return open_vod(self._connection)
