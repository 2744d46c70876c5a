"""Connections as Airflow has them, checked by the doctor before a run meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from shell import Shell

VOD, DATABASE = "AIRFLOW_CONN_VOD_DEFAULT", "AIRFLOW_CONN_VOD_MIGRATE_DB"


@pytest.fixture
def in_airflow(shell: Shell, tmp_path: Path) -> Shell:
    """A shell whose connections are Airflow's own, as environment variables."""
    given = shell.environment
    named: dict[str, Any] = conninfo_to_dict(given.pop("VOD_MIGRATE_DATABASE_URL"))
    fields = ("region", "oss_endpoint", "vod_endpoint")
    given[VOD] = json.dumps(
        {
            "conn_type": "aliyun_vod",
            "login": given.pop("ALIBABA_CLOUD_ACCESS_KEY_ID"),
            "password": given.pop("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
            "extra": {field: given.pop(f"VOD_MIGRATE_{field.upper()}") for field in fields},
        }
    )
    given[DATABASE] = json.dumps(
        {"conn_type": "postgres", "host": named["host"], "login": named.get("user"), "schema": named["dbname"]}
    )
    given["AIRFLOW_HOME"] = str(tmp_path / "airflow")
    return shell


def answers(shell: Shell) -> dict[str, tuple[str, str]]:
    done = shell.run_process("doctor", str(shell.file()), "--airflow", "--json")
    assert "Traceback" not in done.stderr
    return {one["check"]: (one["verdict"], one["answer"]) for one in json.loads(done.stdout)["checks"]}


def test_the_doctor_takes_the_connections_of_airflow(in_airflow: Shell) -> None:
    made = answers(in_airflow)
    for name in ("connection", "database", "oss", "vod", "register"):
        assert made[name][0] == "ok", made[name]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"extra": {"sslmoed": "require"}}, "sslmoed"),
        ({"host": "db server"}, "invalid Host"),
    ],
)
def test_a_connection_of_the_results_that_cannot_be_used_is_found_before_a_run(
    in_airflow: Shell, change: dict[str, Any], told: str
) -> None:
    in_airflow.environment[DATABASE] = json.dumps(json.loads(in_airflow.environment[DATABASE]) | change)
    result, answer = answers(in_airflow)["database"]
    assert (result, told in answer) == ("failed", True), answer


def test_a_connection_that_airflow_cannot_read_is_told_from_one_that_is_not_there(in_airflow: Shell) -> None:
    in_airflow.environment[DATABASE] = "postgresql://u:p@ss/word@db:5432/v"
    in_airflow.environment.pop(VOD)
    made = answers(in_airflow)
    assert (made["connection"][0], "does not exist" in made["connection"][1]) == ("failed", True), made["connection"]
    assert made["database"][0] == "failed", made["database"]
