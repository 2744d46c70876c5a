"""Messages about runs, received by a real server: what they say, that each is sent once, and that no receiver changes a run's verdict."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from receiver import HttpReceiver, http_receiver
from rigging import Rig, put
from shell import BUCKET, MIGRATION, Done, Shell

from vod_migrate.cloud.webhook import Webhook
from vod_migrate.results.stop_code import StopCode
from vod_migrate.run.conclusion import Conclusion, conclude
from vod_migrate.run.control import pause
from vod_migrate.run.notification import Messenger
from vod_migrate.sandbox.pytest_plugin import Sandbox

TOKEN = "c0ffee-canary-token"


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


@pytest.fixture
def told(shell: Shell, receiver: HttpReceiver) -> Shell:
    """A command line whose webhook `ops` is the receiver."""
    shell.environment["VOD_MIGRATE_WEBHOOK_OPS"] = f"{receiver.url}/robot/send?access_token={TOKEN}"
    return shell


def run(shell: Shell, *receivers: dict[str, Any], code: int = 0, **content: Any) -> Done:
    notify = [{"to": "webhook", "channel": "ops", **one} for one in receivers]
    done = shell.run("run", str(shell.file({**MIGRATION, "notify": notify, **content})), "--json")
    assert done.returncode == code, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return done


def test_a_webhook_is_told_what_happened_with_the_failures_and_where_the_report_is(
    sandbox: Sandbox, told: Shell, receiver: HttpReceiver
) -> None:
    for key in ("a.mp4", "b + 采访.mp4", "bad.mp4"):
        sandbox.put(BUCKET, key)
    sandbox.fault("fail_files", rate=1, keys="bad.mp4")
    notify = {"to": "webhook", "channel": "ops", "events": ["finished"]}
    file = told.file({**MIGRATION, "notify": [notify], "export": {"to": str(told.folder / "tables")}})
    done = told.run("run", str(file), "--json", "--report-dir", str(told.folder / "reports"))
    summary = json.loads(done.stdout)
    (one,) = receiver.received
    assert (one.query, one.type) == ({"access_token": TOKEN}, "application/json; charset=utf-8")
    body = one.body
    assert (body["event"], body["migration"], body["run_id"], body["state"]) == (
        "finished", "nightly", summary["run_id"], "succeeded",
    )  # fmt: skip
    assert body["sentence"].startswith("2 objects registered and 1 failed in ")
    assert body["counts"] == summary["counts"]
    assert [(group["code"], group["count"]) for group in body["failures"]] == [("file_refused", 1)]
    assert body["export"] == summary["export"]["location"]
    assert body["link"] == str(told.folder / "reports" / f"{summary['run_id']}.html")
    assert "file_refused: 1." in body["text"]
    assert "warning" not in summary


@pytest.mark.parametrize("to", ["dingtalk", "wecom", "feishu"])
def test_a_robot_gets_its_message_in_its_own_form(
    sandbox: Sandbox, told: Shell, receiver: HttpReceiver, to: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    told.environment["VOD_MIGRATE_WEBHOOK_OPS_SECRET"] = "SEC-canary"
    run(told, {"to": to, "events": ["finished"]})
    (one,) = receiver.received
    text = one.body["content"]["text"] if to == "feishu" else one.body["text"]["content"]
    assert text.startswith("nightly finished\n1 object registered in ")
    signed = {**one.query, **one.body} if to != "wecom" else {}
    assert ("sign" in signed, "SEC-canary" in json.dumps(one.body) + one.path) == (to != "wecom", False)


@pytest.mark.parametrize("to", ["webhook", "dingtalk", "wecom", "feishu"])
def test_a_message_is_in_chinese_where_the_file_says_so(
    sandbox: Sandbox, told: Shell, receiver: HttpReceiver, to: str
) -> None:
    for key in ("a.mp4", "bad.mp4"):
        sandbox.put(BUCKET, key)
    sandbox.fault("fail_files", rate=1, keys="bad.mp4")
    run(told, {"to": to, "events": ["finished"], "language": "zh"}, stop_after={"failure_rate": 1})
    (one,) = receiver.received
    if to == "webhook":
        text = one.body["text"]
        assert one.body["sentence"] in text
        (group,) = one.body["failures"]
        assert group["meaning"].startswith("点播")
    else:
        text = one.body["content"]["text"] if to == "feishu" else one.body["text"]["content"]
    first, sentence, *rest = text.splitlines()
    assert first == "nightly 已完成"
    assert sentence.startswith("已注册 1 个对象")
    assert [line.isascii() for line in rest] == [False] * len(rest), text
    assert any(line.startswith("file_refused: 1. ") for line in rest)


def test_a_plan_that_waits_is_told_in_chinese_and_a_group_by_its_cause(
    sandbox: Sandbox, told: Shell, receiver: HttpReceiver
) -> None:
    sandbox.settings(bad_content="failed")
    sandbox.put(BUCKET, "good.mp4")
    sandbox.put(BUCKET, "page.mp4", b"<!doctype html><html><head><title>404</title></head></html>")
    run(told, {"events": ["finished"], "language": "zh"}, stop_after={"failure_rate": 1})
    (group,) = receiver.received[-1].body["failures"]
    assert (group["code"], group["cause"], group["count"]) == ("file_refused", "content_no_media", 1)
    assert "content_no_media: 1. " in receiver.received[-1].body["text"]
    sandbox.put(BUCKET, "new.mp4")
    notify = [{"to": "webhook", "channel": "ops", "language": language} for language in ("zh", "en")]
    file = told.file({**MIGRATION, "notify": notify, "require_approval": True})
    assert told.run("plan", str(file)).returncode == 0
    chinese, english = (one.body["sentence"] for one in receiver.received[-2:])
    assert chinese.startswith("将以 1 次调用发送 1 个对象")
    assert english.startswith("1 object would be sent in 1 call: ")


def test_only_the_events_that_were_asked_for_are_told(sandbox: Sandbox, told: Shell, receiver: HttpReceiver) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("fail_files", rate=1)
    run(told, {"events": ["finished", "paused"]}, {"events": ["failed"]}, {}, code=5)
    assert [one.body["event"] for one in receiver.received] == ["failed", "failed"]


def test_a_receiver_that_refuses_is_a_warning_and_never_the_verdict(
    sandbox: Sandbox, told: Shell, receiver: HttpReceiver
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    receiver.answers = [(200, f'{{"errcode": 310000, "errmsg": "bad token {TOKEN}"}}'.encode())]
    file = told.file(
        {**MIGRATION, "notify": [{"to": to, "channel": "ops", "events": ["finished"]} for to in ("dingtalk", "wecom")]}
    )
    done = told.run("run", str(file), "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["state"]) == (0, "succeeded")
    assert summary["warning"].count("refused it (310000: bad token ***)") == 2
    del told.environment["VOD_MIGRATE_WEBHOOK_OPS"]
    done = told.run("run", str(file))
    assert (done.returncode, "Warning: a message was not sent: the webhook 'ops' has no URL" in done.stderr) == (
        0,
        True,
    )


def test_a_plan_that_waits_for_approval_is_told_once_and_a_plan_that_does_not_is_not(
    sandbox: Sandbox, told: Shell, receiver: HttpReceiver
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    notify = [{"to": "webhook", "channel": "ops"}]
    file = told.file({**MIGRATION, "notify": notify})
    assert told.run("plan", str(file)).returncode == 0
    assert receiver.received == []
    file = told.file({**MIGRATION, "notify": notify, "require_approval": True})
    assert told.run("plan", str(file)).returncode == 0
    (one,) = receiver.received
    assert one.body["event"] == "approval"
    assert one.body["sentence"].startswith("1 object would be sent in 1 call")
    assert one.body["text"].startswith("nightly needs your approval\n")


# The events of a run that Airflow tries, clears and reopens, without Airflow


def ended(rig: Rig, run_id: str, receiver: HttpReceiver, airflow: Any = None) -> Conclusion:
    messenger = Messenger(
        stop=threading.Event(),
        find=lambda name: Webhook(name=name, url=f"{receiver.url}/{TOKEN}"),
        airflow=airflow,
    )
    return conclude(
        store=rig.store,
        run_id=run_id,
        directory=None,
        connect=lambda: rig.connection,
        messenger=messenger,
        page="http://airflow/tab",
    )


def events(receiver: HttpReceiver) -> list[str]:
    return [one.body["event"] for one in receiver.received]


def test_an_event_is_told_once_however_often_the_report_runs_and_again_after_a_reopening(
    rig: Rig, receiver: HttpReceiver
) -> None:
    put(rig.sandbox, 3)
    migration = rig.migration(notify=[{"to": "webhook", "channel": "ops", "events": ["finished", "failed"]}])
    run = rig.prepare(migration)
    rig.discover(run)
    ended(rig, run.run_id, receiver)
    ended(rig, run.run_id, receiver)
    assert events(receiver) == ["failed"]
    rig.register(run)  # cleared: it works again
    ended(rig, run.run_id, receiver)
    ended(rig, run.run_id, receiver)
    assert events(receiver) == ["failed", "finished"]
    rig.register(run)
    ended(rig, run.run_id, receiver)
    assert events(receiver) == ["failed", "finished", "finished"]
    assert {one.body["link"] for one in receiver.received} == {"http://airflow/tab"}


def test_a_pause_and_a_passed_threshold_are_events_of_their_own(rig: Rig, receiver: HttpReceiver) -> None:
    put(rig.sandbox, 3)
    every = {"to": "webhook", "channel": "ops", "events": ["finished", "failed", "threshold", "paused"]}
    run = rig.prepare(rig.migration(notify=[every, {**every, "events": ["failed"]}]))
    pause(rig.store, run.run_id, by="a test")
    ended(rig, run.run_id, receiver)
    assert events(receiver) == ["paused"]
    other = rig.prepare(rig.migration("other", notify=[every, {**every, "events": ["failed"]}]))
    rig.store.stop_run(other.run_id, code=StopCode.THRESHOLD, message='9 of 9 files failed "here"\n@all')
    ended(rig, other.run_id, receiver)
    assert events(receiver)[1:] == ["threshold", "failed"]
    assert '9 of 9 files failed "here"␊@all' in receiver.received[1].body["text"]


def test_a_notifier_that_raises_is_a_warning_and_the_others_are_told(rig: Rig, receiver: HttpReceiver) -> None:
    put(rig.sandbox, 1)
    notify = [
        {"to": "airflow", "notifier": "somebody.Elses", "events": ["finished"]},
        {"to": "webhook", "channel": "ops", "events": ["finished"]},
    ]
    run = rig.prepare(rig.migration(notify=notify))
    rig.discover(run)
    rig.register(run)

    def raises(*_: Any) -> None:
        raise RuntimeError("canary-secret in a foreign error")

    end = ended(rig, run.run_id, receiver, airflow=raises)
    assert (end.summary.state, events(receiver)) == ("succeeded", ["finished"])
    assert end.unsent.startswith("a message was not sent: notify[0] (somebody.Elses) failed: RuntimeError")
    assert end.as_json()["warning"] == end.unsent
