"""deploy/helm-values.yaml against the keys of the official chart, Airflow's settings, and the rest of this tree; no cluster is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.configuration import conf

CHART = "1.19"
KEYS = {
    "airflowVersion", "executor", "images.airflow.repository", "images.airflow.tag", "postgresql.enabled", "data.metadataSecretName",
    "fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName", "secret", "env", "volumes", "volumeMounts", "migrateDatabaseJob.args",
    "createUserJob.enabled", "workers.replicas", "workers.terminationGracePeriodSeconds", "workers.resources", "scheduler.resources",
    "dagProcessor.resources", "triggerer.resources", "apiServer.resources", "statsd.extraMappings", "config",
}  # fmt: skip
"""Those of the chart's values.yaml in that version that we use; what is below them is Kubernetes' own, or Airflow's."""


@pytest.fixture(scope="module")
def values(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((root / "deploy" / "helm-values.yaml").read_text())
    return loaded


def used(values: Any, above: str = "") -> Iterator[str]:
    for name, value in values.items():
        path = f"{above}{name}"
        if path in KEYS or not isinstance(value, dict):
            yield path
        else:
            yield from used(value, f"{path}.")


def test_every_key_is_one_of_the_charts(values: dict[str, Any], root: Path) -> None:
    assert set(used(values)) == KEYS
    assert f"apache-airflow/airflow {CHART})" in (root / "deploy" / "helm-values.yaml").read_text()


def test_every_setting_of_airflow_exists_and_is_as_in_the_compose_file(
    values: dict[str, Any], compose_text: str
) -> None:
    for section, settings in values["config"].items():
        for name, value in settings.items():
            options = conf.configuration_description[section]["options"]
            assert name in options or section == "celery_broker_transport_options", (section, name)
            variable = f"AIRFLOW__{section}__{name}".upper()
            found = re.search(rf"^ +{variable}: (?:\$\{{\w+:-)?\"?(\w+)", compose_text, re.MULTILINE)
            assert found is not None, variable
            assert found[1].lower() == str(value).lower(), variable


def test_the_image_and_airflow_have_the_versions_of_the_compose_file_and_the_lock(
    values: dict[str, Any], compose_text: str, root: Path
) -> None:
    assert f"image: vod-migrate:{values['images']['airflow']['tag']}\n" in compose_text
    assert f"\napache-airflow=={values['airflowVersion']} " in (root / "requirements.txt").read_text()


def test_what_is_mounted_where_agrees_with_the_compose_file(values: dict[str, Any], compose_text: str) -> None:
    assert {mount["name"] for mount in values["volumeMounts"]} == {volume["name"] for volume in values["volumes"]}
    for mount in values["volumeMounts"]:
        assert f":{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}\n" in compose_text
    [reports] = [one["value"] for one in values["env"] if one["name"] == "VOD_MIGRATE_REPORTS"]
    assert reports in {mount["mountPath"] for mount in values["volumeMounts"]}


def test_both_databases_are_prepared_as_in_the_compose_file(values: dict[str, Any], root: Path) -> None:
    script = (root / "deploy" / "init.sh").read_text()
    for command in values["migrateDatabaseJob"]["args"][-1].split(" && "):
        assert f"\n{command}\n" in script


def test_every_secret_and_volume_that_must_exist_is_made_in_the_documentation(
    values: dict[str, Any], root: Path
) -> None:
    page = (root / "docs" / "how-to" / "deploy.md").read_text()
    keys = {values[name] for name in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")}
    for name in {values["data"]["metadataSecretName"], *keys, *(one["secretName"] for one in values["secret"])}:
        assert f"create secret generic {name} " in page
    for key in (
        "connection",
        "fernet-key",
        "api-secret-key",
        "jwt-secret",
        *(one["secretKey"] for one in values["secret"]),
    ):
        assert f"--from-literal={key}=" in page
    assert f"create configmap {values['volumes'][0]['configMap']['name']} " in page
    assert f"name: {values['volumes'][1]['persistentVolumeClaim']['claimName']}\n" in page


def test_the_mappings_are_those_of_the_exporters_own_file(values: dict[str, Any], root: Path) -> None:
    alone = yaml.safe_load((root / "deploy" / "statsd-exporter.yaml").read_text())
    assert values["statsd"]["extraMappings"] == alone["mappings"]
