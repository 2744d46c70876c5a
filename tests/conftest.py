"""No test may leak a secret: see leaks.py for what is looked at. A leak fails its test, or the session where it has none."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from leaks import leaks_in, leaks_in_files, watch_processes

# How long one example takes says something about the machine, not about the code.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

_TOLD = pytest.StashKey[list[str]]()
_LONGEST = ("test_in_airflow.py", "test_faults.py", "test_pages_run.py", "test_store_machine.py", "test_hard_cases.py")
"""Begun first, so that the workers of pytest-xdist end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within a file the order stays."""
    items.sort(key=lambda item: _LONGEST.index(item.path.name) if item.path.name in _LONGEST else len(_LONGEST))


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
