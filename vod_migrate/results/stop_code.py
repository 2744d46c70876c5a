"""The codes under which the database keeps why a run stopped, and why a source could not be listed; each has its error."""

from __future__ import annotations

from enum import StrEnum

from vod_migrate.errors import (
    AccountStopped,
    AllRefused,
    BadSetting,
    BrakeReached,
    BucketMissing,
    CanaryFailed,
    Cancelled,
    Denied,
    EndpointRefused,
    FirstFailed,
    FirstReached,
    InvalidCredentials,
    ListingBroken,
    ManifestBroken,
    Misconfigured,
    Paused,
    RegisterError,
    RunStopped,
    SourceDenied,
    SourceError,
    SourceUnavailable,
    Suspended,
    ThresholdPassed,
    VodMigrateError,
    WindowClosed,
)


class StopCode(StrEnum):
    """Why a run stops before its work is done. Stored, so a value never changes its meaning."""

    PAUSED = "paused"
    CANCELLED = "cancelled"
    WINDOW = "window"
    PAUSE_AFTER = "pause_after"
    THRESHOLD = "threshold"
    ALL_REFUSED = "all_refused"
    CANARY_FAILED = "canary_failed"
    FIRST = "first"
    FIRST_FAILED = "first_failed"
    DENIED = "denied"
    INVALID_CREDENTIALS = "invalid_credentials"
    SUSPENDED = "suspended"
    ACCOUNT_STOPPED = "account_stopped"
    MISCONFIGURED = "misconfigured"
    REJECTED = "rejected"


class SourceCode(StrEnum):
    """Why a source could not be listed. Stored, so a value never changes its meaning."""

    SOURCE_UNAVAILABLE = "source_unavailable"
    SOURCE_DENIED = "source_denied"
    BUCKET_MISSING = "bucket_missing"
    MANIFEST_BROKEN = "manifest_broken"
    LISTING_BROKEN = "listing_broken"
    BAD_SETTING = "bad_setting"
    DENIED = "denied"
    INVALID_CREDENTIALS = "invalid_credentials"
    SUSPENDED = "suspended"
    MISCONFIGURED = "misconfigured"
    ENDPOINT_REFUSED = "endpoint_refused"
    OTHER = "other"


_STOPS: dict[StopCode, type[VodMigrateError]] = {
    StopCode.PAUSED: Paused,
    StopCode.CANCELLED: Cancelled,
    StopCode.WINDOW: WindowClosed,
    StopCode.PAUSE_AFTER: BrakeReached,
    StopCode.THRESHOLD: ThresholdPassed,
    StopCode.ALL_REFUSED: AllRefused,
    StopCode.CANARY_FAILED: CanaryFailed,
    StopCode.FIRST: FirstReached,
    StopCode.FIRST_FAILED: FirstFailed,
    StopCode.DENIED: Denied,
    StopCode.INVALID_CREDENTIALS: InvalidCredentials,
    StopCode.SUSPENDED: Suspended,
    StopCode.ACCOUNT_STOPPED: AccountStopped,
    StopCode.MISCONFIGURED: Misconfigured,
    StopCode.REJECTED: RunStopped,
}
_SOURCES: dict[SourceCode, type[VodMigrateError]] = {
    SourceCode.SOURCE_UNAVAILABLE: SourceUnavailable,
    SourceCode.SOURCE_DENIED: SourceDenied,
    SourceCode.BUCKET_MISSING: BucketMissing,
    SourceCode.MANIFEST_BROKEN: ManifestBroken,
    SourceCode.LISTING_BROKEN: ListingBroken,
    SourceCode.BAD_SETTING: BadSetting,
    SourceCode.DENIED: Denied,
    SourceCode.INVALID_CREDENTIALS: InvalidCredentials,
    SourceCode.SUSPENDED: Suspended,
    SourceCode.MISCONFIGURED: Misconfigured,
    SourceCode.ENDPOINT_REFUSED: EndpointRefused,
    SourceCode.OTHER: SourceError,
}

ASKED = (StopCode.PAUSED, StopCode.CANCELLED)
"""Stop codes that a person sets: they end listing, too. Any other ends only sending."""


def code_of(error: BaseException) -> StopCode | None:
    """The code under which a run keeps why it stops; None for an error that stops no run."""
    return next((code for code, kind in _STOPS.items() if type(error) is kind and kind is not RunStopped), None)


def stop_error(code: StopCode, message: str | None) -> VodMigrateError:
    """The error of a run's stop code."""
    return _made(_STOPS[code], message or code.value, code)


def source_code_of(error: BaseException) -> SourceCode:
    """The code under which a scan keeps why it was given up."""
    return next((code for code, kind in _SOURCES.items() if type(error) is kind), SourceCode.OTHER)


def source_error(code: SourceCode | None, message: str) -> VodMigrateError:
    """The error of a scan's code."""
    return _made(SourceError if code is None else _SOURCES[code], message, code or SourceCode.OTHER)


def _made(kind: type[VodMigrateError], message: str, code: StrEnum) -> VodMigrateError:
    return kind(message, code=code.value) if issubclass(kind, RegisterError | RunStopped) else kind(message)
