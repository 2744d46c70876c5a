"""What a migration file says about messages: who is told of which events of a run, and how."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from vod_migrate.migration.base import SettingsModel

_CHANNEL = re.compile(r"[a-z][a-z0-9_]{0,49}")
_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class RunEvent(StrEnum):
    """What happens to a run. A run that passes its threshold has failed, too; the more special event is the one that is told."""

    FINISHED = "finished"
    FAILED = "failed"
    THRESHOLD = "threshold"
    PAUSED = "paused"
    APPROVAL = "approval"


class Receiver(StrEnum):
    """The form of a message."""

    WEBHOOK = "webhook"
    DINGTALK = "dingtalk"
    WECOM = "wecom"
    FEISHU = "feishu"
    AIRFLOW = "airflow"


def _check_channel(channel: str) -> str:
    if not _CHANNEL.fullmatch(channel):
        raise ValueError(
            "is not the name of a webhook: write lower-case letters, digits and _, and keep the URL in VOD_MIGRATE_WEBHOOK_<NAME> or in an "
            "Airflow connection"
        )
    return channel


def _check_import_path(notifier: str) -> str:
    if not _IMPORT_PATH.fullmatch(notifier):
        raise ValueError("is not an import path: write package.module.SomeNotifier")
    return notifier


class Notify(SettingsModel):
    """One receiver of notifications about runs; each event of a run is sent once."""

    to: Receiver
    """`webhook`: JSON for your own program; `dingtalk`, `wecom`, `feishu`: a custom robot in a group; `airflow`: a
    notifier of an Airflow provider, used in Airflow only."""
    events: Annotated[tuple[RunEvent, ...], Field(min_length=1)] = (RunEvent.FAILED, RunEvent.APPROVAL)
    """`finished`: success; `failed`: any end without success; `threshold`: stopped by `stop_after`; `paused`; `approval`: a plan waits for approval."""
    channel: Annotated[str, AfterValidator(_check_channel)] | None = None
    """The name of the webhook, whose URL is a secret: an Airflow connection with that ID (type `http`, the URL as its
    password), or the variable `VOD_MIGRATE_WEBHOOK_<NAME>`."""
    language: Literal["en", "zh"] = "en"
    """The language of the message: English, or Chinese (`zh`). Keys and VOD's own texts are not translated."""
    notifier: Annotated[str, AfterValidator(_check_import_path)] | None = None
    """`airflow`: the import path of the notifier's class."""
    arguments: Annotated[dict[str, Any], Field(default_factory=dict)]
    """`airflow`: the notifier's arguments. Its templated ones can use `{{ vod.text }}` and the fields of the webhook's JSON."""

    @model_validator(mode="after")
    def _fits_its_receiver(self) -> Notify:
        if self.to is Receiver.AIRFLOW:
            if self.notifier is None:
                raise ValueError(
                    "to is airflow, so notifier is required: name the class, e.g. package.module.SomeNotifier"
                )
            if self.channel is not None:
                raise ValueError("channel is for webhooks: put what the notifier needs into arguments")
            return self
        if self.channel is None:
            raise ValueError(
                f"to is {self.to}, so channel is required: name the webhook, and keep its URL in VOD_MIGRATE_WEBHOOK_<NAME> or in an Airflow connection"
            )
        if self.notifier is not None or self.arguments:
            raise ValueError("notifier and arguments are for `to: airflow`: leave them out")
        return self
