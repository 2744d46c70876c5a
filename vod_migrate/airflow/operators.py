"""The tasks of a run as operators: prepare → discover beside register → report; and plan, for runs that need an approval.

The tasks hand each other only the run's ID; everything else is in the results store. An error that may go away fails the
try, and Airflow tries again; any other fails the task at once. What was not sent stays pending either way.
"""

from __future__ import annotations

import datetime as dt
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from vod_migrate.airflow.assets import run_outlet, send_event
from vod_migrate.airflow.hook import VodHook, open_results
from vod_migrate.airflow.links import RUN_LINKS
from vod_migrate.errors import BadOption, BadSetting, Cancelled, Interrupted, Paused, Retryable, VodMigrateError
from vod_migrate.migration.changed_settings import with_settings
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions, parse_options
from vod_migrate.migration.schedule import day_of
from vod_migrate.shutdown import StopSignal

if TYPE_CHECKING:
    import threading

    from airflow.sdk import Context

    from vod_migrate.results.store import Store


MOST_UNEXPLAINED_TRIES = 20
"""After so many tries an error that is not ours ends the task: it is a bug, and another try will not mend it."""


class PrepareOperator(BaseOperator):
    """Checks options, connection, results database and settings in VOD, and stores the run with its resolved migration file.

    options: the run's options by name (templated); None takes them from the trigger form.
    Returns the run's ID.
    """

    template_fields: Sequence[str] = ("options",)
    operator_extra_links = RUN_LINKS
    ui_color = "#e6f0ff"

    def __init__(
        self, *, migration: Migration, origin_group: str | None, options: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.migration = migration.resolved()
        self.origin_group = origin_group
        self.options = dict(options) if options is not None else None

    def execute(self, context: Context) -> str:
        """Stores the run; a retry, or a cleared task, finds the same run again."""
        from vod_migrate.doctor.preflight import preflight  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.prepare import prepare  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.request import Origin  # noqa: PLC0415 - not while parsing

        with explained(self):
            migration = parse_migration(self.migration, origin=f"the migration of {self.task_id}")
            dag_run = context["dag_run"]
            given = self.options if self.options is not None else {**context["params"], **(dag_run.conf or {})}
            options = parse_options(given)
            migration = with_settings(migration, options.settings or ())
            interval = _interval(dag_run)
            connection = VodHook(migration.connection).connection
            preflight(connection, migration)
            with open_results() as store:
                _check_resumed(store, options, migration, dag_run.dag_id)
                run = prepare(
                    store=store,
                    connection=connection,
                    migration=migration,
                    options=options,
                    origin=Origin(
                        by=dag_run.triggering_user_name or f"Airflow ({dag_run.run_type})",
                        kind="airflow",
                        dag_id=dag_run.dag_id,
                        dag_run_id=dag_run.run_id,
                        task_group=self.origin_group,
                    ),
                    date=day_of(interval[0], migration.schedule, migration.zone) if interval else None,
                    interval=interval,
                )
        self.log.info("run %s: bucket %s, mode %s, date %s", run.run_id, run.bucket, run.mode, run.local_date or "none")
        return str(run.run_id)


class StoppableOperator(BaseOperator):
    """A task that ends early where Airflow asks it to."""

    def __init__(self, *, connection_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection_id = connection_id
        self._signal: StopSignal | None = None
        self._asked_to_stop = False

    def begin(self) -> threading.Event:
        """The event that tells this try to stop."""
        self._signal = StopSignal()
        if self._asked_to_stop:
            self._signal.ask()
        return self._signal.event

    def on_kill(self) -> None:
        """Called by Airflow in the handler of SIGTERM, 5 s before SIGKILL; `execute` then continues, and ends."""
        self._asked_to_stop = True
        if self._signal is not None:
            self._signal.ask()


class _RunOperator(StoppableOperator):
    """A task on the run that `prepare` stored."""

    operator_extra_links = RUN_LINKS

    def __init__(self, *, prepare_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prepare_task_id = prepare_task_id


class EngineOperator(_RunOperator):
    """A part of a run that works until it is done, or until Airflow asks it to stop."""

    def execute(self, context: Context) -> None:
        """Works on the run that `prepare` stored."""
        self._work(context)

    def _work(self, context: Context) -> None:
        stop = self.begin()
        run_id = prepared_run(context, self.prepare_task_id)
        with explained(self, tries=context["ti"].try_number), open_results() as store:
            try:
                self.work(store, run_id, stop)
            except (Paused, Cancelled) as end:
                # As somebody wished; the report says who, or why.
                self.log.info("%s", end)

    def _plan(self, store: Store, run_id: str, stop: threading.Event) -> None:
        from vod_migrate.plan.text import plan_text  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.planning_run import plan_run  # noqa: PLC0415 - not while parsing

        made = plan_run(store=store, connection=VodHook(self.connection_id).connection, run_id=run_id, stop=stop)
        self.log.info("%s", plan_text(made))

    @abstractmethod
    def work(self, store: Store, run_id: str, stop: threading.Event) -> None:
        """One blocking call into `vod_migrate.run`."""


class PlanOperator(EngineOperator):
    """Says what the run would do, and leaves it waiting for an answer; sends nothing and changes no result."""

    ui_color = "#fdeee2"

    def work(self, store: Store, run_id: str, stop: threading.Event) -> None:
        """See `planning_run.plan_run`; a run that names an approved plan needs no other."""
        if store.run(run_id).options.approve is None:
            self._plan(store, run_id, stop)


class DiscoverOperator(EngineOperator):
    """Lists the source page by page and queues what is selected."""

    ui_color = "#e8f7ec"

    def work(self, store: Store, run_id: str, stop: threading.Event) -> None:
        """See `lifecycle.discover`; a dry run plans instead."""
        from vod_migrate.airflow.metrics import airflow_metrics  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.lifecycle import discover  # noqa: PLC0415 - not while parsing

        run = store.run(run_id)
        if run.options.dry_run:
            if not run.spec.require_approval:
                self._plan(store, run_id, stop)
            return
        connection = VodHook(self.connection_id).connection
        discover(store=store, connection=connection, run_id=run_id, stop=stop, metrics=airflow_metrics())


class RegisterOperator(EngineOperator):
    """Claims, sends and records until nothing of the run is left.

    slot: this task's place in its run; a retry takes over what its predecessor held.
    """

    ui_color = "#fff3d6"

    def __init__(self, *, slot: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slot = slot

    def work(self, store: Store, run_id: str, stop: threading.Event) -> None:
        """See `lifecycle.register`; a dry run sends nothing."""
        from vod_migrate.airflow.metrics import airflow_metrics  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.lifecycle import register  # noqa: PLC0415 - not while parsing

        if store.run(run_id).options.dry_run:
            return

        connection = VodHook(self.connection_id).connection
        register(
            store=store,
            connection=connection,
            run_id=run_id,
            slot=self.slot,
            stop=stop,
            metrics=airflow_metrics(),
        )


class ReportOperator(_RunOperator):
    """Settles the run, writes its export and its report, tells who is to be told, and then fails unless the run was a success.

    A paused run is not a failure: its summary says `paused`, and the next run continues.

    Its XCom `return_value` is the summary, as `vod-migrate run --json` prints it, even if the task then fails. For a run that only
    planned (a dry run, or one that was not approved) it includes the plan.

    asset: the URI of the migration's asset, of which a run that succeeded is an event.
    """

    ui_color = "#f3e8ff"

    def __init__(self, *, asset: str, **kwargs: Any) -> None:
        super().__init__(outlets=[run_outlet(asset)], **kwargs)
        self.asset = asset

    def execute(self, context: Context) -> None:
        """Runs however the tasks before it ended."""
        from vod_migrate.airflow.messages import messenger, report_link  # noqa: PLC0415 - not while parsing
        from vod_migrate.plan.text import plan_text, write_plan  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.conclusion import conclude  # noqa: PLC0415 - not while parsing

        stop = self.begin()
        run_id = prepared_run(context, self.prepare_task_id)
        with explained(self), open_results() as store:
            folder = reports_folder()
            end = conclude(
                store=store,
                run_id=run_id,
                directory=folder,
                connect=lambda: VodHook(self.connection_id).connection,
                messenger=messenger(context, stop),
                page=report_link(store.run(run_id)),
            )
            summary = end.summary
            self.log.info("%s", end.text)
            if summary.plan is not None:
                self.log.info("%s", plan_text(summary.plan))
                try:
                    if folder is not None:
                        write_plan(summary.plan, folder)
                except BadSetting as error:
                    end = replace(end, warning=end.warning or str(error))
            for warning in (end.warning, end.unsent):
                if warning:
                    self.log.warning("%s", warning)
            context["ti"].xcom_push(key="return_value", value=end.as_json())
            where = f" The report is in {end.files.html}" if end.files is not None else ""
            if where:
                self.log.info("%s", where.strip())
            if summary.state == "succeeded":
                send_event(context, self.asset, end)
            if isinstance(summary.error, Paused):
                self.log.warning("%s", summary.error)
            elif summary.error is not None:
                # Its work is done; a retry would only write the same report again.
                raise AirflowFailException(f"{summary.error}{where}")


def reports_folder() -> Path | None:
    """Where reports go: VOD_MIGRATE_REPORTS (`none`: nowhere), else `vod_reports` in AIRFLOW_HOME."""
    named = os.environ.get("VOD_MIGRATE_REPORTS", "")
    if named.strip().lower() == "none":
        return None
    # As Airflow does: a home that is not known stays a `~`.
    return Path(os.path.expanduser(named or os.path.join(os.environ.get("AIRFLOW_HOME", "~/airflow"), "vod_reports")))  # noqa: PTH111, PTH118


def _check_resumed(store: Store, options: RunOptions, migration: Migration, dag_id: str) -> None:
    """Whoever may trigger a DAG may resume its own runs only; checked before anything is done to the run."""
    if options.resume is None:
        return
    try:
        before = store.run(options.resume)
    except KeyError:
        before = None
    if before is None or before.migration != migration.name or before.dag_id not in (None, dag_id):
        raise BadOption(f"resume: the DAG {dag_id} has no run {options.resume!r}; see its runs on the page `VOD runs`")


def _interval(dag_run: Any) -> tuple[dt.datetime, dt.datetime] | None:
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    return (start, end) if start is not None and end is not None else None


def prepared_run(context: Context, prepare_task_id: str) -> str:
    """The run that `prepare` stored."""
    run_id = context["ti"].xcom_pull(task_ids=prepare_task_id)
    if not run_id:
        raise AirflowFailException(f"no run was prepared: see the log of the task {prepare_task_id}")
    return str(run_id)


@contextmanager
def explained(operator: BaseOperator, *, tries: int = 0) -> Iterator[None]:
    """Turns our errors into Airflow's: one paragraph, and no further try if it cannot help. tries: which one this is."""
    try:
        yield
    except VodMigrateError as error:
        operator.log.error("%s", error)  # noqa: TRY400 - a paragraph, no traceback
        may_go_away = isinstance(error, (Retryable, Interrupted))
        raise (AirflowException if may_go_away else AirflowFailException)(str(error)) from None
    except AirflowException:
        raise
    except Exception as error:
        if tries < MOST_UNEXPLAINED_TRIES:
            raise
        raise AirflowFailException(f"a bug, please report it: {error!r} after {tries} tries") from error
