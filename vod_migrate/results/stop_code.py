"""The codes under which the database keeps why a run stopped, and why a source could not be listed; each has its error."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from vod_migrate import errors
from vod_migrate.errors import RegisterError, RunStopped, VodMigrateError


class _ErrorCode(StrEnum):
    """A code and its error. Stored, so a value never changes its meaning."""

    kind: type[VodMigrateError]

    def __new__(cls, code: str, kind: type[VodMigrateError] = VodMigrateError) -> Self:
        # The default is never used: it lets type checkers see that a code can be looked up.
        member = str.__new__(cls, code)
        member._value_ = code
        member.kind = kind
        return member

    def error(self, message: str) -> VodMigrateError:
        """The error, with a message."""
        if issubclass(self.kind, RegisterError | RunStopped):
            return self.kind(message, code=self.value)
        return self.kind(message)


class StopCode(_ErrorCode):
    """Why a run stops before its work is done."""

    PAUSED = "paused", errors.Paused
    CANCELLED = "cancelled", errors.Cancelled
    WINDOW = "window", errors.WindowClosed
    PAUSE_AFTER = "pause_after", errors.BrakeReached
    THRESHOLD = "threshold", errors.ThresholdPassed
    ALL_REFUSED = "all_refused", errors.AllRefused
    CANARY_FAILED = "canary_failed", errors.CanaryFailed
    FIRST = "first", errors.FirstReached
    FIRST_FAILED = "first_failed", errors.FirstFailed
    DENIED = "denied", errors.Denied
    INVALID_CREDENTIALS = "invalid_credentials", errors.InvalidCredentials
    SUSPENDED = "suspended", errors.Suspended
    ACCOUNT_STOPPED = "account_stopped", errors.AccountStopped
    MISCONFIGURED = "misconfigured", errors.Misconfigured
    REJECTED = "rejected", errors.RunStopped


class SourceCode(_ErrorCode):
    """Why a source could not be listed."""

    SOURCE_UNAVAILABLE = "source_unavailable", errors.SourceUnavailable
    SOURCE_DENIED = "source_denied", errors.SourceDenied
    BUCKET_MISSING = "bucket_missing", errors.BucketMissing
    MANIFEST_BROKEN = "manifest_broken", errors.ManifestBroken
    LISTING_BROKEN = "listing_broken", errors.ListingBroken
    BAD_SETTING = "bad_setting", errors.BadSetting
    DENIED = "denied", errors.Denied
    INVALID_CREDENTIALS = "invalid_credentials", errors.InvalidCredentials
    SUSPENDED = "suspended", errors.Suspended
    MISCONFIGURED = "misconfigured", errors.Misconfigured
    ENDPOINT_REFUSED = "endpoint_refused", errors.EndpointRefused
    OTHER = "other", errors.SourceError


ASKED = (StopCode.PAUSED, StopCode.CANCELLED)
"""Stop codes that a person sets: they end listing, too. Any other ends only sending."""


def code_of(error: BaseException) -> StopCode | None:
    """The code under which a run keeps why it stops; None for an error that stops no run."""
    return next((code for code in StopCode if type(error) is code.kind and code.kind is not RunStopped), None)


def stop_error(code: StopCode, message: str | None) -> VodMigrateError:
    """The error of a run's stop code."""
    return code.error(message or code.value)


def source_code_of(error: BaseException) -> SourceCode:
    """The code under which a scan keeps why it was given up."""
    return next((code for code in SourceCode if type(error) is code.kind), SourceCode.OTHER)


def source_error(code: SourceCode | None, message: str) -> VodMigrateError:
    """The error of a scan's code."""
    return (code or SourceCode.OTHER).error(message)
