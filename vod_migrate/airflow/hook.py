"""`VodHook`: one Airflow connection as our `Connection`, as SDK clients, and the results database beside it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
_HOST_AND_PORT = re.compile(
    r"\[(?P<address>[^]@]+)\](?::(?P<port>\d+))?|(?P<bare>/[^@]*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.%\w]*|[^:/@?#\s]*)(?::(?P<bare_port>\d+))?"
)
"""An address in brackets, a folder, an IPv6 address without a port, or a name; each but the third may have a port."""


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
        stored = _stored(self.conn_id)
        if stored is None:
            raise BadSetting(
                f"the Airflow connection {self.conn_id!r} does not exist: create it under Admin → Connections "
                f"(type ApsaraVideo VOD), or set AIRFLOW_CONN_{self.conn_id.upper()}"
            )
        origin = f"the Airflow connection {self.conn_id}"
        if stored.conn_type != CONNECTION_TYPE:
            raise BadSetting(f"{origin} has the type {stored.conn_type!r}: it must be {CONNECTION_TYPE!r}")
        fields = {**_extra(stored, origin), "access_key_id": stored.login, "access_key_secret": stored.password}
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
        """One plain RegisterMedia call: without rate limit, retry or record. For more files, use `migration_group`.

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
        """Called by Airflow's Test button: two of the checks of `vod-migrate doctor`, with their results."""
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
    stored = _stored(RESULTS_CONNECTION)
    if stored is not None:
        return postgres_address(stored)
    from vod_migrate.results.address import database_url  # noqa: PLC0415 - database driver

    return database_url(embedded=False)


def postgres_address(stored: AirflowConnection) -> str:
    """An Airflow connection of type postgres as libpq's key=value pairs.

    Host may name several hosts, each with a port of its own, or the folder of a socket; Extra takes every parameter of libpq.

    Raises:
        BadSetting: it is of another type, names no database, or has a host or extra that libpq does not take.
    """
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - database driver

    from vod_migrate.results.address import PARAMETERS, read_address  # noqa: PLC0415 - the same

    origin = f"the Airflow connection {RESULTS_CONNECTION}"
    if stored.conn_type not in ("postgres", "postgresql"):
        raise BadSetting(f"{origin} has the type {stored.conn_type!r}: results are kept in Postgres")
    if not stored.schema:
        raise BadSetting(f"{origin} names no database: fill in Database (schema)")
    if any(character in stored.schema for character in "@/?#"):
        # A URI whose password holds a / is cut in the wrong places.
        raise BadSetting(f"{origin} has an invalid database name: percent-encode user and password in its URI")
    hosts, ports = _places(stored.host or "", stored.port, origin)
    fields = {"user": stored.login, "password": stored.password, "host": hosts, "port": ports, "dbname": stored.schema}
    given = {name: str(value) for name, value in fields.items() if value}
    for name, value in _extra(stored, origin).items():
        if name not in PARAMETERS:
            raise BadSetting(f"{origin} has an extra {name!r}, which is not a connection parameter of libpq: remove it")
        if name in given:
            raise BadSetting(f"{origin} gives {name} twice, as a field and as an extra: remove one of them")
        if isinstance(value, (dict, list)):
            raise BadSetting(f"{origin} has an extra {name!r} that is neither text nor a number")
        if value not in (None, ""):
            given[name] = str(int(value)) if isinstance(value, bool) else str(value)
    return read_address(make_conninfo(**given), origin=origin)


def _places(host: str, port: int | None, origin: str) -> tuple[str, str]:
    """Host and port of libpq for the fields Host and Port; a port that stands beside its host goes before the field."""
    hosts, ports = [], []
    for one in host.split(","):
        found = _HOST_AND_PORT.fullmatch(one.strip())
        if found is None:
            raise BadSetting(
                f"{origin} has an invalid Host: write db1, db1:5432, [2001:db8::1]:5432 or /folder, several with commas"
            )
        hosts.append(found["address"] or found["bare"])
        ports.append(found["port"] or found["bare_port"] or str(port or ""))
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _stored(name: str) -> AirflowConnection | None:
    """What Airflow knows under that name; None: nothing.

    Raises:
        BadSetting: a variable names it, and Airflow cannot read that.
    """
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        variable = f"AIRFLOW_CONN_{name.upper()}"
        if os.environ.get(variable):
            # Airflow takes one that it cannot read for one that is not there.
            raise BadSetting(
                f"{variable} is set, and Airflow cannot read it: write JSON, or a URI whose user and password are percent-encoded "
                "(@ as %40, # as %23, / as %2F, ? as %3F, % as %25)"
            ) from None
        return None


def _extra(stored: AirflowConnection, origin: str) -> dict[str, Any]:
    """The extra of a connection, for which Airflow gives nothing where it is no JSON."""
    try:
        extra = json.loads(stored.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise BadSetting(
            f'{origin} has an Extra that is not a JSON object: write {{"name": "value", …}}, or leave it empty'
        )
    return extra
