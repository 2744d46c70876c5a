"""What the server expects of a service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from vod_migrate.sandbox.accounts import Caller
from vod_migrate.sandbox.errors import ServiceError
from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.http import HttpReply, Request


class Service(Protocol):
    """A service names the API of a request, authenticates its signer, carries it out, and words its refusals."""

    def api_of(self, request: Request) -> str:
        """The name of the API, for quotas, faults and counters. It never raises."""

    def keys_of(self, request: Request) -> Iterable[str]:
        """The object keys that the request names, for faults with a glob. It never raises."""

    def authenticate(self, request: Request) -> Caller:
        """The signer of the request. Raises `ServiceError`."""

    def perform(self, api: str, request: Request, caller: Caller) -> tuple[HttpReply, int]:
        """Carry out the request. Returns its reply, and how many files it carried. Raises `ServiceError`."""

    def can_distort(self, fault: FaultConfig, request: Request, reply: HttpReply) -> bool:
        """Whether a fault of replies would change this one."""

    def distorted(self, faults: Sequence[FaultConfig], request: Request, reply: HttpReply) -> HttpReply:
        """The reply after each of these faults has changed it."""

    def throttled(self, *, retry_after_ms: int | None = None) -> ServiceError:
        """The refusal of a call over its quota."""

    def broken(self, status: int) -> ServiceError:
        """A 500 or a 503 of this service."""

    def refused(self, code: str, status: int, message: str, *, retry_after_ms: int | None) -> ServiceError:
        """A refusal with any code."""

    def refusal(self, error: ServiceError, request: Request) -> HttpReply:
        """An error as this service writes it."""
