"""Entries into batches: up to 10 of one storage address, and no call's encoded query above a bound."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote_plus

from vod_migrate.media import FILES_PER_CALL, Batch, Entry

__all__ = ["Batcher", "encoded_size", "metadata"]

_ITEM_OVERHEAD = len(quote_plus(","))
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


def metadata(entry: Entry) -> dict[str, Any]:
    """One RegisterMetadata, as RegisterMedia names its fields; absent ones are left out."""
    described = entry.description
    fields: dict[str, Any] = {
        "FileURL": entry.file_url,
        "Title": described.title,
        "Description": described.description,
        "Tags": ",".join(described.tags) or None,
        "CoverURL": described.cover_url,
        "CateId": described.cate_id,
        "ReferenceId": described.reference_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def as_json(fields: Any) -> str:
    """The JSON that travels in the query: compact, because each byte outside ASCII becomes three or more."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def encoded_size(entry: Entry) -> int:
    """Bytes that an entry adds to the call's query, percent-encoding included."""
    return len(quote_plus(as_json(metadata(entry)))) + _ITEM_OVERHEAD
