"""What can go wrong, as one tree. Whether to try again, and the exit code, are properties of the type.

::

    VodMigrateError                     exit  retry
    ├── BadInput                          2          the migration file, an option, a setting
    │   ├── BadMigrationFile              2
    │   ├── BadOption                     2
    │   └── BadSetting                    2
    ├── StoreError                        4          the results store
    │   ├── StoreUnreachable              4   yes
    │   │   └── StoreFull                 4   yes
    │   ├── StoreDenied                   3
    │   ├── StoreUnusable                 2          an unusable database, or an invalid address
    │   ├── StoreNotMigrated              2
    │   ├── StoreTooNew                   2
    │   └── QuotaConflict                 2
    ├── SourceError                       4          listing OSS, reading a manifest
    │   ├── SourceUnavailable             4   yes
    │   ├── SourceDenied                  3
    │   ├── BucketMissing                 2
    │   ├── EndpointRefused               2          the endpoint or region is not the bucket's
    │   ├── ManifestBroken                2          an unusable manifest or inventory
    │   └── ListingBroken                 6          an impossible response
    ├── RegisterError                     6          one RegisterMedia call
    │   ├── Transient                     4   yes
    │   │   ├── NetworkTrouble            4   yes
    │   │   ├── ServiceTrouble            4   yes
    │   │   └── BrokenReply               4   yes
    │   ├── Throttled                     4   yes
    │   ├── TokenExpired                  4   yes    the provider has another token
    │   ├── RequestRefused                6          one bad description poisons its call: split
    │   └── AccountStopped                3          nothing can be sent for this account
    │       ├── Denied                    3
    │       ├── InvalidCredentials        3
    │       ├── Misconfigured             2          this machine's proxy, CA bundle, DNS or endpoint
    │       └── Suspended                 3
    ├── MessageUnsent                     4          a message about a run
    │   └── ReceiverUnavailable           4   yes
    └── RunStopped                        6          the run ends early, the rest stays pending
        ├── ThresholdPassed               5
        ├── MostlyFailed                  5          more files failed than were registered
        ├── FirstFailed                   5          too many of the first objects failed or cannot be played
        ├── AllRefused                    6
        ├── CanaryFailed                  6
        ├── Unfinished                    6
        ├── Paused                        0          not a failure: a person, its window or `pause_after` paused it
        │   ├── WindowClosed              0
        │   ├── BrakeReached              0
        │   └── FirstReached              0
        ├── Cancelled                   130
        └── Interrupted                 130
"""

from __future__ import annotations

from typing import Any, ClassVar


class Retryable(Exception):
    """A temporary error: a retry can help, and it costs no object an attempt."""


class VodMigrateError(Exception):
    """Base of all errors that vod-migrate raises deliberately. The message says what happened, what it means, and what to do."""

    exit_code: ClassVar[int] = 1


class BadInput(VodMigrateError):
    """Invalid input: a file, an option or a setting. Nothing was changed."""

    exit_code = 2


class BadMigrationFile(BadInput):
    """Invalid migration file: names the file, each invalid field, its value and the fix."""

    def __init__(self, path: str, problems: list[str]) -> None:
        """path: the file; problems: one sentence each, beginning with the field's dotted name."""
        self.path = path
        self.problems = problems
        super().__init__(f"{path}: " + "; ".join(problems))

    def __reduce__(self) -> tuple[type[BadMigrationFile], tuple[str, list[str]]]:
        return type(self), (self.path, self.problems)


class BadOption(BadInput):
    """Invalid option of a run (command line or trigger form)."""


class BadSetting(BadInput):
    """An environment variable or a field of the connection is invalid or missing."""


class StoreError(VodMigrateError):
    """An operation of the results store failed."""

    exit_code = 4


class StoreUnreachable(Retryable, StoreError):
    """The results database does not respond. Nothing that was recorded is lost."""


class StoreFull(StoreUnreachable):
    """The results database's disk is full: free some space. Nothing that was recorded is lost."""


class StoreDenied(StoreError):
    """The results database rejects the role, its password, or an operation: the message names the missing grant."""

    exit_code = 3


class StoreUnusable(StoreError):
    """The configured database cannot store results: it is missing, not UTF-8, or another program's; or its address is invalid."""

    exit_code = 2


class StoreNotMigrated(StoreError):
    """The results database has no schema, or an old one: run `vod-migrate db upgrade`."""

    exit_code = 2


class StoreTooNew(StoreError):
    """The results database belongs to a newer version of vod-migrate: upgrade this installation."""

    exit_code = 2


class QuotaConflict(StoreError):
    """Two connections name the same account but different rates: give both the same `calls_per_second`."""

    exit_code = 2


class SourceError(VodMigrateError):
    """Objects could not be discovered. The scan keeps its cursor."""

    exit_code = 4

    def __init__(self, message: str, *, reason: str = "", region: str = "") -> None:
        """reason: an OssReason, where OSS refused something; region: the bucket's, where OSS named it."""
        self.reason = reason
        self.region = region
        super().__init__(message)


class SourceUnavailable(Retryable, SourceError):
    """OSS did not respond, or responded with a server error. Try again; the scan keeps its cursor."""


class SourceDenied(SourceError):
    """OSS rejected the credentials, or they lack a permission: allow what the message names, e.g. `oss:ListObjects`."""

    exit_code = 3


class BucketMissing(SourceError):
    """The bucket does not exist at this endpoint: check `source.bucket` and the connection's region."""

    exit_code = 2


class EndpointRefused(SourceError):
    """The connection's region or OSS endpoint does not serve the bucket: correct the one that the message names."""

    exit_code = 2


class ManifestBroken(SourceError):
    """A manifest or inventory is missing or damaged, or none of its rows is usable: the message names the file and the fix."""

    exit_code = 2


class ListingBroken(SourceError):
    """OSS returned an invalid page (repeated, out of order, outside the prefix). The scan stopped before that page."""

    exit_code = 6


class RegisterError(VodMigrateError):
    """A call to VOD failed as a whole, so none of its files has an outcome. call_id: its number, once it is recorded."""

    exit_code = 6
    call_id: int | None = None

    def __init__(
        self, message: str, *, code: str = "", http_status: int | None = None, request_id: str | None = None
    ) -> None:
        """code: the service's own, or ours in snake_case; http_status: None where the SDK lost it."""
        self.code = code or type(self).__name__
        self.http_status = http_status
        self.request_id = request_id
        super().__init__(message)


class Transient(Retryable, RegisterError):
    """A temporary failure of the service or the network; the call may or may not have had an effect."""

    exit_code = 4


class NetworkTrouble(Transient):
    """VOD did not respond: the connection was refused, reset or timed out, or the host name did not resolve."""


class ServiceTrouble(Transient):
    """VOD responded with a server error (5xx)."""


class BrokenReply(Transient):
    """The response does not come from VOD (HTML from a proxy, an empty body, other types)."""


class Throttled(Retryable, RegisterError):
    """The account's RegisterMedia quota is used up. Lower `calls_per_second` or wait; nothing is lost."""

    exit_code = 4

    def __init__(self, message: str, *, retry_after: float | None = None, **answer: Any) -> None:
        """retry_after: seconds, where the service named a time; answer: what any RegisterError is given."""
        super().__init__(message, **answer)
        self.retry_after = retry_after


class TokenExpired(Retryable, RegisterError):
    """VOD rejected the security token; the credential provider has issued another one."""

    exit_code = 4


class RequestRefused(RegisterError):
    """VOD refused the call as a whole; one invalid description is enough to cause this."""


class AccountStopped(RegisterError):
    """Nothing can be sent for this account until somebody fixes it; everything unsent stays pending."""

    exit_code = 3


class Denied(AccountStopped):
    """The credentials lack a permission: allow the action that the message names in the RAM policy."""


class InvalidCredentials(AccountStopped):
    """The AccessKey does not exist, or its secret or security token is wrong or has expired."""


class Misconfigured(AccountStopped):
    """This machine's configuration (proxy, CA bundle, endpoint) prevents access to VOD: correct what the message names."""

    exit_code = 2


class Suspended(AccountStopped):
    """VOD is not activated for this account, or suspended for an overdue payment."""


class MessageUnsent(VodMigrateError):
    """The receiver rejected a message about a run. The run itself is not affected."""

    exit_code = 4


class ReceiverUnavailable(Retryable, MessageUnsent):
    """The receiver of a message does not respond, or responds with a server error."""


class RunStopped(VodMigrateError):
    """The run ended early; unsent objects stay pending for the next run."""

    exit_code = 6

    def __init__(self, message: str, *, code: str = "") -> None:
        """code: what the run's row keeps as its stop code, in snake_case."""
        self.code = code
        super().__init__(message)


class ThresholdPassed(RunStopped):
    """More files failed than `stop_after` allows."""

    exit_code = 5


class MostlyFailed(RunStopped):
    """More files of the run failed than were registered."""

    exit_code = 5


class FirstFailed(RunStopped):
    """Too many of a migration's first objects failed, or VOD cannot play them; the rest stays pending."""

    exit_code = 5


class AllRefused(RunStopped):
    """Every file was refused with the same code, even alone: the settings are at fault, not the files."""


class CanaryFailed(RunStopped):
    """The first files of a run, sent alone, failed or were registered as other files; everything stays pending."""


class Unfinished(RunStopped):
    """The run ended with unsent objects; the next run sends them."""


class Paused(RunStopped):
    """The run was paused, which is not a failure: the next run, or `vod-migrate resume`, sends the rest."""

    exit_code = 0


class WindowClosed(Paused):
    """The migration's window is closed: a run sends nothing outside it, except with `--ignore-window`."""


class BrakeReached(Paused):
    """The run has reached a limit of `pause_after` (objects, calls, minutes)."""


class FirstReached(Paused):
    """The first objects of a migration were sent, and its file says to pause before the rest (`first.then`)."""


class Cancelled(RunStopped):
    """Somebody cancelled the run; unsent objects stay pending for the migration's next run."""

    exit_code = 130


class Interrupted(RunStopped):
    """Somebody stopped the process; the next run continues where it stopped."""

    exit_code = 130
