"""The fault plan: what it hits and how often, the same every time; and the messages of a plan that is rejected."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oss2
import pytest
import requests
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from darabonba.exceptions import UnretryableException
from sdk_clients import BUCKET, HOST, Register, url_of
from typer.testing import CliRunner

from vod_migrate.sandbox.cli import sandbox_app
from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.faults.kinds import APIS, CODES, KINDS
from vod_migrate.sandbox.faults.plan import FaultPlan, Subject
from vod_migrate.sandbox.oss.service import Oss
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import SandboxConfig
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.service import Vod

REQUEST = models.RegisterMediaRequest(register_metadatas=json.dumps([{"FileURL": url_of("a.mp4"), "Title": "t"}]))
CALL = Subject(api="RegisterMedia", uid="1", named=lambda: ("a.mp4",))


def config(kind: str, **fault: Any) -> FaultConfig:
    return FaultConfig.model_validate({"kind": kind, **fault})


def struck(plan: FaultPlan, calls: int = 60) -> list[str]:
    hits = (plan.for_call(CALL) for _ in range(calls))
    return ["" if hit is None else f"{hit.config.kind} {hit.draw:.6f}" for hit in hits]


def test_the_same_plan_and_the_same_calls_give_the_same_faults() -> None:
    faults = [config("http_503", rate=0.2), config("reset", rate=0.3, at_byte="any")]
    plan = FaultPlan(faults)
    first = struck(plan)
    assert first == struck(FaultPlan(faults))
    assert {kind.partition(" ")[0] for kind in first} == {"", "http_503", "reset"}
    assert first != struck(plan), "it goes on, it does not begin again"
    plan.replace(faults)
    assert first == struck(plan), "arming the plan anew begins it again"
    assert first != struck(FaultPlan([fault.model_copy(update={"seed": 1}) for fault in faults]))


def test_a_fault_has_its_time_counted_from_the_moment_it_was_armed() -> None:
    now = [100.0]
    plan = FaultPlan([config("http_503", **{"from": 10, "until": 20})], clock=lambda: now[0])
    seen = []
    for age in (0, 9.9, 10, 19.9, 20, 500):
        now[0] = 100 + age
        seen.append(plan.for_call(CALL) is not None)
    assert seen == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("fault", "low", "high", "spread"),
    [
        ({"seconds": 2}, 2, 2, False),
        ({"seconds": 2, "shape": "uniform"}, 0, 4, True),
        ({"seconds": 2, "shape": "exponential"}, 0, 40, True),
        ({"seconds": 2, "shape": "lognormal", "sigma": 1.5}, 0, 600, True),
        ({"seconds": 600, "shape": "lognormal", "sigma": 4}, 0, 600, True),
    ],
)
def test_latency_has_the_shape_that_was_asked_for(fault: dict[str, Any], low: float, high: float, spread: bool) -> None:
    plan = FaultPlan([config("latency", **fault)])
    waits = sorted(plan.delays(CALL)[0] for _ in range(400))
    assert low <= waits[0] <= waits[-1] <= high
    assert (waits[0] < fault["seconds"] < waits[-1]) or not spread or fault["seconds"] == 600
    if fault.get("shape") == "lognormal" and fault["seconds"] == 2:
        assert 1.3 < waits[200] < 3, "its seconds are the median"
        assert waits[-4] > 15, "and its tail is long"


def test_delays_before_and_after_the_effect_add_up_each_on_its_side() -> None:
    plan = FaultPlan(
        [config("latency", seconds=s, when=when) for s, when in ((1, "before"), (2, "before"), (4, "after"))]
    )
    assert plan.delays(CALL) == (3, 4)


@pytest.mark.parametrize("at_byte", [0, 1, 100, 400, "any", 100_000])
def test_a_reset_within_the_answer_comes_after_the_effect_wherever_it_strikes(
    sandbox: Sandbox, vod: Client, bucket: oss2.Bucket, at_byte: int | str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("reset", api="RegisterMedia", at_byte=at_byte, times=1)
    with pytest.raises(UnretryableException):
        vod.register_media(REQUEST)
    assert sandbox.truth(BUCKET)["a.mp4"].registrations == 1
    sandbox.fault("reset", api="ListObjects", at_byte=at_byte, times=1)
    with pytest.raises((oss2.exceptions.RequestError, requests.RequestException)):
        bucket._do("GET", BUCKET, "", params={"list-type": "2"}).read()
    assert len(bucket.list_objects_v2().object_list) == 1


def test_a_reset_at_a_byte_sends_exactly_the_bytes_before_it(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.put(BUCKET, "a.mp4", b"0123456789")
    sandbox.fault("reset", api="HeadObject", at_byte=37, times=1)
    target = bucket.sign_url("HEAD", "a.mp4", 60).removeprefix(sandbox.endpoint)
    received = b""
    with (
        socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as raw,
        contextlib.suppress(ConnectionResetError),
    ):
        raw.sendall(f"HEAD {target} HTTP/1.1\r\nHost: {sandbox.host}\r\n\r\n".encode())
        while part := raw.recv(4096):
            received += part
    assert (len(received), received[:15]) == (37, b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("code", sorted(code for code in CODES if code not in {"Throttling", "TotalQpsLimitExceeded"}))
def test_every_code_can_be_answered_and_reaches_the_sdk(sandbox: Sandbox, vod: Client, code: str) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("error", code=code)
    with pytest.raises(Exception, match=code) as refused:
        vod.register_media(REQUEST)
    assert (refused.value.code, refused.value.status_code) == (code, CODES[code][0])
    assert sandbox.truth(BUCKET) == {}


@pytest.mark.parametrize("kind", ["throttle", "error"])
def test_a_refusal_may_say_when_to_come_back(sandbox: Sandbox, vod: Client, kind: str) -> None:
    sandbox.fault(kind, code="Throttling.Api", retry_after_ms=900, times=1)
    with pytest.raises(ClientException.__mro__[1]) as refused:
        vod.register_media(REQUEST)
    assert (refused.value.code, refused.value.retry_after) == ("Throttling.Api", 900)


FORMS = {
    "url_form": {
        "http": f"http://{HOST}/a%20%E5%AD%97.mp4",
        "https": f"https://{HOST}/a%20%E5%AD%97.mp4",
        "decoded": f"http://{HOST}/a 字.mp4",
        "lower_hex": f"http://{HOST}/a%20%e5%ad%97.mp4",
        "encoded_more": f"http://{HOST}/%61%20%E5%AD%97%2E%6D%70%34",
        "encoded_twice": f"http://{HOST}/a%2520%25E5%25AD%2597.mp4",
        "plus": f"http://{HOST}/a+%E5%AD%97.mp4",
        "capital_host": f"http://{HOST.upper()}/a%20%E5%AD%97.mp4",
    }
}


@pytest.mark.parametrize("form", KINDS["url_form"].forms)
def test_the_urls_of_a_reply_come_back_in_every_spelling(sandbox: Sandbox, register: Register, form: str) -> None:
    sandbox.put(BUCKET, "a 字.mp4")
    sandbox.fault("url_form", form=form)
    assert register("a 字.mp4").registered_media_list[0].file_url == FORMS["url_form"][form]


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("json", lambda urls: [json.dumps([url]) for url in urls]),
        ("plain", list),
        ("one_json", lambda urls: [json.dumps(urls)]),
        ("json_text", json.dumps),
        ("text", ",".join),
    ],
)
def test_failed_urls_come_in_every_form(
    sandbox: Sandbox, register: Register, form: str, read: Callable[[list[str]], Any]
) -> None:
    sandbox.fault("failed_form", form=form)
    reply = register("a.mp4", "b.mp4")
    assert reply.failed_file_urls == read([f"http://{HOST}/a.mp4", f"http://{HOST}/b.mp4"])


def test_both_lists_name_the_same_file_and_it_is_registered(sandbox: Sandbox, register: Register) -> None:
    for name in "ab":
        sandbox.put(BUCKET, f"{name}.mp4")
    sandbox.fault("both_lists", keys="b*")
    reply = register("a.mp4", "b.mp4")
    assert [media.file_url[-5:] for media in reply.registered_media_list] == ["a.mp4", "b.mp4"]
    assert [url[-5:] for url in reply.failed_file_urls] == ["b.mp4"]
    assert sandbox.counters()["RegisterMedia"]["faults_by_kind"] == {"both_lists": 1}


def test_two_files_get_one_media_id_in_the_reply_and_keep_their_own_in_the_truth(
    sandbox: Sandbox, register: Register
) -> None:
    for name in "abc":
        sandbox.put(BUCKET, f"{name}.mp4")
    sandbox.fault("same_media_id", keys="[ab]*")
    ids = [media.media_id for media in register("a.mp4", "b.mp4", "c.mp4").registered_media_list]
    assert len(ids) == 3
    assert (ids[0] == ids[1], ids[1] == ids[2]) == (True, False)
    assert len({item.media_id for item in sandbox.truth(BUCKET).values()}) == 3


@pytest.mark.parametrize("form", ["registered", "failed"])
def test_a_file_that_nobody_asked_for_may_be_in_a_reply(sandbox: Sandbox, register: Register, form: str) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("foreign_file", form=form)
    reply = register("a.mp4")
    assert len(reply.registered_media_list) + len(reply.failed_file_urls) == 2
    assert len(sandbox.truth(BUCKET)) == 1


@pytest.mark.parametrize("form", KINDS["other_types"].forms)
def test_a_body_of_other_types_is_json_all_the_same_and_the_effect_stays(
    sandbox: Sandbox, vod: Client, form: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("other_types", form=form)
    try:
        told: Any = vod.register_media(REQUEST).body
    except (UnretryableException, AttributeError, TypeError, ValueError):
        told = None
    proper = {"NewRegister": True, "FileURL": f"http://{HOST}/a.mp4"}
    rows = [] if told is None else (told.to_map().get("RegisteredMediaList") or [])
    assert not any(
        isinstance(row, dict) and row.items() >= proper.items() and len(str(row["MediaId"])) == 32 for row in rows
    )
    counted = sandbox.counters()["RegisterMedia"]
    assert (counted["effects"], counted["ok"], counted["faults_by_kind"]) == (1, 0, {"other_types": 1})


def test_reply_faults_shape_one_answer_together(sandbox: Sandbox, register: Register) -> None:
    sandbox.plan(
        [{"kind": "foreign_file"}, {"kind": "url_form", "form": "https"}, {"kind": "fail_files", "keys": "b*"}]
    )
    for name in "ab":
        sandbox.put(BUCKET, f"{name}.mp4")
    reply = register("a.mp4", "b.mp4")
    assert {media.file_url[:5] for media in reply.registered_media_list} == {"https"}
    assert (len(reply.registered_media_list), len(reply.failed_file_urls)) == (2, 1)
    kinds = {"foreign_file": 1, "url_form": 1, "fail_files": 1}
    assert sandbox.counters()["RegisterMedia"]["faults_by_kind"] == kinds


def test_a_listing_can_repeat_a_page_end_early_or_lose_its_token(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    for number in range(5):
        sandbox.put(BUCKET, f"{number}.mp4")

    def page(token: str = "") -> tuple[list[str], bool, str]:
        result = bucket.list_objects_v2(max_keys=2, continuation_token=token)
        return [found.key[0] for found in result.object_list], result.is_truncated, result.next_continuation_token

    sandbox.plan([{"kind": "repeat_page", "times": 1}])
    first = page()
    assert (first[0], first[1]) == (["0", "1"], True)
    assert page(first[2]) == first, "the fault waits for a page that has one before it"
    second = page(first[2])
    assert second[0] == ["2", "3"]
    for form, truncated, named in (("untruncated", "false", 0), ("no_token", "true", 0), ("token_kept", "false", 1)):
        sandbox.plan([{"kind": "end_early", "form": form, "times": 1}])
        params = {"list-type": "2", "max-keys": "2"}
        text = bucket._do("GET", BUCKET, "", params=params).read().decode()
        assert (f"<IsTruncated>{truncated}<" in text, text.count("<NextContinuationToken>")) == (True, named)
        assert page() == first
    sandbox.plan([{"kind": "end_early"}])
    assert page(second[2]) == (["4"], False, "")
    assert sandbox.faults()[0]["hits"] == 0, "a last page has no end to bring forward"


BAD = [
    ([{"kind": "resett"}], "faults.0.kind: there is no such kind of fault: did you mean 'reset'?"),
    ([{}], "faults.0.kind: Field required"),
    ([{"kind": "reset", "rate": 1.5}], "faults.0.rate: Input should be less than or equal to 1 (it is 1.5)"),
    ([{"kind": "reset", "rat": 1}], "faults.0.rat: Extra inputs are not permitted (it is 1)"),
    ([{"kind": "reset", "times": 0}], "times: Input should be greater than or equal to 1 (it is 0)"),
    ([{"kind": "reset", "at_byte": -1}], "give a number of bytes from 0 on, or any (it is -1)"),
    ([{"kind": "reset", "at_byte": 5, "when": "before"}], "when is 'before', but a reset within the reply"),
    (
        [{"kind": "reset"}, {"kind": "timeout", "at_byte": 5}],
        "faults.1: at_byte does not apply to timeout",
    ),
    (
        [{"kind": "html_502", "seconds": 5}],
        "seconds does not apply to html_502: leave it out (it applies to latency, timeout",
    ),
    ([{"kind": "throttle", "when": "after"}], "throttle never has an effect; leave it out"),
    ([{"kind": "url_form", "when": "before"}], "url_form always hits after the effect; leave it out"),
    ([{"kind": "url_form", "form": "decodet"}], "form is 'decodet': did you mean 'decoded'?"),
    ([{"kind": "reset", "form": "hard"}], "form is 'hard', but reset has no forms: leave it out"),
    ([{"kind": "reset", "api": "RegisterMedai"}], "api: the sandbox has no such API: did you mean 'RegisterMedia'?"),
    ([{"kind": "url_form", "api": "ListObjects"}], "api is 'ListObjects', but url_form applies only to RegisterMedia"),
    ([{"kind": "reset", "from": 5, "until": 5}], "until is 5, which is not after from (5): make it larger"),
    ([{"kind": "error"}], "code is missing: an error needs one, such as code: InternalError"),
    ([{"kind": "error", "code": "Odd"}], "status is missing: code 'Odd' has no default status"),
    (
        [{"kind": "error", "code": "Odd", "status": 200}],
        "status: Input should be greater than or equal to 400 (it is 200)",
    ),
    ({"fautls": []}, "faults: Field required"),
    ("reset", "faults: Input should be a valid list (it is 'reset')"),
]


@pytest.mark.parametrize(("plan", "words"), BAD)
def test_a_plan_that_cannot_be_is_refused_with_field_value_and_fix_and_changes_nothing(
    sandbox: Sandbox, tmp_path: Path, plan: Any, words: str
) -> None:
    sandbox.fault("reset")
    answer = requests.put(f"{sandbox.endpoint}/_sandbox/faults", json=plan, timeout=5)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert len(sandbox.faults()) == 1
    path = tmp_path / "faults.yaml"
    path.write_text(json.dumps(plan))
    result = CliRunner().invoke(sandbox_app, ["serve", "--faults", str(path)])
    assert result.exit_code == 2
    assert str(path) in result.output
    assert words in result.output


def test_a_plan_is_put_shown_and_cleared_while_the_sandbox_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    url = f"{sandbox.endpoint}/_sandbox/faults"
    plan = [{"kind": "http_503", "from": 1, "keys": "a*"}, {"kind": "latency", "seconds": 0.5}]
    assert requests.put(url, json=plan, timeout=5).json() == {"armed": 2}
    shown = requests.get(url, timeout=5).json()
    assert [(one["number"], one["kind"], one["from"], one["keys"], one["met"], one["hits"]) for one in shown] == [
        (1, "http_503", 1, "a*", 0, 0), (2, "latency", 0, None, 0, 0),
    ]  # fmt: skip
    path = tmp_path / "faults.yaml"
    path.write_text("faults:\n  - {kind: reset, times: 2}\n")
    result = CliRunner().invoke(sandbox_app, ["fault", "--url", sandbox.endpoint, "--plan", str(path)])
    assert (result.exit_code, json.loads(result.output)) == (0, {"armed": 1})
    assert [(one["kind"], one["times"]) for one in sandbox.faults()] == [("reset", 2)]
    assert requests.delete(url, timeout=5).json() == {"removed": 1}


def test_the_names_of_the_apis_that_faults_know_are_those_of_the_services() -> None:
    world = World(SandboxConfig())
    known = {*Vod(world)._actions, *Oss(world)._operations, "ListBuckets", "PutBucket"}
    assert known == set(APIS) - {"any"}


def test_every_kind_form_and_code_is_in_the_manual() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "sandbox.md").read_text()
    words = [*KINDS, *(form for kind in KINDS.values() for form in kind.forms), *CODES]
    assert [word for word in words if f"`{word}`" not in text] == []
