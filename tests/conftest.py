"""What all tests share: a clean environment, one Postgres for each worker, and the search for leaked secrets.

See support/leaks.py for what is searched. A leak fails its test, or the session where no test can be named.
"""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from databases import Databases, postgres_of_the_session
from hypothesis import settings
from leaks import leaks_in, leaks_in_files, watch_processes
from pgbouncer import PgBouncer, pgbouncer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["vod_migrate.sandbox.pytest_plugin"]

# The VOD SDK takes proxies from the environment and ignores NO_PROXY.
for _name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
os.environ["ALIBABA_CLOUD_ECS_METADATA_DISABLED"] = "true"
# Importing Airflow makes a home and reads its settings: neither must be those of whoever runs the tests.
os.environ |= {"AIRFLOW_HOME": mkdtemp(prefix="vod-airflow-"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

# How long one example takes says something about the machine, not about the code.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

_TOLD = pytest.StashKey[list[str]]()
_IN_AIRFLOW = ("tests/dags/test_in_airflow.py", "tests/browser/")
"""They share one Airflow, which one worker starts."""
_LONGEST = (
    "test_in_airflow.py", "test_page_access.py", "test_pages.py", "test_cluster.py", "test_faults.py", "test_store_machine.py",
    "test_wheel.py", "test_runs.py", "test_processes.py", "test_hard_cases.py", "test_control.py", "test_chaos.py", "test_pages_run.py",
    "test_airflow_connections.py", "test_plugin.py", "test_plans.py", "test_approvals.py", "test_database_far_away.py", "test_sources.py",
    "test_canary.py", "test_brakes.py", "test_databases.py", "test_descriptions.py", "test_inventories.py",
)  # fmt: skip
"""Begun first, so that the workers of pytest-xdist end together."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pooled", action="store_true", help="Reach the results databases through PgBouncer.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within a file the order stays."""
    items.sort(key=lambda item: _LONGEST.index(item.path.name) if item.path.name in _LONGEST else len(_LONGEST))
    for item in items:
        if item.path.parent.name in ("unit", "contract"):
            item.add_marker("smoke")


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Each file goes to one worker, and what shares the Airflow to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        return _IN_AIRFLOW[0] if nodeid.startswith(_IN_AIRFLOW) else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    told: list[str] = []
    config.stash[_TOLD] = []
    end = watch_processes(told)
    config.add_cleanup(end)
    config.pluginmanager.register(_Watch(told), "leaks-of-tests")


class _Watch:
    def __init__(self, processes: list[str]) -> None:
        self._processes = processes

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        found = [f"{title}: {leak}" for title, text in report.sections for leak in leaks_in(text)]
        found += self._processes
        self._processes.clear()
        if found and report.outcome == "passed":
            report.outcome = "failed"
            report.longrepr = "a secret leaked\n" + "\n".join(found)
        return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        # The folders of all workers lie in that of the session that started them.
        return
    factory: Any = getattr(session.config, "_tmp_path_factory", None)
    base: Path | None = getattr(factory, "_basetemp", None)
    if base is not None:
        session.config.stash[_TOLD] += leaks_in_files(base)
    if session.config.stash[_TOLD]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.stash[_TOLD]:
        terminalreporter.section("secrets in files", red=True)
        for line in config.stash[_TOLD]:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    with postgres_of_the_session() as running:
        yield running


@pytest.fixture(scope="session")
def pooler(request: pytest.FixtureRequest, databases: Databases) -> Iterator[PgBouncer | None]:
    """What the tests' databases are reached through: nothing, or with --pooled a PgBouncer that pools transactions."""
    if not request.config.getoption("--pooled"):
        yield None
        return
    with pgbouncer(databases.url) as running:
        yield running


@pytest.fixture
def database_url(databases: Databases, pooler: PgBouncer | None) -> Iterator[str]:
    """A database of the test's own."""
    with databases.one() as url:
        yield url if pooler is None else pooler.of(url)


@pytest.fixture(scope="session")
def airflow_stage(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Airflow for all tests, an airflow_stage.Stage, started by the first test that needs it."""
    from airflow_migrations import BROKEN, BROWSED, RUN  # noqa: PLC0415 - the next one is slow to import
    from airflow_stage import staged  # noqa: PLC0415

    with staged(tmp_path_factory.mktemp("stage"), databases, {**RUN, **BROWSED, **BROKEN}) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, through Playwright, whose event loop would stop other modules' from running in the same thread."""
    from chromium import chromium  # noqa: PLC0415 - slow to import

    with chromium() as started:
        yield started
