from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import oss2
import pytest
import requests
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions
from sdk_clients import BUCKET, HOST, Register, url_of, vod_client

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.quota import SlidingSecond
from vod_migrate.sandbox.settings import AccountConfig, BucketConfig, CredentialConfig, SandboxConfig

REQUEST = models.RegisterMediaRequest(register_metadatas=json.dumps([{"FileURL": url_of("a.mp4"), "Title": "t"}]))


def outcome(client: Client) -> str:
    try:
        client.register_media(REQUEST)
    except (ClientException, ServerException) as error:
        return str(error.code)
    return "ok"


def test_a_quota_holds_in_any_sliding_second_and_refusals_leave_no_trace() -> None:
    second = SlidingSecond()
    assert [second.accept(0.1 * step, 3) for step in range(8)] == [True] * 3 + [False] * 5
    assert not second.accept(0.999, 3)
    assert second.accept(1.0, 3), "the call at 0.0 is one second old"
    assert not second.accept(1.05, 3)
    assert second.most == 3


def test_the_51st_call_of_a_second_is_throttled(sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    client = vod_client(sandbox)
    client.register_media(REQUEST)
    time.sleep(1)
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: outcome(client), range(80)))
    counts = sandbox.counters()["RegisterMedia"]
    assert set(outcomes) <= {"ok", "Throttling.User"}
    assert counts["most_accepted_in_a_second"] <= 50
    assert counts["throttled"] == outcomes.count("Throttling.User") >= 1
    assert counts["ok"] == outcomes.count("ok") + 1 >= 51
    assert sum(counts["arrivals_per_second"].values()) == counts["requests"] == 81
    assert sum(counts["accepted_per_second"].values()) == counts["ok"]
    assert 1 <= counts["most_in_flight"] <= 16


def test_two_users_of_one_account_share_its_quota_and_another_account_has_its_own() -> None:
    users = [CredentialConfig(access_key_id=name, access_key_secret="s") for name in ("one", "two")]
    other = CredentialConfig(access_key_id="other", access_key_secret="s")
    config = SandboxConfig(
        accounts=[AccountConfig(credentials=users), AccountConfig(uid="2", credentials=[other])],
        buckets=[BucketConfig(), BucketConfig(name="others", account="2")],
    )
    with Sandbox.start(config, quotas={"RegisterMedia": 1}) as sandbox:
        sandbox.put(BUCKET, "a.mp4")
        one, two, third = (
            vod_client(sandbox, access_key_id=name, access_key_secret="s") for name in ("one", "two", "other")
        )
        assert [outcome(one), outcome(two), outcome(third)] == [
            "ok", "Throttling.User", "InvalidFileURL.StorageNotAdded",
        ]  # fmt: skip
        assert sandbox.counters("2")["RegisterMedia"]["throttled"] == 0


def test_each_api_has_its_own_quota(sandbox: Sandbox, vod: Client) -> None:
    sandbox.put(BUCKET, "a.mp4")
    quotas = sandbox.settings(quotas={"RegisterMedia": 1}).quotas
    assert (quotas["RegisterMedia"], quotas["AddCategory"]) == (1, 30)
    assert [outcome(vod), outcome(vod)] == ["ok", "Throttling.User"]
    vod.get_categories(models.GetCategoriesRequest())
    sandbox.settings(quotas={"RegisterMedia": None})
    assert {outcome(vod) for _ in range(60)} == {"ok"}


def test_a_throttled_call_may_say_when_to_come_back(sandbox: Sandbox, vod: Client) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.settings(quotas={"RegisterMedia": 1}, retry_after_ms=700)
    vod.register_media(REQUEST)
    with pytest.raises(ThrottlingException) as throttled:
        vod.register_media(REQUEST)
    assert (throttled.value.status_code, throttled.value.code) == (400, "Throttling.User")
    assert throttled.value.retry_after == 700


def test_latency_comes_after_the_effect_and_jitter_before_it(sandbox: Sandbox, vod: Client) -> None:
    sandbox.put(BUCKET, "a.mp4")
    for changes in ({"latency_ms": 60}, {"latency_ms": 0, "arrival_jitter_ms": 30}):
        sandbox.settings(**changes)
        started = time.perf_counter()
        for _ in range(5):
            vod.register_media(REQUEST)
        assert 0.02 < (time.perf_counter() - started) / 5 < 0.3
    sandbox.settings(arrival_jitter_ms=0, latency_ms=500)
    with pytest.raises(UnretryableException):
        vod.register_media_with_options(REQUEST, RuntimeOptions(read_timeout=100))
    assert sandbox.truth(BUCKET)["a.mp4"].registrations == 11, "the client gave up, the effect stayed"


@pytest.mark.parametrize("shape", ["fixed", "exponential", "lognormal"])
def test_every_shape_of_latency_delays(sandbox: Sandbox, bucket: oss2.Bucket, shape: str) -> None:
    sandbox.settings(latency_ms=5, latency_shape=shape)
    bucket.list_objects_v2()


def timing(kind: str, when: str | None = None) -> dict[str, Any]:
    given: dict[str, Any] = {"seconds": 0.05} if kind == "timeout" else {}
    return given if kind == "throttle" or when is None else {**given, "when": when}


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("http_500", ServerException, "InternalError"),
        ("http_503", ServerException, "ServiceUnAvailable"),
        ("throttle", ClientException, "Throttling.User"),
        ("html_502", UnretryableException, None),
        ("reset", UnretryableException, None),
        ("timeout", UnretryableException, None),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_each_kind_of_fault_hits_vod_before_or_after_the_effect(
    sandbox: Sandbox, vod: Client, kind: str, error: type[Exception], code: str | None, when: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault(kind, api="RegisterMedia", times=1, **timing(kind, when))
    with pytest.raises(error) as failed:
        vod.register_media(REQUEST)
    assert getattr(failed.value, "code", None) == code
    happened = when == "after" and kind != "throttle"
    assert bool(sandbox.truth(BUCKET)) == happened
    counted = sandbox.counters()["RegisterMedia"]
    assert (counted["faults"], counted["faults_by_kind"], counted["effects"]) == (1, {kind: 1}, int(happened))
    assert outcome(vod) == "ok", "the fault was for one call"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("http_500", 500, "InternalError"),
        ("http_503", 503, "ServiceUnavailable"),
        ("throttle", 503, "TotalQpsLimitExceeded"),
        ("html_502", 502, ""),
        ("reset", oss2.exceptions.OSS_REQUEST_ERROR_STATUS, ""),
        ("timeout", oss2.exceptions.OSS_REQUEST_ERROR_STATUS, ""),
    ],
)
def test_each_kind_of_fault_hits_oss(sandbox: Sandbox, bucket: oss2.Bucket, kind: str, status: int, code: str) -> None:
    sandbox.fault(kind, api="ListObjects", times=1, **timing(kind))
    with pytest.raises(oss2.exceptions.OssError) as failed:
        bucket._do("GET", BUCKET, "", params={"list-type": "2"})
    assert (failed.value.status, failed.value.code) == (status, code)
    bucket.list_objects_v2()


def test_a_fault_can_be_narrowed_to_a_rate_a_glob_and_an_account(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    bucket.put_object("spared.mp4", b"x")
    sandbox.fault("http_500", api="HeadObject", rate=0.5, seed=4)
    sandbox.fault("http_503", api="PutObject", keys="hit/*")
    sandbox.fault("http_503", api="GetObject", account="another")
    outcomes = [_status(bucket, "spared.mp4") for _ in range(40)]
    assert 8 < outcomes.count(500) < 32
    bucket.put_object("spared.mp4", b"x")
    with pytest.raises(oss2.exceptions.ServerError):
        bucket.put_object("hit/a.mp4", b"x")
    bucket.get_object("spared.mp4")
    assert sandbox.clear_faults() == 3
    assert {_status(bucket, "spared.mp4") for _ in range(10)} == {200}


def _status(bucket: oss2.Bucket, key: str) -> int:
    try:
        return int(bucket.head_object(key).status)
    except oss2.exceptions.ServerError as error:
        return int(error.status)


@pytest.mark.parametrize(
    ("fault", "registered", "failed", "in_truth"),
    [
        ({"kind": "fail_files", "keys": "b*"}, ["a", "c"], ["b"], ["a", "c"]),
        ({"kind": "fail_files", "keys": "b*", "when": "after"}, ["a", "c"], ["b"], ["a", "b", "c"]),
        ({"kind": "omit_files", "keys": "b*"}, ["a", "c"], [], ["a", "c"]),
        ({"kind": "omit_files", "keys": "b*", "when": "after"}, ["a", "c"], [], ["a", "b", "c"]),
        ({"kind": "fail_files", "times": 1, "skip": 1}, ["a", "c"], ["b"], ["a", "c"]),
    ],
)
def test_files_can_be_made_to_fail_or_to_vanish_from_the_reply(
    sandbox: Sandbox, register: Register, fault: dict[str, Any], registered: list[str], failed: list[str],
    in_truth: list[str],
) -> None:  # fmt: skip
    for name in "abc":
        sandbox.put(BUCKET, f"{name}.mp4")
    sandbox.fault(**fault)
    reply = register("a.mp4", "b.mp4", "c.mp4")
    assert [media.file_url for media in reply.registered_media_list] == [f"http://{HOST}/{x}.mp4" for x in registered]
    assert reply.failed_file_urls == [f"http://{HOST}/{x}.mp4" for x in failed]
    assert sorted(sandbox.truth(BUCKET)) == [f"{x}.mp4" for x in in_truth]


def test_a_share_of_files_fails_the_same_ones_every_time(sandbox: Sandbox, register: Register) -> None:
    keys = [f"{number}.mp4" for number in range(100)]
    for key in keys:
        sandbox.put(BUCKET, key)
    sandbox.fault("fail_files", rate=0.3)

    def failures() -> list[str]:
        return [url for start in range(0, 100, 10) for url in register(*keys[start : start + 10]).failed_file_urls]

    first = failures()
    assert 15 < len(first) < 45
    assert failures() == first


def test_a_request_line_beyond_the_gateways_limit_gets_an_html_414(sandbox: Sandbox, vod: Client) -> None:
    sandbox.settings(max_url_bytes=300)
    with pytest.raises(UnretryableException):
        vod.get_video_infos(models.GetVideoInfosRequest(video_ids="x" * 300))
    assert requests.get(f"{sandbox.endpoint}/{'x' * 300}", timeout=5).status_code == 414


def test_the_longest_legal_batch_passes(sandbox: Sandbox, register: Register) -> None:
    keys = [f"{'长' * 104}{number}.mp4" for number in range(10)]
    for key in keys:
        sandbox.put(BUCKET, key)
    items = [
        {
            "FileURL": url_of(key),
            "Title": "标" * 42,
            "Description": "述" * 341,
            "Tags": ",".join(["签" * 10] * 16),
            "CoverURL": "https://c/" + "%E6" * 338,
        }
        for key in keys
    ]
    assert len(register(*items, template_group_id="VOD_NO_TRANSCODE").registered_media_list) == 10


def test_counters_start_anew(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    bucket.list_objects_v2()
    assert sandbox.counters()["ListObjects"]["requests"] == 1
    sandbox.reset_counters()
    assert sandbox.counters() == {}
