"""Where a run's table goes, and who is told of it. Neither ends a run, so what is wrong with them is a warning: it would be noticed late."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import location_of
from vod_migrate.cloud.oss_reason import OssReason
from vod_migrate.cloud.webhook import Webhook
from vod_migrate.doctor.checklist import Check, none_checked, not_checked, ok, warning
from vod_migrate.doctor.deadline import TIMEOUTS
from vod_migrate.errors import BadSetting, SourceError
from vod_migrate.migration.export import Export
from vod_migrate.migration.model import Migration
from vod_migrate.migration.notification import Notify, Receiver
from vod_migrate.migration.templates import TemplateError

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

FindWebhook = Callable[[str], Webhook]
FindNotifier = Callable[[str], object]

_PROBE = "vod-migrate-doctor"
_ACCOUNT_WIDE = (
    OssReason.UNREACHABLE, OssReason.MISCONFIGURED, OssReason.BAD_KEYS, OssReason.SKEWED, OssReason.SUSPENDED,
)  # fmt: skip
"""Why OSS answers nothing at all, which other checks name."""
_ROBOTS = {
    Receiver.DINGTALK: ("dingtalk.com",),
    Receiver.WECOM: ("weixin.qq.com", "work.weixin.qq.com"),
    Receiver.FEISHU: ("feishu.cn", "larksuite.com"),
}
"""The hosts of each robot's addresses; another host may be a proxy of one's own."""


def output_checks(
    connection: Connection | None, migration: Migration | None, webhook: FindWebhook, notifier: FindNotifier | None
) -> Iterator[Check]:
    """The checks export and notify. webhook: finds one by its name; notifier: an Airflow notifier by its path, None without Airflow."""
    if migration is None:
        yield from none_checked(("export", "notify"), "no usable migration file")
        return
    yield _export_check(connection, migration)
    yield _notify_check(migration, webhook, notifier)


def _export_check(connection: Connection | None, migration: Migration) -> Check:
    if migration.export is None:
        return ok("export", "nothing", "no table is exported after a run")
    try:
        place = location_of(migration.export.folder(dt.datetime.now(migration.zone).date()))
    except TemplateError as error:
        return warning("export", "filling in export.to", str(error), "correct export.to in the migration file")
    if not place.bucket:
        return _folder_check(Path(place.path))
    if connection is None:
        return not_checked("export", "no usable connection")
    return _bucket_check(open_bucket(connection, place.bucket, timeouts=TIMEOUTS), place.path, migration.export)


def _bucket_check(bucket: BucketClient, folder: str, export: Export) -> Check:
    key = f"{folder}{_PROBE}"
    tried = f"starting and aborting an upload to oss://{bucket.name}/{key}; no object is created"
    try:
        upload = bucket.begin_upload(key)
    except (SourceError, BadSetting) as error:
        if isinstance(error, SourceError) and error.reason in _ACCOUNT_WIDE:
            return not_checked("export", str(error), tried=tried)
        fix = f"allow oss:PutObject on {export.to}, or correct export.to in the migration file"
        return warning("export", tried, f"the table of a run cannot be written: {error}", fix)
    try:
        bucket.abort_upload(key, upload)
    except (SourceError, BadSetting) as error:
        fix = "allow oss:AbortMultipartUpload there, so that a failed export leaves no parts behind"
        return warning(
            "export", tried, f"the table can be written, but an unfinished upload cannot be aborted: {error}", fix
        )
    return ok("export", tried, f"oss://{bucket.name}/{folder} is writable")


def _folder_check(folder: Path) -> Check:
    tried = f"checking the permissions of {folder} on this machine; nothing is created"
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "is not a folder" if not there.is_dir() else "is not writable"
        return warning(
            "export",
            tried,
            f"the table of a run cannot be written: {there} {what}",
            "correct export.to, or its permissions",
        )
    made = "" if there == folder else f"; the first run creates it in {there}"
    return ok("export", tried, f"{folder} is writable{made}")


def _notify_check(migration: Migration, webhook: FindWebhook, notifier: FindNotifier | None) -> Check:
    if not migration.notify:
        return ok("notify", "nothing", "no receiver is configured")
    tried = "reading the addresses of the receivers; nothing is sent"
    wrong = [
        f"notify[{place}]: {told}"
        for place, receiver in enumerate(migration.notify)
        if (told := _mistake(receiver, webhook, notifier))
    ]
    if wrong:
        fix = "correct the variables or Airflow connections that the result names; otherwise the messages are not sent, and runs end with a warning"
        return warning("notify", tried, "; ".join(wrong), fix)
    if notifier is None and all(receiver.to is Receiver.AIRFLOW for receiver in migration.notify):
        return not_checked("notify", "Airflow's notifiers are checked with --airflow")
    return ok("notify", tried, f"all addresses have a valid form ({len(migration.notify)} receivers)")


def _mistake(receiver: Notify, webhook: FindWebhook, notifier: FindNotifier | None) -> str:
    """What is wrong with a receiver's address; '' for nothing."""
    try:
        if receiver.to is Receiver.AIRFLOW:
            if notifier is not None:
                notifier(receiver.notifier or "")
            return ""
        found = webhook(receiver.channel or "")
    except BadSetting as error:
        return str(error)
    host = urlsplit(found.url).hostname or ""
    other = next((robot for robot, hosts in _ROBOTS.items() if host.endswith(hosts) and robot is not receiver.to), None)
    if other is not None and receiver.to is not Receiver.WEBHOOK:
        return f"the webhook {found.name!r} is the address of a robot of {other}, but `to` is {receiver.to}"
    return ""
