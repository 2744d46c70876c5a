"""Entries into batches: up to 10 of one storage address, and no call's encoded query above a bound."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote_plus

from vod_migrate.describe.metadata import encoded_size
from vod_migrate.media import FILES_PER_CALL, Batch, Entry
from vod_migrate.migration.registration import Register

_CALL_OVERHEAD = 600
"""Bytes of a call's query besides its entries and UserData: parameter names, brackets, the transcoding choice."""


class Batcher:
    """Collects entries of one storage address and gives out full batches; the remainder waits for more, so that calls are full."""

    def __init__(self, rules: Register, *, storage_address: str) -> None:
        user_data = "" if rules.user_data is None else rules.user_data.as_json()
        self._max_bytes = rules.max_request_bytes - _CALL_OVERHEAD - len(quote_plus(user_data))
        self._address = storage_address
        self._waiting: list[Entry] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, entries: Iterable[Entry]) -> list[Batch]:
        """Takes entries in; returns the batches that are full now."""
        full = []
        for entry in entries:
            size = encoded_size(entry)
            if self._bytes + size > self._max_bytes:
                full += self.flush()
            self._waiting.append(entry)
            self._bytes += size
            if len(self._waiting) == FILES_PER_CALL:
                full += self.flush()
        return full

    def flush(self) -> list[Batch]:
        """The batch that is not full, if any entry waits; nothing waits any more after it."""
        entries, self._waiting, self._bytes = tuple(self._waiting), [], 0
        return [Batch(storage_address=self._address, entries=entries)] if entries else []
