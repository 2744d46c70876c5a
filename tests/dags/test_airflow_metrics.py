"""The tasks of a run send metrics with Airflow's own, to each kind of system that Airflow can send to."""

from __future__ import annotations

import atexit
import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics
from airflow.sdk._shared.observability.metrics.stats import _get_backend as _backend
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
from databases import Databases
from opentelemetry import metrics as opentelemetry
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from receiver import http_receiver
from statsd_receiver import StatsdReceiver, statsd_receiver

from vod_migrate.airflow.dag import migration_dag
from vod_migrate.migration.loader import parse_migration
from vod_migrate.sandbox.pytest_plugin import Sandbox

OBJECTS = 20
TAGS = {"account": "media_team", "migration": "films.2026"}


@pytest.fixture
def airflow(sandbox: Sandbox, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the tasks of a migration as Airflow does, with some of its settings of metrics."""
    for number in range(OBJECTS):
        sandbox.put("media-archive", f"{number}.mp4")
    extra = {
        "region": sandbox.region,
        "oss_endpoint": sandbox.endpoint,
        "vod_endpoint": sandbox.endpoint,
        "account": "media team",
    }
    account = {
        "conn_type": "aliyun_vod",
        "login": sandbox.access_key_id,
        "password": sandbox.access_key_secret,
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_VOD_TEST", json.dumps(account))
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", databases.create())
    content = {
        "name": TAGS["migration"],
        "connection": "vod_test",
        "source": {"bucket": "media-archive"},
        "register": {"template_group_id": "VOD_NO_TRANSCODE"},
    }
    dag = migration_dag(parse_migration(content, origin="a test"), "films.yaml")

    def run(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", value)
        # As Airflow's task runner does at the start of its process.
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
        dag_run = SimpleNamespace(
            dag_id=dag.dag_id,
            run_id="one",
            conf={},
            data_interval_start=None,
            data_interval_end=None,
            triggering_user_name="Maria",
        )
        run_id = dag.get_task("prepare").execute({"dag_run": dag_run, "params": {}})
        ti = SimpleNamespace(xcom_pull=lambda **_: run_id, try_number=1)
        for task in ("discover", "register_1"):
            dag.get_task(task).execute({"ti": ti})
        assert len(sandbox.truth("media-archive")) == OBJECTS

    yield run
    client = getattr(_backend(), "statsd", None)
    if client is not None:
        client.close()
    monkeypatch.undo()
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


def place(receiver: StatsdReceiver) -> dict[str, str]:
    return {"statsd_on": "True", "statsd_host": "127.0.0.1", "statsd_port": str(receiver.port)}


@pytest.mark.parametrize(
    ("settings", "tags"),
    [
        ({}, ".media_team.films__2026"),
        ({"statsd_influxdb_enabled": "True"}, ",account=media_team,migration=films.2026"),
    ],
    ids=["plain", "influxdb"],
)
def test_tasks_send_to_statsd_with_tags_where_it_has_some_and_else_in_the_names(
    airflow: Any, settings: dict[str, str], tags: str
) -> None:
    with statsd_receiver() as receiver:
        airflow(**place(receiver), **settings)
        receiver.wait()
        assert receiver.total(f"airflow.vod_migrate.listed{tags}") == OBJECTS
        assert receiver.total(f"airflow.vod_migrate.registered{tags}") == OBJECTS
        assert receiver.last(f"airflow.vod_migrate.pending{tags}") == 0
        assert {line.kind for line in receiver.lines if "call_duration" in line.name} == {"ms"}


def test_tasks_send_to_opentelemetry_with_tags(airflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        airflow(otel_on="True")
        provider: Any = opentelemetry.get_meter_provider()
        provider.force_flush()
        provider.shutdown()
        atexit.unregister(flush_otel_metrics)
        sent = {
            metric.name: metric
            for request in receiver.received
            for resource in ExportMetricsServiceRequest.FromString(request.raw).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
    [listed] = sent["airflow.vod_migrate.listed"].sum.data_points
    assert (listed.as_int, {tag.key: tag.value.string_value for tag in listed.attributes}) == (OBJECTS, TAGS)
    assert sent["airflow.vod_migrate.pending"].gauge.data_points[0].as_double == 0
    assert sent["airflow.vod_migrate.call_duration"].unit == "ms"


def test_tasks_send_nothing_where_airflow_sends_nothing(airflow: Any) -> None:
    with statsd_receiver() as receiver:
        airflow(**{**place(receiver), "statsd_on": "False"})
        receiver.wait()
        assert receiver.lines == []
