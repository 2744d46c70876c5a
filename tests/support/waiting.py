"""Waiting for what happens on another thread or in another process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from vod_migrate.errors import VodMigrateError


def wait_for(
    reached: Callable[[], Any], what: str = "it happens", *, seconds: float = 60.0, glance: float = 0.05
) -> None:
    """Returns when `reached` is true. what: a sentence for the failure; glance: between two looks."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(glance)


class InBackground:
    """Work on a thread of its own, and the error of ours that it raised."""

    def __init__(self, work: Callable[..., None], *arguments: Any, **options: Any) -> None:
        self.raised: VodMigrateError | None = None

        def go() -> None:
            try:
                work(*arguments, **options)
            except VodMigrateError as error:
                self.raised = error

        self.thread = threading.Thread(target=go, daemon=True)
        self.thread.start()

    def ended_within(self, seconds: float) -> bool:
        self.thread.join(seconds)
        return not self.thread.is_alive()
