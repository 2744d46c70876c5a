"""VodHook against the sandbox, through the real SDKs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from vod_migrate.airflow.hook import VodHook
from vod_migrate.sandbox.pytest_plugin import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture
def hook(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> VodHook:
    store_connection(sandbox, monkeypatch)
    return VodHook("vod_sandbox")


def store_connection(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, **change: Any) -> None:
    stored = {
        "conn_type": "aliyun_vod",
        "login": sandbox.access_key_id,
        "password": sandbox.access_key_secret,
        "extra": {"region": sandbox.region, "oss_endpoint": sandbox.endpoint, "vod_endpoint": sandbox.endpoint},
    }
    monkeypatch.setenv("AIRFLOW_CONN_VOD_SANDBOX", json.dumps({**stored, **change}))


def test_a_bucket_can_be_listed_and_read(hook: VodHook, sandbox: Sandbox) -> None:
    sandbox.put("media-archive", "访谈 1.mp4", b"frames")

    bucket = hook.get_bucket("media-archive")

    assert [found.key for found in bucket.list_objects_v2().object_list] == ["访谈 1.mp4"]
    assert bucket.get_object("访谈 1.mp4").read() == b"frames"


def test_a_file_can_be_registered_in_one_call(hook: VodHook, sandbox: Sandbox) -> None:
    sandbox.put("media-archive", "a.mp4")
    url = f"https://media-archive.oss-{sandbox.region}.aliyuncs.com/a.mp4"

    answer = hook.register_media([{"FileURL": url, "Title": "A"}], template_group_id="VOD_NO_TRANSCODE")

    [registered] = answer["RegisteredMediaList"]
    assert registered["MediaId"] == sandbox.truth("media-archive")["a.mp4"].media_id
    assert answer["RequestId"]


def test_the_test_button_says_what_was_tried(hook: VodHook, sandbox: Sandbox) -> None:
    works, said = hook.test_connection()

    assert works
    assert f"GetCategories at {sandbox.endpoint}: works" in said
    assert f"ListBuckets at {sandbox.endpoint}: works" in said


def test_the_test_button_tells_a_wrong_secret(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    store_connection(sandbox, monkeypatch, password="another")

    works, said = VodHook("vod_sandbox").test_connection()

    assert not works
    assert said.count("SignatureDoesNotMatch") == 2
    assert "another" not in said


def test_the_test_button_takes_a_missing_permission_for_a_known_key(sandbox: Sandbox, hook: VodHook) -> None:
    sandbox._do(lambda world: world.accounts.add(denied(world)))

    works, said = hook.test_connection()

    assert works, said
    assert said.count("which registering does not need") == 2


def denied(world: Any) -> Any:
    return world.accounts.first.config.model_copy(update={"deny": ["vod:GetCategories", "oss:ListBuckets"]})


def test_the_test_button_tells_a_missing_connection() -> None:
    works, said = VodHook("vod_nowhere").test_connection()

    assert not works
    assert "AIRFLOW_CONN_VOD_NOWHERE" in said
