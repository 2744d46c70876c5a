"""The connection type `aliyun_vod`, the hook, and where results are kept, as Airflow finds them."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import psycopg
import pytest
from airflow.sdk import Connection

from vod_migrate.airflow.hook import VodHook, postgres_address, results_url
from vod_migrate.airflow.provider import get_provider_info
from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.errors import BadSetting
from vod_migrate.results.address import PARAMETERS

STORED: dict[str, Any] = {
    "conn_type": "aliyun_vod",
    "login": "LTAI-test",
    "password": "secret",
    "extra": {"region": "cn-shanghai", "account": "press", "calls_per_second": 40, "security_token": None},
}


def name_connection(monkeypatch: pytest.MonkeyPatch, name: str, stored: dict[str, Any] | str) -> None:
    text = stored if isinstance(stored, str) else json.dumps(stored)
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", text)


def test_airflow_finds_the_provider_and_accepts_its_form() -> None:
    [found] = [
        point for point in entry_points(group="apache_airflow_provider") if point.module.startswith("vod_migrate")
    ]
    assert found.load() is get_provider_info

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_every_field_of_the_form_is_one_that_a_connection_takes() -> None:
    [kind] = get_provider_info()["connection-types"]
    filled = dict.fromkeys(kind["conn-fields"], "")

    made = connection_from_fields(
        {**filled, "region": "cn-shanghai", "access_key_id": "a", "access_key_secret": "b"}, origin="a test"
    )

    assert made.region == "cn-shanghai"
    assert set(kind["ui-field-behaviour"]["hidden-fields"]) == {"schema", "port", "host", "extra"}
    assert kind["conn-fields"]["security_token"]["schema"]["format"] == "password"


def test_the_hook_turns_the_form_into_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    name_connection(monkeypatch, "vod_press", STORED)

    made = VodHook("vod_press").connection

    assert (made.account, made.region, made.calls_per_second) == ("press", "cn-shanghai", 40.0)
    assert made.oss_endpoint == "https://oss-cn-shanghai.aliyuncs.com"
    assert made.credentials.current().access_key_id == "LTAI-test"


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("another type", {"conn_type": "oss"}, "must be 'aliyun_vod'"),
    ("no region", {"extra": {}}, "Region is missing"),
    ("half an AccessKey", {"password": ""}, "AccessKey secret is missing"),
    (
        "an endpoint without scheme",
        {"extra": {"region": "cn-shanghai", "vod_endpoint": "vod.local"}},
        "VOD endpoint is",
    ),
    ("a pace of nothing", {"extra": {"region": "cn-shanghai", "calls_per_second": 0}}, "Calls per second is"),
    ("a field that is none", {"extra": {"region": "cn-shanghai", "qps": 1}}, "unknown fields qps"),
]


@pytest.mark.parametrize(("change", "said"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_a_wrong_connection_is_explained(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str) -> None:
    name_connection(monkeypatch, "vod_press", {**STORED, **change})

    with pytest.raises(BadSetting, match=said) as refused:
        _ = VodHook("vod_press").connection

    assert "vod_press" in str(refused.value)
    assert "secret'" not in str(refused.value)


def test_a_missing_connection_names_the_fix() -> None:
    with pytest.raises(BadSetting, match="AIRFLOW_CONN_VOD_NOWHERE"):
        _ = VodHook("vod_nowhere").connection


ADDRESSES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "a password with every sign of a URL",
        {"host": "db", "port": 5433, "login": "u@x", "password": "p:/?#@%& é'\\\\", "schema": "vod_migrate"},
        {"host": "db", "port": "5433", "user": "u@x", "password": "p:/?#@%& é'\\\\", "dbname": "vod_migrate"},
    ),
    (
        "a socket folder",
        {"host": "/tmp/a b", "login": "postgres", "schema": "vod_migrate"},  # noqa: S108 - never opened
        {"host": "/tmp/a b", "user": "postgres", "dbname": "vod_migrate"},  # noqa: S108 - never opened
    ),
    (
        "IPv6 and TLS",
        {"host": "::1", "login": "u", "schema": "v", "extra": {"sslmode": "require", "sslcrl": "/crl", "sslrootcert": None}},
        {"host": "::1", "user": "u", "dbname": "v", "sslmode": "require", "sslcrl": "/crl"},
    ),
    ("a pooler's port beside the host", {"host": "db:6432", "schema": "v"}, {"host": "db", "port": "6432", "dbname": "v"}),
    (
        "several hosts with ports",
        {"host": "db1:6432, db2:6433,[::1]:6434", "schema": "v", "extra": {"target_session_attrs": "read-write"}},
        {"host": "db1,db2,::1", "port": "6432,6433,6434", "dbname": "v", "target_session_attrs": "read-write"},
    ),
    ("several hosts with one port", {"host": "db1,db2", "port": 6432, "schema": "v"}, {"host": "db1,db2", "port": "6432,6432", "dbname": "v"}),
    ("nothing but a name", {"schema": "v"}, {"dbname": "v"}),
    (
        "what libpq takes",
        {"schema": "v", "extra": {"channel_binding": "require", "connect_timeout": 5, "keepalives": True, "require_auth": "scram-sha-256", "sslpassword": "x y"}},
        {"dbname": "v", "channel_binding": "require", "connect_timeout": "5", "keepalives": "1", "require_auth": "scram-sha-256", "sslpassword": "x y"},
    ),
]  # fmt: skip


def results_connection(**fields: Any) -> Connection:
    extra = fields.pop("extra", {})
    text = extra if isinstance(extra, str) else json.dumps(extra)
    return Connection(conn_id="vod_migrate_db", **{"conn_type": "postgres", **fields, "extra": text})


@pytest.mark.parametrize(("fields", "meant"), [case[1:] for case in ADDRESSES], ids=[case[0] for case in ADDRESSES])
def test_the_results_connection_becomes_an_address(fields: dict[str, Any], meant: dict[str, str]) -> None:
    assert psycopg.conninfo.conninfo_to_dict(postgres_address(results_connection(**fields))) == meant


def test_every_parameter_of_libpq_passes() -> None:
    extra = {name: "1" for name in PARAMETERS if name not in ("dbname", "host")}
    read = psycopg.conninfo.conninfo_to_dict(postgres_address(results_connection(schema="v", extra=extra)))
    assert read == {**extra, "dbname": "v"}


def test_the_airflow_connection_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", "postgresql+psycopg2://from-variable/v")
    assert results_url() == "postgresql://from-variable/v"

    name_connection(monkeypatch, "vod_migrate_db", "postgresql://u:p%40@from-connection:5432/v")
    assert results_url() == "user=u password=p@ host=from-connection port=5432 dbname=v"


def test_an_unnamed_database_is_an_error_and_never_an_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOD_MIGRATE_DATABASE_URL", raising=False)

    with pytest.raises(BadSetting, match="no results database is configured"):
        results_url()


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("another kind", {"conn_type": "mysql"}, "has the type 'mysql'"),
    ("no database", {"schema": ""}, "names no database"),
    ("an extra of Airflow's own hook", {"extra": {"cursor": "dictcursor"}}, "an extra 'cursor'"),
    ("an extra that is mistyped", {"extra": {"ssl_mode": "require"}}, "an extra 'ssl_mode'"),
    ("an extra that is no value", {"extra": {"sslmode": ["require"]}}, "neither text nor a number"),
    ("a host given twice", {"host": "a", "extra": {"host": "b"}}, "gives host twice"),
    ("an extra that is no JSON", {"extra": "sslmode=require"}, "is not a JSON object"),
    ("an extra that is a list", {"extra": "[]"}, "is not a JSON object"),
    ("a password in the host", {"host": "canary-secret@db"}, "an invalid Host"),
    ("a URL in the host", {"host": "postgresql://db"}, "an invalid Host"),
    ("a port that is none", {"host": "db:99999"}, "a port that is not a number"),
    ("a URI that was cut at a / of the password", {"host": "u", "port": 12, "schema": "canary-secret@h/d"}, "percent-encode"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_results_connection_that_libpq_cannot_take_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadSetting, match="vod_migrate_db") as refused:
        postgres_address(results_connection(**{"schema": "v", "password": "canary-password", **change}))
    assert says in str(refused.value)
    assert "canary" not in str(refused.value)


UNREADABLE = [
    "postgresql://u:canary/secret@h:5432/d",
    "postgresql://u:canary#secret@h:5432/d",
    "postgresql://u:canary?secret@h:5432/d",
    '{"conn_type": "postgres", "password": "canary-secret"',
    '{"conn_type": "postgres", "dbname": "canary-secret"}',
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_connection_that_is_set_and_cannot_be_read_says_so(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", "postgresql://elsewhere/d")
    for name, ask in (("vod_migrate_db", results_url), ("vod_press", lambda: VodHook("vod_press").connection)):
        name_connection(monkeypatch, name, text)
        with pytest.raises(
            BadSetting, match=f"AIRFLOW_CONN_{name.upper()} is set, and Airflow cannot read it"
        ) as refused:
            ask()
        assert "canary" not in str(refused.value)
