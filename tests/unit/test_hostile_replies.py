"""Ten thousand generated replies: none raises outside the error tree, none loses an object, none misplaces a MediaId.

Each begins as a reply that the service may send and is changed in up to four ways: by structure (values of other types, rows
doubled, dropped, swapped, foreign) or, through the SDK, byte by byte. What may be believed is decided here a second time, by
rules as plain as possible, and compared.
"""

from __future__ import annotations

import copy
import functools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from batches import HOST, batch, entry
from darabonba.exceptions import UnretryableException
from darabonba.policy.retry import RetryPolicyContext
from scripted_vod import Answer, ScriptedVod

from vod_migrate.cloud.vod import classify
from vod_migrate.errors import AccountStopped, BrokenReply, RegisterError, RequestRefused, Retryable
from vod_migrate.media import Batch, Reply, Verdict
from vod_migrate.register.recorder import settle
from vod_migrate.register.reply import read_reply

SEEDS = range(10)
REPLIES_A_SEED = 1_000
ANSWERS_THROUGH_THE_SDK = 400
NAMES = [
    "a b", "a%20b", "a+b", "a%2Bb", "a%252Bb", "节目/第 1 集", "节目", "x#?&=;", "emoji 🎬", "%", "%25", "..", "//", "\u202e", "a\tb",
    "long" * 60,
]  # fmt: skip
CODES = [
    "Throttling.User", "InternalError", "ServiceUnAvailable", "Forbidden.RAM", "OperationDenied.Suspended", "SignatureNonceUsed",
    "InvalidSecurityToken.Expired", "InvalidParameter", "", "None", "\x00", "\ud800", "节" * 500, "{told}", "%s",
]  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 1e308, float("nan"), 10**40, "", " ", "\x00", "\ud800", "[", "[[]]", '["x"]', "{}", [], {}, [[]],
    [None], {"": None}, "x" * 20_000, "http://", f"http://{HOST}/", f"http://{HOST}", "://", f"//{HOST}/a b.mp4", "http://[::1/a",
]  # fmt: skip
SPELLINGS: list[Callable[[str], str]] = [
    lambda url: url.replace("https", "http"), unquote, unquote_plus, quote, lambda url: url.replace("%20", "+"), str.upper,
    str.lower, lambda url: url.replace(HOST, HOST.upper()), lambda url: url.replace(HOST, "other.example"), lambda url: url + "?x=1",
    lambda url: f" {url}\n", lambda url: json.dumps([url]), lambda url: url + "/../b.mp4",
]  # fmt: skip


def a_batch(dice: random.Random) -> Batch:
    names = dice.sample(NAMES, dice.randint(1, 10))
    encoding = dice.choice(["percent", "raw"])
    return batch(*(entry(number, f"{name}.mp4", encoding=encoding) for number, name in enumerate(names)))


def a_proper_reply(dice: random.Random, sent: Batch) -> dict[str, Any]:
    failed = [one for one in sent.entries if dice.random() < 0.2]
    return {
        "RequestId": f"{dice.getrandbits(64):016X}",
        "RegisteredMediaList": [
            {"NewRegister": dice.random() < 0.8, "FileURL": one.file_url.replace("https", "http"), "MediaId": f"m{place}"}
            for place, one in enumerate(sent.entries)
            if one not in failed
        ],
        "FailedFileURLs": [one.file_url for one in failed],
    }  # fmt: skip


def changed(dice: random.Random, reply: dict[str, Any], sent: Batch) -> Any:
    body: Any = copy.deepcopy(reply)
    for _ in range(dice.choice([0, 1, 1, 2, 2, 3, 4])):
        body = dice.choice(CHANGES)(dice, body, sent)
        if not isinstance(body, dict) or not body:
            break
    return body


def lists_of(body: dict[str, Any]) -> list[list[Any]]:
    return [value for name in ("RegisteredMediaList", "FailedFileURLs") if isinstance(value := body.get(name), list)]


def with_a_list(act: Callable[[random.Random, list[Any], Batch], None]) -> Callable[..., Any]:
    def change(dice: random.Random, body: dict[str, Any], sent: Batch) -> Any:
        if lists := [found for found in lists_of(body) if found]:
            act(dice, dice.choice(lists), sent)
        return body

    return change


def other_value(dice: random.Random, body: dict[str, Any], _: Batch) -> Any:
    return {**body, dice.choice([*body, "Code", "Message"]): dice.choice(ODD)}


def other_row(dice: random.Random, rows: list[Any], _: Batch) -> None:
    rows[dice.randrange(len(rows))] = dice.choice(ODD)


def other_field(dice: random.Random, rows: list[Any], sent: Batch) -> None:
    row = dice.choice(rows)
    if isinstance(row, dict):
        name = dice.choice([*row, "FileURL", "MediaId"])
        row[name] = dice.choice([*ODD, "m0", "m1", dice.choice(sent.entries).file_url])


def spelled(dice: random.Random, rows: list[Any], _: Batch) -> None:
    spell, share = dice.choice(SPELLINGS), dice.choice([0.3, 1])
    for place, row in enumerate(rows):
        if dice.random() < share and isinstance(row, str):
            rows[place] = spell(row)
        elif dice.random() < share and isinstance(row, dict) and isinstance(row.get("FileURL"), str):
            row["FileURL"] = spell(row["FileURL"])


def nested(dice: random.Random, body: dict[str, Any], _: Batch) -> Any:
    name = dice.choice(list(body))
    value = body[name]
    for _level in range(dice.choice([1, 2, 50])):
        value = [value] if dice.random() < 0.7 else {"x": value}
    return {**body, name: value}


CHANGES: list[Callable[..., Any]] = [
    other_value,
    nested,
    with_a_list(other_row),
    with_a_list(other_field),
    with_a_list(spelled),
    with_a_list(lambda dice, rows, _: rows.append(copy.deepcopy(dice.choice(rows)))),
    with_a_list(lambda dice, rows, _: rows.pop(dice.randrange(len(rows)))),
    with_a_list(lambda dice, rows, _: dice.shuffle(rows)),
    with_a_list(lambda dice, rows, sent: rows.append(dice.choice(sent.entries).file_url)),
    with_a_list(lambda _, rows, __: rows.append({"FileURL": f"http://{HOST}/nobody.mp4", "MediaId": "m0"})),
    lambda dice, body, _: {name: value for name, value in body.items() if dice.random() < 0.6},
    lambda _, body, __: {**body, "FailedFileURLs": json.dumps(body.get("FailedFileURLs"))},
    lambda _, body, __: (
        {**body, "RegisteredMediaList": (body.get("RegisteredMediaList") or []) * 7}
        if isinstance(body.get("RegisteredMediaList"), list)
        else body
    ),
    lambda dice, body, _: dice.choice([[body], None, json.dumps(body), 7, body, body]),
]


@functools.cache
def keys_it_may_mean(url: Any) -> frozenset[str]:
    """Every key that a URL can be, by any reading."""
    host, _, path = url.partition("://")[2].partition("/")
    return (
        frozenset({path, unquote(path), unquote_plus(path), unquote(unquote(path))})
        if host.lower() == HOST
        else frozenset()
    )


def assert_nothing_lost(reply: Reply, body: Any, sent: Batch) -> None:
    assert [outcome.key for outcome in reply.outcomes] == [one.key for one in sent.entries]
    given = [outcome.media_id for outcome in reply.outcomes if outcome.media_id is not None]
    assert len(given) == len(set(given)), "one MediaId for two files"
    listed = body["RegisteredMediaList"] if isinstance(body.get("RegisteredMediaList"), list) else []
    rows = [row for row in listed if isinstance(row, dict) and isinstance(row.get("FileURL"), str)]
    for one, outcome in zip(sent.entries, reply.outcomes, strict=True):
        registered = outcome.verdict in (Verdict.REGISTERED, Verdict.ALREADY_REGISTERED)
        assert (outcome.media_id is None, outcome.code is None, outcome.message is None) == (
            not registered, registered, registered,
        )  # fmt: skip
        if registered:
            told = {str(row.get("MediaId")) for row in rows if one.key in keys_it_may_mean(row.get("FileURL"))}
            assert outcome.media_id in told
        settled = settle(one, outcome)
        assert (settled.outcome in {"registered", "already_registered"}) == registered
        assert settled.outcome != "failed", "nothing fails at its first answer"
        for text in (settled.message, settled.code, settled.media_id, reply.request_id):
            assert text is None or "\x00" not in text.encode().decode()


def assert_storable(error: RegisterError) -> None:
    assert "\x00" not in f"{error}{error.code}{error.request_id}".encode().decode()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_generated_reply_raises_outside_the_tree_loses_an_object_or_misplaces_a_media_id(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    read = broken = registered = unknown = 0
    for _ in range(REPLIES_A_SEED):
        sent = a_batch(dice)
        body = changed(dice, a_proper_reply(dice, sent), sent)
        if not isinstance(body, dict):
            # The SDK hands no such body on; it is broken before it is read.
            broken += 1
            continue
        try:
            reply = read_reply(body, sent)
        except BrokenReply:
            broken += 1
            continue
        read += 1
        assert_nothing_lost(reply, body, sent)
        registered += sum(outcome.media_id is not None for outcome in reply.outcomes)
        unknown += sum(outcome.verdict is Verdict.UNKNOWN for outcome in reply.outcomes)
    assert min(read, broken, registered, unknown) > REPLIES_A_SEED // 20, "the generator makes all sorts"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reply_that_nobody_changed_is_believed_in_full(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    for _ in range(100):
        sent = a_batch(dice)
        body = a_proper_reply(dice, sent)
        outcomes = read_reply(body, sent).outcomes
        named = {row["MediaId"] for row in body["RegisteredMediaList"]}
        assert {outcome.media_id for outcome in outcomes} - {None} == named
        assert all(
            (outcome.verdict is Verdict.FAILED) == (f"m{place}" not in named) for place, outcome in enumerate(outcomes)
        )


ENCODINGS: list[Callable[[str], str]] = [
    lambda key: quote(key, safe="/~"),
    lambda key: key,
    lambda key: quote_plus(key, safe="/~"),
    lambda key: quote(quote(key, safe="/~"), safe="/~"),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_however_a_service_encodes_its_urls_no_file_gets_the_media_id_of_another(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    given = held_back = 0
    for _ in range(400):
        names = [f"{name}{dice.choice(['', 'x'])}" for name in NAMES[:5]]
        sent = batch(*(entry(number, name) for number, name in enumerate(dice.sample(names, dice.randint(1, 5)))))
        spell, named = dice.choice(ENCODINGS), dice.sample(sent.entries, dice.randint(0, len(sent.entries)))
        media_ids = {one.key: f"m{place}" for place, one in enumerate(sent.entries)}
        rows = [{"FileURL": f"http://{HOST}/{spell(one.key)}", "MediaId": media_ids[one.key]} for one in named]
        for outcome in read_reply({"RegisteredMediaList": rows}, sent).outcomes:
            assert outcome.media_id in {None, media_ids[outcome.key]}
            given += outcome.media_id is not None
            held_back += outcome.code == "ambiguous_url"
    assert min(given, held_back) > 30, "there are keys that can be taken for each other, and others"


@pytest.fixture(scope="module")
def vod() -> Iterator[ScriptedVod]:
    with ScriptedVod() as running:
        yield running


def test_no_answer_through_the_sdk_raises_outside_the_tree_or_loses_an_object(vod: ScriptedVod) -> None:
    dice = random.Random(4)  # noqa: S311 - repeatable on purpose
    answered, raised = 0, list[RegisterError]()
    for _ in range(ANSWERS_THROUGH_THE_SDK):
        sent = a_batch(dice)
        body = changed(dice, a_proper_reply(dice, sent), sent)
        if dice.random() < 0.3:
            body = {"Code": dice.choice(CODES), "Message": dice.choice([*CODES, *ODD]), "RequestId": dice.choice(ODD)}
        raw = bytearray(json.dumps(body).encode())
        for _change in range(dice.choice([0, 0, 0, 1, 3, 50])):
            place = dice.randrange(len(raw) + 1)
            raw[place : place + dice.choice([0, 1, 2, 500])] = dice.randbytes(dice.choice([0, 1, 2]))
        raw = dice.choice([raw, raw, raw, raw[: len(raw) // 2], b"[" * 100_000, b"\xff\xfe" + raw])
        status = dice.choice([200, 200, 200, 200, 201, 302, 400, 403, 404, 414, 429, 500, 502, 503])
        headers = dice.choice([{}, {}, {"x-acs-retry-after": dice.choice(["5", "-1", "x", ""])}])
        try:
            reply = vod.ask(sent, Answer(body=bytes(raw), status=status, headers=headers))
        except RegisterError as error:
            raised.append(error)
        else:
            answered += 1
            assert_nothing_lost(reply, json.loads(bytes(raw)), sent)
    for error in raised:
        assert_storable(error)
    assert min(answered, len(raised)) > ANSWERS_THROUGH_THE_SDK // 20


@pytest.mark.parametrize("seed", SEEDS)
def test_any_exception_of_the_sdk_is_one_error_of_the_tree(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    for _ in range(200):
        told = {
            "code": dice.choice([*CODES, *ODD]),
            "message": dice.choice([*CODES, *ODD]),
            "request_id": dice.choice(ODD),
            "status_code": dice.choice([400, 403, 404, 429, 500, 503, 599, 0, -2, None, "400"]),
        }
        inner = dice.choice([None, OSError("x"), KeyError("x"), RecursionError(), AttributeError(), UnicodeError()])
        wrapped = UnretryableException(RetryPolicyContext(exception=inner))
        kinds: list[Callable[[], Exception]] = [
            lambda told=told, kind=kind: kind(**told)  # type: ignore[misc]
            for kind in (ClientException, ServerException, ThrottlingException)
        ]
        error = classify(dice.choice([*(kind() for kind in kinds), wrapped]))
        assert isinstance(error, Retryable | RequestRefused | AccountStopped)
        assert_storable(error)
        assert len(str(error)) < 900
