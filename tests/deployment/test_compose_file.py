"""docker-compose.yml against the compose specification and this tree; no Docker is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from demo.cluster.compose_file import places
from vod_migrate.cloud.connection import connection_from_fields

Services = dict[str, dict[str, Any]]

ONE_SHOT = "airflow-init"


@pytest.mark.smoke
def test_the_file_follows_the_compose_specification(compose_filled: str) -> None:
    compose_spec.PyOptions(apply_merge=True).from_yaml(compose_filled).validate()


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [
        ("stop_grace_period:", "stop_grace:", "stop_grace"),
        ("condition: service_healthy", "condition: healthy", "healthy"),
        ("networks: [internal]", "networks: [outside]", "outside"),
        ("interval: 30s", "interval: 30 parsecs", "parsecs"),
    ],
)
def test_the_check_of_the_specification_does_see_mistakes(
    compose_filled: str, right: str, wrong: str, named: str
) -> None:
    assert right in compose_filled
    with pytest.raises(ValueError, match=named):
        compose_spec.PyOptions(apply_merge=True).from_yaml(compose_filled.replace(right, wrong)).validate()


def test_every_value_taken_from_the_environment_is_explained_in_the_example(
    compose_text: str, example_env: dict[str, str]
) -> None:
    assert {place.name for place in places(compose_text)} == set(example_env)


def test_a_value_without_default_is_required_and_has_none_in_the_example_either(
    compose_text: str, example_env: dict[str, str]
) -> None:
    required = {place.name for place in places(compose_text) if place.required}
    assert {name for name in required if example_env[name]} == set()
    for place in places(compose_text):
        assert place.required or place.default == example_env[place.name], place


def test_everything_secret_is_required(compose_text: str) -> None:
    required = {place.name for place in places(compose_text) if place.required}
    assert required == {
        "ADMIN_PASSWORD",
        "AIRFLOW_DB_PASSWORD",
        "AIRFLOW_FERNET_KEY",
        "AIRFLOW_JWT_SECRET",
        "AIRFLOW_SECRET_KEY",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "VOD_MIGRATE_DB_PASSWORD",
    }


def test_the_example_says_how_each_key_is_made(root: Path, example_env: dict[str, str]) -> None:
    text = (root / ".env.example").read_text()
    for name in ("AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_SECRET_KEY"):
        comment = text[: text.index(f"{name}=")].splitlines()[-1]
        assert comment.startswith("#   "), f"the line above {name} is no command"
        assert example_env[name] == ""
    assert "openssl rand -hex 24" in text


def test_all_airflow_services_share_the_same_keys_and_connections(airflow_services: Services) -> None:
    shared = [
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW_CONN_VOD_DEFAULT",
        "VOD_MIGRATE_DATABASE_URL",
    ]
    for key in shared:
        values = {service["environment"][key] for name, service in airflow_services.items() if name != "sandbox"}
        assert len(values) == 1, key


def test_tasks_are_sent_to_the_api_server_of_this_network(services: Services) -> None:
    url = services["airflow-worker"]["environment"]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    host = re.fullmatch(r"http://([a-z-]+):8080/execution/", url)
    assert host is not None
    assert services[host[1]]["command"] == ["airflow", "api-server"]


def test_results_and_metadata_are_two_databases_with_a_role_each(services: Services, root: Path) -> None:
    environment = services["airflow-worker"]["environment"]
    made = re.findall(r"^make_database (\w+)", (root / "deploy/postgres/databases.sh").read_text(), re.MULTILINE)
    for key, name in (("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow"), ("VOD_MIGRATE_DATABASE_URL", "vod_migrate")):
        assert re.fullmatch(rf"postgresql(\+psycopg2)?://{name}:\w+@postgres:5432/{name}", environment[key])
        assert name in made


def test_nothing_starts_before_the_databases_are_prepared(airflow_services: Services) -> None:
    for name, service in airflow_services.items():
        if name not in (ONE_SHOT, "sandbox"):
            assert service["depends_on"][ONE_SHOT] == {"condition": "service_completed_successfully"}, name


def test_who_waits_for_a_healthy_service_waits_for_one_that_can_say_so(services: Services) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services, f"{name} waits for {needed}, which does not exist"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], f"{name} waits for the health of {needed}"


def test_every_long_running_service_is_checked_restarted_and_its_log_bounded(services: Services) -> None:
    for name, service in services.items():
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        if name != ONE_SHOT:
            assert service["restart"] == "unless-stopped", name
            assert {"test", "interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys(), name
    assert services[ONE_SHOT]["restart"] == "no"


def test_no_service_runs_as_root_or_can_become_it(services: Services) -> None:
    for name, service in services.items():
        assert service["user"].split(":")[0] not in ("", "0", "root"), name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_no_image_tag_floats(services: Services, root: Path) -> None:
    version = re.search(r'^version = "(.+)"$', (root / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    for name, service in services.items():
        assert re.fullmatch(r"[a-z-]+:\d+\.\d+(\.\d+)?(-bookworm)?", service["image"]), name
    assert {service["image"] for service in services.values() if "build" in service} == {f"vod-migrate:{version[1]}"}


def test_only_the_api_server_is_reachable_from_outside_and_by_default_from_this_machine_alone(
    services: Services,
) -> None:
    assert {name: service["ports"] for name, service in services.items() if service.get("ports")} == {
        "airflow-api-server": ["127.0.0.1:8080:8080"]
    }


def test_every_mounted_path_exists_in_the_tree_and_every_volume_is_declared(
    services: Services, compose_filled: str, root: Path
) -> None:
    declared = yaml.safe_load(compose_filled)["volumes"]
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source, target, *_ = volume.split(":")
            assert target.startswith("/"), name
            assert (root / source).exists() if source.startswith(".") else source in declared, volume


def test_a_worker_has_time_to_finish_and_its_tasks_are_not_signalled_behind_its_back(services: Services) -> None:
    worker = services["airflow-worker"]
    assert worker["stop_grace_period"] == "120s"
    assert worker["environment"]["DUMB_INIT_SETSID"] == "0"


def test_workers_can_be_scaled_because_nothing_names_a_single_one(services: Services) -> None:
    assert not {"container_name", "hostname", "ports"} & services["airflow-worker"].keys()


def test_the_sandbox_is_a_profile_and_its_connection_names_its_address(services: Services) -> None:
    sandbox = services["sandbox"]
    assert sandbox["profiles"] == ["sandbox"]
    address = sandbox["networks"]["internal"]["ipv4_address"]
    shown = json.loads(services["airflow-worker"]["environment"]["AIRFLOW_CONN_VOD_SANDBOX"])
    assert shown["conn_type"] == "aliyun_vod"
    fields = {"access_key_id": shown["login"], "access_key_secret": shown["password"], **shown["extra"]}
    connection = connection_from_fields(fields, origin="AIRFLOW_CONN_VOD_SANDBOX")
    assert connection.oss_endpoint == connection.vod_endpoint == f"http://{address}:9000"
    assert connection.account == "sandbox"
