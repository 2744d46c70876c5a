"""Tells the receivers that a migration file names about the events of its runs: each once, and never at the cost of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vod_migrate.cloud.webhook import Webhook, hidden, post_json, webhook_from_environment
from vod_migrate.errors import MessageUnsent, Paused, VodMigrateError
from vod_migrate.migration.notification import Notify, Receiver, RunEvent
from vod_migrate.report.chat_body import chat_body, refusal
from vod_migrate.report.headline import headline_of
from vod_migrate.report.language import Language, language
from vod_migrate.report.loader import load_report
from vod_migrate.report.notice import Notice
from vod_migrate.results.run import Run
from vod_migrate.results.stop_code import StopCode
from vod_migrate.results.store import Store
from vod_migrate.run.settle import Summary
from vod_migrate.shutdown import StopClock

Sentence = Callable[[Language], str]


@dataclass(frozen=True, kw_only=True)
class Messenger:
    """How messages leave this process. find: a webhook by its name; airflow: sends to an Airflow notifier, None where there is no Airflow.

    stop: ends the waits between tries.
    """

    stop: threading.Event
    find: Callable[[str], Webhook] = webhook_from_environment
    airflow: Callable[[Notify, Notice], None] | None = None

    def send(self, receiver: Notify, notice: Notice) -> None:
        """Sends one message.

        Raises:
            MessageUnsent: it was not delivered. BadSetting: the webhook has no URL. Whatever an Airflow notifier raises.
        """
        if receiver.to is Receiver.AIRFLOW:
            if self.airflow is not None:
                self.airflow(receiver, notice)
            return
        webhook = self.find(receiver.channel or "")
        sleep = StopClock(self.stop).sleep
        if receiver.to is Receiver.WEBHOOK:
            post_json(webhook, notice.as_json(), sleep=sleep)
            return
        parameters, body = chat_body(receiver.to, notice.text, secret=webhook.secret, now=time.time())
        refused = refusal(receiver.to, post_json(webhook, body, parameters=parameters, sleep=sleep))
        if refused:
            raise MessageUnsent(
                f"the webhook {webhook.name!r} at {webhook.host} refused it ({hidden(refused, webhook)})"
            )


def tell_end(store: Store, summary: Summary, messenger: Messenger, *, link: str) -> str:
    """Tells of the end of a run; returns a warning where somebody could not be told. link: to the report."""
    run = store.run(summary.run_id)
    return _tell(store, run, _events_of(run, summary), messenger, link=link)


def tell_approval(store: Store, run_id: str, messenger: Messenger, *, sentence: Sentence, link: str) -> str:
    """Tells that a plan waits for a person; returns a warning where somebody could not be told. sentence: what would be sent, in a language."""
    return _tell(store, store.run(run_id), (RunEvent.APPROVAL,), messenger, link=link, sentence=sentence)


def _events_of(run: Run, summary: Summary) -> tuple[RunEvent, ...]:
    """The more special event first; none for a run that only planned, or that a person cancelled."""
    if summary.plan is not None or summary.state == "cancelled":
        return ()
    if isinstance(summary.error, Paused):
        return (RunEvent.PAUSED,)
    if summary.error is None:
        return (RunEvent.FINISHED,)
    return (RunEvent.THRESHOLD, RunEvent.FAILED) if run.stop_code is StopCode.THRESHOLD else (RunEvent.FAILED,)


def _tell(
    store: Store,
    run: Run,
    events: tuple[RunEvent, ...],
    messenger: Messenger,
    *,
    link: str,
    sentence: Sentence | None = None,
) -> str:
    asked = {
        place: event
        for place, receiver in enumerate(run.spec.notify)
        if (event := next((event for event in events if event in receiver.events), None)) is not None
    }
    if not asked:
        return ""
    report = load_report(store, run.run_id)
    unsent = []
    for place, event in asked.items():
        if not store.claim_notice(run, event=event.value, receiver=place):
            continue
        receiver = run.spec.notify[place]
        spoken = language(receiver.language)
        told = headline_of(report, spoken) if sentence is None else sentence(spoken)
        notice = Notice(event=event, report=report, sentence=told, link=link, language=spoken)
        try:
            messenger.send(receiver, notice)
        except VodMigrateError as error:
            unsent.append(str(error))
        except Exception as error:  # noqa: BLE001 - a notifier is anybody's code
            # What it raises may not change what the run came to, and its text may hold a secret.
            unsent.append(f"notify[{place}] ({receiver.notifier or receiver.to}) failed: {type(error).__name__}")
    return f"a message was not sent: {'; '.join(unsent)}. The run itself is not affected" if unsent else ""
