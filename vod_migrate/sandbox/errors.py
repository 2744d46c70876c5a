"""How the two services say no.

ServiceError            a refusal with the vendor's code, HTTP status and message
├── OssError            becomes the OSS error XML
└── VodError            becomes the OpenAPI error JSON
Dropped                 no answer at all: the connection is cut
BadRequest              the control API was asked for something that does not exist
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
    """An OSS refusal; `details` become further elements of the error XML."""

    def __init__(self, code: str, status: int, message: str, **details: str) -> None:
        super().__init__(code, status, message)
        self.details = details


class VodError(ServiceError):
    """A VOD refusal; `headers` go with the answer."""

    def __init__(self, code: str, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(code, status, message)
        self.headers = headers or {}


class Dropped(Exception):
    """The connection is to be cut without an answer, as a fault asked for."""


class BadRequest(Exception):
    """The control API cannot do this; the message says what it can do."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
