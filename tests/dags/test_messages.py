"""Messages from inside Airflow: where a webhook's URL comes from, which notifiers are one, and the address of the report."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from vod_migrate.airflow.messages import find_webhook, messenger, report_link
from vod_migrate.errors import BadSetting
from vod_migrate.migration.notification import Notify

URL = "https://oapi.example.com/robot/send?access_token=canary-token"


def test_a_webhook_comes_from_its_connection_first_and_else_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOD_MIGRATE_WEBHOOK_OPS", f"{URL}-of-the-environment")
    assert find_webhook("ops").url.endswith("-of-the-environment")
    stored = {"conn_type": "http", "password": URL, "extra": {"secret": "SEC-canary"}}
    monkeypatch.setenv("AIRFLOW_CONN_OPS", json.dumps(stored))
    assert (find_webhook("ops").url, find_webhook("ops").secret) == (URL, "SEC-canary")


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"conn_type": "aliyun_vod", "password": "canary-secret"}, "has the type 'aliyun_vod'"),
        ({"conn_type": "http", "host": URL}, "the password of the Airflow connection ops is not the URL"),
        ({"conn_type": "http", "password": "canary"}, "is not the URL of a webhook"),
    ],
)
def test_a_connection_that_holds_no_webhook_is_named_without_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, stored: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OPS", json.dumps(stored))
    with pytest.raises(BadSetting, match=said) as refused:
        find_webhook("ops")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("airflow.providers.nowhere.Notifier", "cannot be imported"),
        ("airflow.sdk.NoSuchName", "cannot be imported"),
        ("os.path.join", "is not a notifier"),
        ("subprocess.Popen", "is not a notifier"),
    ],
)
def test_only_a_notifier_is_called(path: str, said: str) -> None:
    receiver = Notify.model_validate({"to": "airflow", "notifier": path, "arguments": {"args": "true"}})
    with pytest.raises(BadSetting, match=said):
        messenger({}, threading.Event()).send(receiver, SimpleNamespace(as_json=dict))  # type: ignore[arg-type]


def test_the_address_of_a_report_has_the_ids_of_its_dag_run_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    run: Any = SimpleNamespace(dag_id="vod_backfill__nights", dag_run_id="scheduled__2026-11-21T17:00:00+00:00")
    assert report_link(run) == ""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/base/")
    assert report_link(run) == (
        "https://airflow.example.com/base/dags/vod_backfill__nights/runs/scheduled__2026-11-21T17%3A00%3A00%2B00%3A00/plugin/vod-report"
    )
