"""Why a run ends before its work does, told by what is written in its row: pure, the same for workers and the discoverer."""

from __future__ import annotations

from vod_migrate import errors
from vod_migrate.errors import Cancelled, Paused, RegisterError, RunStopped, VodMigrateError
from vod_migrate.results.rows import Signal

__all__ = ["ASKED", "error_named", "listing_ends", "sending_ends", "stop_error"]

ASKED = (Paused.__name__, Cancelled.__name__)
"""Stop codes that a person sets: they end listing, too. Any other ends only sending."""


def sending_ends(told: Signal) -> VodMigrateError | None:
    """Why nothing more may be sent, None while it may."""
    return None if told.stop_code is None else stop_error(told.stop_code, told.stop_message)


def listing_ends(told: Signal) -> VodMigrateError | None:
    """Why nothing more may be listed, None while it may."""
    return stop_error(told.stop_code, told.stop_message) if told.stop_code in ASKED else None


def stop_error(code: str | None, message: str | None) -> VodMigrateError:
    """The error that a run's stop code names."""
    kind = error_named(code, RunStopped)
    text = message or code or "stopped"
    return kind(text, code=code or "") if issubclass(kind, RegisterError | RunStopped) else kind(text)


def error_named(name: str | None, fallback: type[VodMigrateError]) -> type[VodMigrateError]:
    """The kind of error of that name."""
    kind = getattr(errors, name or "", None)
    return kind if isinstance(kind, type) and issubclass(kind, VodMigrateError) else fallback
