"""How the two services refuse a call.

ServiceError            a refusal with the vendor's code, HTTP status and message
├── OssError            becomes the OSS error XML
└── VodError            becomes the OpenAPI error JSON
Dropped                 no reply, or a part of one: the connection is cut
BadRequest              the control API cannot do what it was asked
"""

from __future__ import annotations


class ServiceError(Exception):
    """A refusal in the vendor's words. `code` is what clients branch on, `status` the HTTP status."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code} ({status}): {message}")
        self.code = code
        self.status = status
        self.message = message


class OssError(ServiceError):
    """An OSS refusal. `details` become further elements of the error XML."""

    def __init__(self, code: str, status: int, message: str, **details: str) -> None:
        super().__init__(code, status, message)
        self.details = details


class VodError(ServiceError):
    """A VOD refusal. `retry_after_ms` says when to retry."""

    def __init__(self, code: str, status: int, message: str, *, retry_after_ms: int | None = None) -> None:
        super().__init__(code, status, message)
        self.headers = {} if retry_after_ms is None else {"x-acs-retry-after": str(retry_after_ms)}


class Dropped(Exception):
    """A fault cuts the connection after `sent`, the first bytes of the reply."""

    def __init__(self, sent: bytes = b"") -> None:
        super().__init__("no reply")
        self.sent = sent


class BadRequest(Exception):
    """The control API cannot do this; the message says what it can do."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
