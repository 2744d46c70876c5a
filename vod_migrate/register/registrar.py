"""The contract of whatever registers a batch: the one-call client and each wrapper around it."""

from __future__ import annotations

from typing import Protocol

from vod_migrate.media import Batch, Reply


class Registrar(Protocol):
    """Sends a batch.

    On return every entry of the batch has exactly one outcome. Raises only RegisterError, StoreError and RunStopped.
    """

    def register(self, batch: Batch) -> Reply:
        """Sends one batch and returns what it meant."""
        ...
