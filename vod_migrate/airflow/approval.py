"""The tasks between `prepare` and the work of a run that needs a person's approval: plan → approve.

The question appears on Airflow's page of required actions and waits there without holding a slot. With a yes the run sends
exactly what was planned; with a no, or without an answer in time, it ends without sending anything, which is not a failure.
"""

from __future__ import annotations

import datetime as dt
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from vod_migrate.airflow.hook import open_results
from vod_migrate.airflow.operators import explained, prepared_run

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApproveOperator(ApprovalOperator):
    """Asks a person about the plan of a run, if there is anything to ask.

    hours: how long to wait for an answer; None: without limit.
    """

    def __init__(self, *, prepare_task_id: str, migration: str, hours: float | None = None, **kwargs: Any) -> None:
        super().__init__(
            subject=f"Approve the plan of {migration}?",
            body="The task before makes the plan.",
            # No answer is no approval.
            defaults=self.REJECT if hours is not None else None,
            response_timeout=None if hours is None else dt.timedelta(hours=hours),
            **kwargs,
        )
        self.prepare_task_id = prepare_task_id

    def execute(self, context: Context) -> Any:
        """Shows the plan and waits; ends at once for a dry run, and for a run whose plan is approved already or empty."""
        from vod_migrate.airflow.messages import messenger, report_link  # noqa: PLC0415 - not while parsing
        from vod_migrate.plan.text import plan_markdown, sentence  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.notification import tell_approval  # noqa: PLC0415 - not while parsing
        from vod_migrate.run.planning_run import plan_to_approve  # noqa: PLC0415 - not while parsing

        with explained(self), open_results() as store:
            run_id = prepared_run(context, self.prepare_task_id)
            plan = plan_to_approve(store, run_id)
            if plan is None:
                self.log.info("no approval is needed: there is nothing to approve, or the plan is already approved")
                return None
            told = messenger(context, threading.Event())
            unsent = tell_approval(
                store, run_id, told, sentence=partial(sentence, plan), link=report_link(store.run(run_id))
            )
            if unsent:
                self.log.warning("%s", unsent)
        self.log.info("%s", sentence(plan))
        self.body = plan_markdown(plan)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Stores the answer with the plan; without a yes all later tasks are skipped, except the report."""
        from vod_migrate.run.planning_run import decide  # noqa: PLC0415 - not while parsing

        if "error" not in event:
            chosen = event["chosen_options"] == [self.APPROVE]
            person = event.get("responded_by_user") or {}
            with explained(self), open_results() as store:
                decide(
                    store,
                    prepared_run(context, self.prepare_task_id),
                    approved=chosen,
                    by=str(person.get("name") or person.get("id") or ""),
                )
        return super().execute_complete(context, event)
