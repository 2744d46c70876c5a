"""The buttons that Airflow shows on a task that has ended: to the run's report, and to the console of VOD."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

CONSOLE = "https://vod.console.aliyun.com/"


def report_tab(dag_id: str, dag_run_id: str) -> str:
    """The address of the report's tab on a DAG run, below Airflow's own."""
    return f"dags/{quote(dag_id, safe='')}/runs/{quote(dag_run_id, safe='')}/plugin/vod-report"


class ReportLink(BaseOperatorLink):
    """The report of the task's run, in the tab of its DAG run."""

    name = "VOD report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """Without a leading slash, so that it is right in an Airflow behind a path of its own, too."""
        return report_tab(ti_key.dag_id, ti_key.run_id)


class ConsoleLink(BaseOperatorLink):
    """The console of VOD, in whose media library the registered files are."""

    name = "VOD console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The same for every task: what the console shows is chosen there."""
        return CONSOLE


RUN_LINKS = (ReportLink(), ConsoleLink())
"""Of every task that works on a run."""
