"""Each robot's message against the shape, the signature and the limits on its vendor's pages, with texts that want to be more than text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.notification import Receiver, RunEvent
from vod_migrate.report.chat_body import MOST_BYTES, chat_body, refusal

NOW = 1_700_000_000.25
SHAPES: dict[Receiver, dict[str, Any]] = {
    Receiver.DINGTALK: {"msgtype": "text", "text": {"content": "夜 1"}, "at": {"isAtAll": False}},
    Receiver.WECOM: {"msgtype": "text", "text": {"content": "夜 1"}},
    Receiver.FEISHU: {"msg_type": "text", "content": {"text": "夜 1"}},
}


def content(body: dict[str, Any]) -> str:
    return str(body["content"]["text"] if "content" in body else body["text"]["content"])


@pytest.mark.parametrize("receiver", SHAPES)
def test_a_message_has_the_shape_of_its_vendors_page(receiver: Receiver) -> None:
    assert chat_body(receiver, "夜 1", secret="", now=NOW) == ({}, SHAPES[receiver])


def test_dingtalk_is_signed_in_the_address_by_timestamp_and_secret() -> None:
    # openssl: printf '1700000000250\nSECabc' | openssl dgst -sha256 -hmac SECabc -binary | base64
    parameters, body = chat_body(Receiver.DINGTALK, "x", secret="SECabc", now=NOW)
    assert parameters == {"timestamp": "1700000000250", "sign": "ZDW7c0CwVGyfdtcljWex+X1Z0vBCJPKMVfKUWcDa5B0="}
    assert set(body) == {"msgtype", "text", "at"}


def test_feishu_is_signed_in_the_body_with_the_text_as_the_key_of_an_empty_message() -> None:
    # openssl: printf '' | openssl dgst -sha256 -mac HMAC -macopt hexkey:<hex of '1700000000\nabc'> -binary | base64
    parameters, body = chat_body(Receiver.FEISHU, "x", secret="abc", now=NOW)
    assert (parameters, body["timestamp"], body["sign"]) == (
        {},
        "1700000000",
        "VIS10b0EBvzzSdFnuk4tznEmK5wHaruvf/WnViv2yR4=",
    )


HOSTILE = (
    '"}, "at": {"isAtAll": true}, "x": {"',
    "@all @所有人 @13800001111",
    '<at user_id="all">everyone</at>',
    "<@all> <@userid>",
    "line\nbreak\r\n\x00\x1b[2J",
    "# heading **bold** [link](http://evil)",
    "\\u0040all \\",
)


@pytest.mark.parametrize("receiver", SHAPES)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_mentions_anybody_or_leaves_its_place_in_the_json(receiver: Receiver, text: str) -> None:
    _, body = chat_body(receiver, text, secret="", now=NOW)
    again = json.loads(json.dumps(body, ensure_ascii=False))
    assert again == body
    assert set(body) == set(SHAPES[receiver])
    assert body.get("at", {"isAtAll": False}) == {"isAtAll": False}
    assert not {"@", "<"} & set(content(body))


@pytest.mark.parametrize("receiver", SHAPES)
@pytest.mark.parametrize("letter", ["a", "字", "🎬", '"'])
def test_a_long_text_is_cut_to_the_vendors_limit_between_two_characters(receiver: Receiver, letter: str) -> None:
    _, body = chat_body(receiver, letter * 30_000, secret="", now=NOW)
    shown = content(body)
    assert len(shown.encode()) <= MOST_BYTES[receiver]
    assert len(shown.encode()) > MOST_BYTES[receiver] - 8
    assert set(shown) == {letter, "…"}
    assert len(json.dumps(body, ensure_ascii=False).encode()) <= 20_000


@pytest.mark.parametrize(
    ("receiver", "answer", "told"),
    [
        (Receiver.DINGTALK, {"errcode": 0, "errmsg": "ok"}, ""),
        (Receiver.DINGTALK, {"errcode": 310000, "errmsg": "sign not match"}, "310000: sign not match"),
        (Receiver.WECOM, {"errcode": 93000, "errmsg": "invalid webhook url"}, "93000: invalid webhook url"),
        (Receiver.FEISHU, {"code": 0, "msg": "success"}, ""),
        (Receiver.FEISHU, {"code": 19021, "msg": "sign match fail"}, "19021: sign match fail"),
        (Receiver.FEISHU, {}, "None: None"),
    ],
)
def test_a_robot_that_does_not_take_a_message_says_why(receiver: Receiver, answer: dict[str, Any], told: str) -> None:
    assert refusal(receiver, answer) == told


def notify(**setting: Any) -> Any:
    content = {
        "name": "nightly",
        "source": {"bucket": "media-archive"},
        "register": {"template_group_id": "VOD_NO_TRANSCODE"},
        "notify": [setting],
    }
    return parse_migration(content, origin="a file").notify[0]


def test_by_default_failures_and_questions_are_told() -> None:
    assert notify(to="dingtalk", channel="ops").events == (RunEvent.FAILED, RunEvent.APPROVAL)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"to": "slack", "channel": "x"}, "notify.0.to"),
        ({"to": "https://oapi.dingtalk.com/robot/send?access_token=1"}, "notify.0.to"),
        ({"to": "dingtalk"}, "channel is required"),
        ({"to": "webhook", "channel": "https://oapi.dingtalk.com/robot/send?access_token=1"}, "notify.0.channel"),
        ({"to": "webhook", "channel": "x", "events": []}, "notify.0.events"),
        ({"to": "webhook", "channel": "x", "events": ["started"]}, "notify.0.events"),
        ({"to": "webhook", "channel": "x", "arguments": {"a": 1}}, "are for `to: airflow`"),
        ({"to": "airflow"}, "notifier is required"),
        ({"to": "airflow", "notifier": "os"}, "notify.0.notifier"),
        ({"to": "airflow", "notifier": "a.B", "channel": "x"}, "channel is for webhooks"),
        ({"to": "webhook", "url": "https://x"}, "notify.0.url"),
    ],
)
def test_what_cannot_be_a_receiver_is_refused_by_name(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(BadMigrationFile) as refused:
        notify(**setting)
    assert said in str(refused.value)
    assert "access_token" not in str(refused.value)
