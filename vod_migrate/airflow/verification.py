"""The task `verify`: asks VOD, some time after the work of a run, whether it can play what the run registered.

It waits in the triggerer and holds no slot meanwhile. It stands beside `report`, not after it: the run has its verdict at once, and
neither task hides that the other one failed.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from vod_migrate.airflow.hook import VodHook, open_results
from vod_migrate.airflow.operators import EngineOperator, explained, prepared_run, reports_folder

if TYPE_CHECKING:
    import threading

    from airflow.sdk import Context

    from vod_migrate.results.store import Store


class VerifyOperator(EngineOperator):
    """Asks VOD about what the run registered, and fails if some of it cannot be played. The answer is kept with the run and in its report.

    Its XCom `return_value` is what `vod-migrate verify --json` prints, even if the task then fails.
    """

    ui_color = "#e3f4f4"

    def execute(self, context: Context) -> None:
        """Waits for as long as the migration file says, then asks; skipped where the run registered nothing."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger  # noqa: PLC0415 - not while parsing

        with explained(self), open_results() as store:
            run = store.run(prepared_run(context, self.prepare_task_id))
            counts = store.counts(run.run_id)
            now = store.now()
        if run.spec.verify is None or not counts.registered + counts.already_registered:
            raise AirflowSkipException(f"run {run.run_id} registered nothing that could be checked in VOD")
        due = (run.finished_at or now) + dt.timedelta(seconds=run.spec.verify.after_seconds)
        if due > now:
            self.log.info("VOD is queried at %s", due.astimezone(run.spec.zone).isoformat(timespec="seconds"))
            self.defer(trigger=DateTimeTrigger(moment=due), method_name=self.ask.__name__)
        self.ask(context)

    def ask(self, context: Context, event: Any = None) -> None:  # noqa: ARG002 - Airflow gives the trigger's event
        """Asks now."""
        self._context = context
        self._work(context)

    def work(self, store: Store, run_id: str, stop: threading.Event) -> None:
        """See `audit.verification.verify_run`."""
        from vod_migrate.audit.verification import verify_run  # noqa: PLC0415 - not while parsing
        from vod_migrate.report.files import report_after_run  # noqa: PLC0415 - not while parsing
        from vod_migrate.report.playback_lines import found_lines  # noqa: PLC0415 - not while parsing
        from vod_migrate.report.terminal import rendered  # noqa: PLC0415 - not while parsing
        from vod_migrate.results.verifications import Scope  # noqa: PLC0415 - not while parsing

        run = store.run(run_id)
        if run.spec.verify is None:
            return
        found = verify_run(
            store,
            VodHook(self.connection_id).connection,
            run,
            Scope.RUN,
            millionths=run.spec.verify.millionths,
            # The same part again where the task is tried again.
            seed=run.run_no,
            stop=stop,
        )
        self._context["ti"].xcom_push(key="return_value", value=found.as_json())
        self.log.info("%s", rendered(found_lines(found), colour=False))
        _, _, warning = report_after_run(store, run_id, reports_folder())
        if warning:
            self.log.warning("%s", warning)
        if found.wrong:
            raise AirflowFailException(
                f"{found.wrong:,} of {found.objects:,} media of run {run_id} cannot be played; see the log of this task or the report. "
                "What was registered stays registered"
            )
