"""What the sensor takes, what its trigger asks VOD, and what it then says."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from databases import Databases

from vod_migrate import VodMediaReadySensor
from vod_migrate.airflow.media_trigger import MediaReadyTrigger
from vod_migrate.errors import BadOption
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP

T = TypeVar("T")
BUCKET = "media-archive"
ONE, OTHER = "0" * 32, "f" * 32


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="module")
def results_url(databases: Databases) -> str:
    return databases.create()


@pytest.fixture(autouse=True)
def connected(sandbox: Sandbox, results_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region": sandbox.region, "oss_endpoint": sandbox.endpoint, "vod_endpoint": sandbox.endpoint}
    stored = {"login": sandbox.access_key_id, "password": sandbox.access_key_secret, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_VOD_DEFAULT", json.dumps({"conn_type": "aliyun_vod", **stored}))
    monkeypatch.delenv("AIRFLOW_CONN_VOD_MIGRATE_DB", raising=False)
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", results_url)


def deferred(**given: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        VodMediaReadySensor(task_id="ready", poke_interval=0.1, **given).execute({})
    return caught.value


def in_a_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: Playwright, where another test has started it, keeps a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def first_event(trigger: MediaReadyTrigger) -> dict[str, Any]:
    event = await asyncio.wait_for(anext(trigger.run()), 20)
    payload: dict[str, Any] = event.payload
    return payload


def registered(sandbox: Sandbox, name: str, content: bytes | None = None, **order: Any) -> str:
    sandbox.put(BUCKET, name, content)
    sandbox.import_media(BUCKET, template_group_id=DEFAULT_GROUP, **order)
    return sandbox.truth(BUCKET)[name].media_id


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ([ONE, OTHER, ONE], [ONE, OTHER]),
        (f"{ONE},{OTHER}", [ONE, OTHER]),
        (str([ONE, OTHER]), [ONE, OTHER]),
        (json.dumps([ONE]), [ONE]),
        ((ONE,), [ONE]),
        ([], []),
    ],
)
def test_media_ids_are_taken_as_templates_and_xcoms_bring_them(given: Any, taken: list[str]) -> None:
    trigger = deferred(media_ids=given).trigger
    assert isinstance(trigger, MediaReadyTrigger)
    assert trigger.media_ids == taken
    path, arguments = trigger.serialize()
    assert path == "vod_migrate.airflow.media_trigger.MediaReadyTrigger"
    assert MediaReadyTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)


def test_a_run_is_named_by_its_id_or_by_the_summary_of_its_group() -> None:
    for given in ("20260101T000000-abcdef01", {"run_id": "20260101T000000-abcdef01", "state": "succeeded"}):
        task = deferred(run=given, timeout=60)
        assert isinstance(task.trigger, MediaReadyTrigger)
        assert (task.trigger.run_id, task.trigger.every) == ("20260101T000000-abcdef01", 0.1)
        assert task.timeout is not None
        assert task.timeout.total_seconds() == 60


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "either media_ids or run"),
        ({"media_ids": [ONE], "run": "x"}, "either media_ids or run"),
        ({"media_ids": [ONE], "share": 95}, "share is 95: write a number from 0 to 1"),
        ({"media_ids": [ONE], "tolerate": -1}, "tolerate is -1"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused_when_the_dag_is_read(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOption, match=said):
        VodMediaReadySensor(task_id="ready", **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"media_ids": ["采访"]}, "'采访', which is not a MediaId"),
        ({"media_ids": [None]}, "None, which is not a MediaId"),
        ({"media_ids": 7}, "give a list of MediaIds"),
        ({"media_ids": [f"{number:032x}" for number in range(10_001)]}, "name the run instead"),
        ({"run": {"state": "x"}}, "the summary of a migration_group"),
        ({"run": "  "}, "the ID of a run"),
    ],
)
def test_what_a_template_brings_that_cannot_be_fails_at_once(given: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowFailException, match=said):
        VodMediaReadySensor(task_id="ready", **given).execute({})


class Watched(MediaReadyTrigger):
    """Notes in which threads VOD is asked."""

    threads: ClassVar[set[int]] = set()

    def _look(self, stop: threading.Event, *, first: bool) -> tuple[bool | None, dict[str, Any]]:
        self.threads.add(threading.get_ident())
        return super()._look(stop, first=first)


def test_the_trigger_waits_while_vod_processes_without_blocking_the_loop(sandbox: Sandbox) -> None:
    media_id = registered(sandbox, "slow.mp4")
    sandbox.settings(analysis_s=3600)
    trigger = Watched(**deferred(media_ids=[media_id]).trigger.serialize()[1])

    async def watched() -> dict[str, Any]:
        waiting = asyncio.create_task(first_event(trigger))
        while sandbox.counters().get("BatchGetMediaInfos", {}).get("requests", 0) < 2:  # noqa: ASYNC110 - of a sandbox
            await asyncio.sleep(0.01)
        assert not waiting.done()
        sandbox.settings(analysis_s=0)
        event = await waiting
        assert Watched.threads
        assert threading.get_ident() not in Watched.threads
        return event

    try:
        event = in_a_loop(watched())
    finally:
        sandbox.settings(analysis_s=0)
    assert (event["ready"], event["found"]["counts"]) == (True, {"playable": 1})


def test_airflow_has_time_to_note_the_deferral_before_the_trigger_fires() -> None:
    trigger = Watched(**{**deferred(media_ids=[ONE]).trigger.serialize()[1], "every": 3600})
    Watched.threads.clear()

    async def watched() -> None:
        waiting = asyncio.create_task(first_event(trigger))
        await asyncio.sleep(0.2)
        waiting.cancel()

    in_a_loop(watched())
    assert not Watched.threads


def test_what_failed_for_good_ends_the_waiting_with_vods_reason_unless_it_is_tolerated(sandbox: Sandbox) -> None:
    good = registered(sandbox, "good.mp4")
    bad = registered(sandbox, "bad.mp4", b"not a film")
    for tolerate, ready in ((0.0, False), (0.5, True)):
        event = in_a_loop(first_event(deferred(media_ids=[good, bad], tolerate=tolerate).trigger))
        assert event["ready"] is ready
    sensor = VodMediaReadySensor(task_id="ready", media_ids=[good, bad])
    with pytest.raises(AirflowFailException, match="1 of 2 media cannot be played"):
        sensor.execute_complete({}, {**event, "ready": False})
    [found] = event["found"]["samples"]["failed"]
    assert found["key"] == "bad.mp4"
    assert "InvalidParameter.ResourceContentBad" in found["detail"]
    assert sensor.execute_complete({}, event)["counts"] == {"playable": 1, "failed": 1}


def test_what_is_not_there_fails_and_what_may_not_be_asked_says_which_permission(sandbox: Sandbox) -> None:
    assert in_a_loop(first_event(deferred(media_ids=[ONE]).trigger))["ready"] is False
    assert "no run 'nobody'" in in_a_loop(first_event(deferred(run="nobody").trigger))["error"]
    bad = registered(sandbox, "unexplained.mp4", b"not a film")
    sandbox.account(deny=["vod:ListTranscodeTask"])
    event = in_a_loop(first_event(deferred(media_ids=[bad]).trigger))
    assert "vod:ListTranscodeTask" in event["found"]["samples"]["failed"][0]["detail"]
    sandbox.account(deny=["vod:BatchGetMediaInfos"])
    event = in_a_loop(first_event(deferred(media_ids=[bad]).trigger))
    assert "vod:BatchGetMediaInfos" in event["error"]
    with pytest.raises(AirflowFailException, match="vod:BatchGetMediaInfos"):
        VodMediaReadySensor(task_id="ready", media_ids=[bad]).execute_complete({}, event)
