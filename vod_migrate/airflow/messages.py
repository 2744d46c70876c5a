"""Messages from inside Airflow: webhooks from its connections, notifiers of its providers, and links to its pages."""

from __future__ import annotations

import json
import pkgutil
import threading
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from vod_migrate.airflow.links import report_tab
from vod_migrate.cloud.webhook import Webhook, checked_webhook, webhook_from_environment
from vod_migrate.errors import BadSetting
from vod_migrate.migration.notification import Notify
from vod_migrate.report.notice import Notice
from vod_migrate.results.run import Run
from vod_migrate.run.notification import Messenger

if TYPE_CHECKING:
    from airflow.sdk import Context

_TYPE = "http"


def messenger(context: Context, stop: threading.Event) -> Messenger:
    """How a task tells of its run."""

    def notify(receiver: Notify, notice: Notice) -> None:
        found = find_notifier(receiver.notifier or "")
        sent: Any = found(**receiver.arguments)
        sent({**context, "vod": notice.as_json()})

    return Messenger(stop=stop, find=find_webhook, airflow=notify)


def find_webhook(name: str) -> Webhook:
    """A webhook: the Airflow connection of that ID, else what the environment names.

    Raises:
        BadSetting: there is none, or it holds no URL of a webhook.
    """
    try:
        stored = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return webhook_from_environment(name)
    origin = f"the Airflow connection {name}"
    if stored.conn_type != _TYPE:
        raise BadSetting(f"{origin} has the type {stored.conn_type!r}: a webhook's is {_TYPE!r}")
    try:
        extra = json.loads(stored.extra or "{}")
    except ValueError:
        extra = {}
    secret = str(extra.get("secret") or "") if isinstance(extra, dict) else ""
    return checked_webhook(name, stored.password or "", secret, origin=f"the password of {origin}")


def report_link(run: Run) -> str:
    """The address of the report's tab on the DAG run of a run; '' where Airflow does not know its own address."""
    base = conf.get("api", "base_url", fallback="") or ""
    return f"{base.rstrip('/')}/{report_tab(run.dag_id or '', run.dag_run_id or '')}" if base else ""


def find_notifier(path: str) -> type[BaseNotifier]:
    """An Airflow notifier by its import path.

    Raises:
        BadSetting: it cannot be imported, or is none.
    """
    try:
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError) as error:
        raise BadSetting(
            f"the notifier {path} cannot be imported ({error}): install its provider, or correct it"
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise BadSetting(f"{path} is not a notifier: name a class that extends BaseNotifier")
    return found
