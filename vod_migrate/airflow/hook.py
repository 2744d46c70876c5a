"""`VodHook`: one Airflow connection as our `Connection`, as SDK clients, and the results database beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from vod_migrate.airflow.provider import CONNECTION_FIELDS, CONNECTION_TYPE
from vod_migrate.cloud.clients import open_bucket, open_vod
from vod_migrate.cloud.connection import Connection, connection_from_fields
from vod_migrate.errors import BadSetting

if TYPE_CHECKING:
    from airflow.sdk import Connection as AirflowConnection

    from vod_migrate.results.store import Store

RESULTS_CONNECTION = "vod_migrate_db"
_FIELD_NAMES = {
    "access_key_id": "AccessKey ID",
    "access_key_secret": "AccessKey secret",
    **{name: field["label"] for name, field in CONNECTION_FIELDS.items()},
}
_LIBPQ_PARAMETERS = (
    "host",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
    "target_session_attrs",
    "passfile",
)


class VodHook(BaseHook):
    """An account of ApsaraVideo VOD and its buckets, from an Airflow connection of type `aliyun_vod`."""

    conn_name_attr = "conn_id"
    default_conn_name = "vod_default"
    conn_type = CONNECTION_TYPE
    hook_name = "ApsaraVideo VOD"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.conn_id = conn_id

    @property
    def connection(self) -> Connection:
        """Region, endpoints, credentials, account.

        Raises:
            BadSetting: the connection is missing or a field cannot be used; names it and the fix.
        """
        try:
            stored = self.get_connection(self.conn_id)
        except AirflowNotFoundException:
            raise BadSetting(
                f"the Airflow connection {self.conn_id!r} does not exist: make it under Admin → Connections "
                f"(type ApsaraVideo VOD), or set AIRFLOW_CONN_{self.conn_id.upper()}"
            ) from None
        origin = f"the Airflow connection {self.conn_id}"
        if stored.conn_type != CONNECTION_TYPE:
            raise BadSetting(f"{origin} has the type {stored.conn_type!r}: it must be {CONNECTION_TYPE!r}")
        fields = {**stored.extra_dejson, "access_key_id": stored.login, "access_key_secret": stored.password}
        return connection_from_fields(fields, origin=origin, names=_FIELD_NAMES)

    def get_conn(self) -> Any:
        """The VOD SDK's client (`alibabacloud_vod20170321`), signed in; share it between threads."""
        return open_vod(self.connection).sdk

    def get_bucket(self, name: str) -> Any:
        """An `oss2.Bucket` on the connection's OSS endpoint."""
        return open_bucket(self.connection, name).sdk_bucket()

    def register_media(
        self,
        metadatas: Sequence[Mapping[str, Any]],
        *,
        template_group_id: str | None = None,
        workflow_id: str | None = None,
        user_data: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """One RegisterMedia call, as it is: no rate limit, no retry, nothing recorded. For more files use `migration_group`.

        metadatas: up to 10 RegisterMetadata objects of one storage address (`FileURL`, `Title`, …).

        Returns:
            The response: `RequestId`, `RegisteredMediaList`, `FailedFileURLs`.

        Raises:
            RegisterError: Throttled, Transient, TokenExpired, RequestRefused or AccountStopped.
        """
        return open_vod(self.connection).call(
            "RegisterMedia",
            register_metadatas=json.dumps(list(metadatas), ensure_ascii=False),
            template_group_id=template_group_id,
            workflow_id=workflow_id,
            user_data=None if user_data is None else json.dumps(dict(user_data), ensure_ascii=False),
        )

    def test_connection(self) -> tuple[bool, str]:
        """What Airflow's Test button calls: two of the checks of `vod-migrate doctor`, and what each answered."""
        from vod_migrate.doctor.services import connection_checks  # noqa: PLC0415 - not while parsing

        try:
            connection = self.connection
        except BadSetting as error:
            return False, str(error)
        checks = connection_checks(connection)
        told = " ".join(f"{check.tried}: {check.answer}." for check in checks)
        return all(check.error is None for check in checks), f"{told} Account {connection.account!r}."


def open_results() -> Store:
    """The results store of this Airflow; a context manager.

    Raises:
        BadSetting: no database is named.
        StoreUnreachable, StoreNotMigrated, StoreTooNew
    """
    from vod_migrate.results.store import Store  # noqa: PLC0415 - database driver

    return Store.open(results_url())


def results_url() -> str:
    """Where the results are: the Airflow connection `vod_migrate_db`, else VOD_MIGRATE_DATABASE_URL.

    Raises:
        BadSetting: neither is set, or the connection is no Postgres.
    """
    try:
        stored = BaseHook.get_connection(RESULTS_CONNECTION)
    except AirflowNotFoundException:
        stored = None
    if stored is not None:
        return postgres_url(stored)
    from vod_migrate.results.address import database_url  # noqa: PLC0415 - database driver

    return database_url(embedded=False)


def postgres_url(stored: AirflowConnection) -> str:
    """An Airflow connection of type postgres as a libpq URL, every part quoted; a host that is a path is a socket.

    Raises:
        BadSetting: it is of another type, or names no database.
    """
    if stored.conn_type not in ("postgres", "postgresql"):
        raise BadSetting(
            f"the Airflow connection {RESULTS_CONNECTION} has the type {stored.conn_type!r}: results are kept in Postgres"
        )
    if not stored.schema:
        raise BadSetting(f"the Airflow connection {RESULTS_CONNECTION} names no database: fill in Database (schema)")
    user = quote(stored.login or "", safe="")
    password = f":{quote(stored.password, safe='')}" if stored.password else ""
    host = stored.host or ""
    extra = stored.extra_dejson
    parameters = {name: str(extra[name]) for name in _LIBPQ_PARAMETERS if extra.get(name)}
    if host.startswith("/"):
        parameters["host"], host = host, ""
    elif ":" in host:
        host = f"[{host}]"
    port = f":{stored.port}" if stored.port else ""
    query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
    at = "@" if user or password else ""
    return f"postgresql://{user}{password}{at}{host}{port}/{quote(stored.schema, safe='')}{query}"
