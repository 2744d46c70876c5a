"""Airflow's Test button: is the AccessKey known, are both endpoints reachable, and what is not allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vod_migrate.cloud.redaction import redacted

if TYPE_CHECKING:
    from vod_migrate.cloud.connection import Connection

_NOT_ALLOWED = ("Forbidden", "AccessDenied", "NoPermission")
_TIMEOUT_MILLISECONDS = 10_000


def try_out(connection: Connection) -> tuple[bool, str]:
    """Tries both services, changing nothing. Returns whether both know the AccessKey, and one sentence each.

    A refusal for want of a permission still proves the AccessKey: registering needs neither `vod:GetCategories` nor
    `oss:ListBuckets`.
    """
    vod_works, vod_said = _try("GetCategories", connection.vod_endpoint or "VOD", lambda: _call_vod(connection))
    oss_works, oss_said = _try("ListBuckets", connection.oss_endpoint, lambda: _call_oss(connection))
    return vod_works and oss_works, f"VOD: {vod_said}. OSS: {oss_said}. Account {connection.account!r}."


def _try(action: str, endpoint: str, call: Callable[[], None]) -> tuple[bool, str]:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - SDKs raise anything
        code = str(getattr(error, "code", "") or type(error).__name__)
        if code.startswith(_NOT_ALLOWED):
            return (
                True,
                f"{endpoint} knows the AccessKey, which may not call {action} ({code}); registering does not need it",
            )
        message = redacted(str(getattr(error, "message", None) or " ".join(str(error).split())))[:300]
        return False, f"{action} at {endpoint} failed with {code}: {message}"
    return True, f"{action} at {endpoint} works"


def _call_vod(connection: Connection) -> None:
    from alibabacloud_vod20170321.models import GetCategoriesRequest  # noqa: PLC0415 - slow SDK import
    from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - slow SDK import

    from vod_migrate.cloud.vod import vod_client  # noqa: PLC0415 - slow SDK import

    options = RuntimeOptions(autoretry=False, connect_timeout=_TIMEOUT_MILLISECONDS, read_timeout=_TIMEOUT_MILLISECONDS)
    vod_client(connection).get_categories_with_options(GetCategoriesRequest(page_no=1, page_size=1), options)


def _call_oss(connection: Connection) -> None:
    import oss2  # noqa: PLC0415 - slow SDK import

    from vod_migrate.cloud.oss import open_bucket  # noqa: PLC0415 - slow SDK import

    auth = open_bucket(connection, "any-bucket").auth
    timeout = _TIMEOUT_MILLISECONDS / 1000
    oss2.Service(auth, connection.oss_endpoint, connect_timeout=timeout, region=connection.region).list_buckets(
        max_keys=1
    )
