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

from vod_migrate.airflow.hook import VodHook, postgres_url, results_url
from vod_migrate.airflow.provider import get_provider_info
from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.errors import BadSetting

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


URLS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "a password with every sign of a URL",
        {"host": "db", "port": 5433, "login": "u@x", "password": "p:/?#@%& é", "schema": "vod_migrate"},
        {"host": "db", "port": "5433", "user": "u@x", "password": "p:/?#@%& é", "dbname": "vod_migrate"},
    ),
    (
        "a socket folder",
        {"host": "/tmp/a b", "login": "postgres", "schema": "vod_migrate"},  # noqa: S108 - never opened
        {"host": "/tmp/a b", "user": "postgres", "dbname": "vod_migrate"},  # noqa: S108 - never opened
    ),
    (
        "IPv6 and TLS",
        {"host": "::1", "login": "u", "schema": "v", "extra": {"sslmode": "require", "cursor": "dict"}},
        {"host": "::1", "user": "u", "dbname": "v", "sslmode": "require"},
    ),
    ("nothing but a name", {"schema": "v"}, {"dbname": "v"}),
]


@pytest.mark.parametrize(("fields", "meant"), [case[1:] for case in URLS], ids=[case[0] for case in URLS])
def test_the_results_connection_becomes_a_quoted_url(fields: dict[str, Any], meant: dict[str, str]) -> None:
    extra = json.dumps(fields.get("extra", {}))
    url = postgres_url(Connection(conn_id="vod_migrate_db", conn_type="postgres", **{**fields, "extra": extra}))

    assert psycopg.conninfo.conninfo_to_dict(url) == meant


def test_the_airflow_connection_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", "postgresql+psycopg2://from-variable/v")
    assert results_url() == "postgresql://from-variable/v"

    name_connection(monkeypatch, "vod_migrate_db", "postgresql://u:p%40@from-connection:5432/v")
    assert results_url() == "postgresql://u:p%40@from-connection:5432/v"


def test_an_unnamed_database_is_an_error_and_never_an_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOD_MIGRATE_DATABASE_URL", raising=False)

    with pytest.raises(BadSetting, match="no results database is named"):
        results_url()


@pytest.mark.parametrize("change", [{"conn_type": "mysql"}, {"schema": ""}])
def test_a_results_connection_that_is_no_postgres_database_is_refused(change: dict[str, str]) -> None:
    fields = {"conn_type": "postgres", "schema": "v", **change}

    with pytest.raises(BadSetting, match="vod_migrate_db"):
        postgres_url(Connection(conn_id="vod_migrate_db", **fields))
