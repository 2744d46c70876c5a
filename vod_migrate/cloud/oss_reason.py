"""Why OSS refuses; apart from the client, which takes a second to import."""

from __future__ import annotations

from enum import StrEnum


class OssReason(StrEnum):
    """Why OSS did not do what it was asked to do; the `reason` of a SourceError."""

    UNREACHABLE = "unreachable"
    MISCONFIGURED = "configuration"
    SKEWED = "clock"
    BAD_KEYS = "credentials"
    SUSPENDED = "account"
    NO_BUCKET = "bucket"
    OTHER_REGION = "region"
    PRIVATE = "endpoint"
    DENIED = "permission"
    NO_OBJECT = "object"
    OTHER = "other"
