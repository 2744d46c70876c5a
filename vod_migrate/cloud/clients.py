"""The one way to a client. The SDKs take a second to import, so they are imported when the first client is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vod_migrate.cloud.connection import Connection
    from vod_migrate.cloud.oss import BucketClient
    from vod_migrate.cloud.vod import VodClient


def open_bucket(connection: Connection, name: str, **limits: Any) -> BucketClient:
    """A client for one bucket on the connection's OSS endpoint. limits: see `BucketClient`."""
    from vod_migrate.cloud.oss import BucketClient  # noqa: PLC0415 - slow SDK import

    return BucketClient(connection, name, **limits)


def open_vod(connection: Connection, **limits: Any) -> VodClient:
    """A client for VOD; share it between threads. limits: see `VodClient`."""
    from vod_migrate.cloud.vod import VodClient  # noqa: PLC0415 - slow SDK import

    return VodClient(connection, **limits)
