"""What the deployment says to Airflow, checked against the Airflow that the lock installs."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from command_lines import parse_command, script_commands

Services = dict[str, dict[str, Any]]


def airflow_command(words: list[str]) -> None:
    """Fails unless the installed Airflow accepts the words after `airflow`."""
    try:
        get_parser().parse_args(words)
    except SystemExit as refused:
        pytest.fail(f"airflow {' '.join(words)} is refused ({refused.code})")


def test_every_command_is_one_that_airflow_has(airflow_services: Services) -> None:
    seen = []
    for service in airflow_services.values():
        if service["command"][0] == "airflow":
            airflow_command(service["command"][1:])
            seen.append(service["command"][1])
    assert sorted(seen) == ["api-server", "celery", "dag-processor", "scheduler", "triggerer"]


def test_every_health_check_that_asks_airflow_asks_it_right(airflow_services: Services) -> None:
    asked = [service["healthcheck"]["test"] for service in airflow_services.values() if "healthcheck" in service]
    commands = [test[2:] for test in asked if test[1] == "airflow"]
    assert len(commands) == 2
    for command in commands:
        airflow_command(command)


def test_the_job_types_and_the_celery_application_of_the_health_checks_exist(airflow_services: Services) -> None:
    for name, module, runner in (
        ("airflow-dag-processor", "airflow.jobs.dag_processor_job_runner", "DagProcessorJobRunner"),
        ("airflow-triggerer", "airflow.jobs.triggerer_job_runner", "TriggererJobRunner"),
    ):
        test = airflow_services[name]["healthcheck"]["test"]
        assert test[test.index("--job-type") + 1] == getattr(import_module(module), runner).job_type
    inspect = airflow_services["airflow-worker"]["healthcheck"]["test"][1]
    application = re.search(r"--app (\S+)\.(\w+) ", inspect)
    assert application is not None
    assert hasattr(import_module(application[1]), application[2])


def test_the_init_script_calls_commands_that_airflow_has(root: Path) -> None:
    commands = script_commands((root / "deploy/init.sh").read_text(), "airflow")
    assert [command[1:3] for command in commands] == [["db", "migrate"], ["users", "create"]]
    for command in commands:
        airflow_command(command[1:])


def test_the_init_script_prepares_the_results_database_too(root: Path) -> None:
    commands = script_commands((root / "deploy/init.sh").read_text(), "vod-migrate")
    assert commands == [["vod-migrate", "db", "upgrade"]]
    for command in commands:
        parse_command(command[1:])


def test_every_setting_is_one_that_airflow_or_a_provider_knows(airflow_services: Services) -> None:
    known = conf.configuration_description
    for name, service in airflow_services.items():
        for key in service["environment"]:
            if key.startswith("AIRFLOW__"):
                _, section, option = key.lower().split("__")
                assert option in known.get(section, {}).get("options", {}), f"{name}: {key}"


def test_the_auth_manager_is_installed_and_not_the_one_for_development(airflow_services: Services) -> None:
    path = airflow_services["airflow-api-server"]["environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    module, _, name = path.rpartition(".")
    assert name != "SimpleAuthManager"
    assert hasattr(import_module(module), name)


def test_the_scheduler_is_asked_where_it_answers(airflow_services: Services) -> None:
    url = airflow_services["airflow-scheduler"]["healthcheck"]["test"][-1]
    assert url == f"http://localhost:{conf.getint('scheduler', 'scheduler_health_check_server_port')}/health"


def test_no_task_outlives_the_time_after_which_redis_hands_it_out_again(airflow_services: Services) -> None:
    environment = airflow_services["airflow-worker"]["environment"]
    seconds = int(environment["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"])
    largest_archive = 100_000_000
    assert seconds > 2 * largest_archive / 10 / 47


def test_the_sandbox_profile_starts_with_options_that_the_sandbox_has(services: Services) -> None:
    line = services["sandbox"]["command"][2]
    assert line.startswith("exec vod-migrate ")
    parse_command(line.split()[2:])
