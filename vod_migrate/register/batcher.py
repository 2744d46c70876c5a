"""Entries into batches: up to 10 of one storage address, and no call's encoded query above a bound."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote_plus

from vod_migrate.describe.metadata import encoded_size
from vod_migrate.media import FILES_PER_CALL, Batch, Entry

_CALL_OVERHEAD = 600
"""Bytes of a call's query besides its entries and UserData: parameter names, brackets, the transcoding choice."""


class Batcher:
    """Collects entries and gives out full batches; the remainder waits for more, so that calls are full.

    Entries of different storage addresses never share a batch.
    """

    def __init__(self, *, max_request_bytes: int, user_data: str = "", files_per_call: int = FILES_PER_CALL) -> None:
        """user_data: what every call carries besides its entries."""
        self._max_bytes = max_request_bytes - _CALL_OVERHEAD - len(quote_plus(user_data))
        self._files = files_per_call
        self._open: dict[str, list[Entry]] = {}
        self._bytes: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._open.values())

    def add(self, storage_address: str, entries: Iterable[Entry]) -> list[Batch]:
        """Takes entries in; returns the batches that are full now."""
        full = []
        for entry in entries:
            size = encoded_size(entry)
            waiting = self._open.setdefault(storage_address, [])
            if waiting and self._bytes[storage_address] + size > self._max_bytes:
                full.append(self._close(storage_address))
                waiting = self._open.setdefault(storage_address, [])
            waiting.append(entry)
            self._bytes[storage_address] = self._bytes.get(storage_address, 0) + size
            if len(waiting) == self._files:
                full.append(self._close(storage_address))
        return full

    def flush(self) -> list[Batch]:
        """The batches that are not full; nothing waits any more after it."""
        return [self._close(address) for address in list(self._open) if self._open[address]]

    def _close(self, storage_address: str) -> Batch:
        entries = self._open.pop(storage_address)
        self._bytes.pop(storage_address)
        return Batch(storage_address=storage_address, entries=tuple(entries))
