"""What the server expects of a service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from vod_migrate.sandbox.accounts import Caller
from vod_migrate.sandbox.errors import ServiceError
from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.http import HttpReply, Request


class Service(Protocol):
    """A service: it names a request's API, finds out who signed it, does it, and words its refusals."""

    def api_of(self, request: Request) -> str:
        """The name of the API, for quotas, faults and counters. Never raises."""

    def keys_of(self, request: Request) -> Iterable[str]:
        """The object keys the request is about, for faults with a glob. Never raises."""

    def authenticate(self, request: Request) -> Caller:
        """Who signed the request. Raises `ServiceError`."""

    def perform(self, api: str, request: Request, caller: Caller) -> tuple[HttpReply, int]:
        """The effect of the request: its reply, and how many files it carried. Raises `ServiceError`."""

    def can_distort(self, fault: FaultConfig, request: Request, reply: HttpReply) -> bool:
        """Whether a fault that shapes answers would change this one."""

    def distorted(self, faults: Sequence[FaultConfig], request: Request, reply: HttpReply) -> HttpReply:
        """The answer as these faults, one after the other, make it."""

    def throttled(self, *, retry_after_ms: int | None = None) -> ServiceError:
        """What is said to a call over its quota."""

    def broken(self, status: int) -> ServiceError:
        """What a 500 or a 503 looks like."""

    def refused(self, code: str, status: int, message: str, *, retry_after_ms: int | None) -> ServiceError:
        """A refusal with any code."""

    def refusal(self, error: ServiceError, request: Request) -> HttpReply:
        """An error in the form of the service."""
