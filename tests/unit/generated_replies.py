"""Replies that no service should send: what a proper one becomes by up to four changes, and arbitrary ones."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from batches import HOST, batch, entry

from vod_migrate.media import Batch

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
KEYS_LIKE_EACH_OTHER = [f"{name}{end}" for name in NAMES[:5] for end in ("", "x")]
LETTERS = "a%2501 +/.é节"
MEDIA_IDS: list[Any] = ["m1", "m2", "", " ", "a b", "\x00", "\ud800", "x" * 200, None, 7, ["m"]]


def any_key(dice: random.Random) -> str:
    return dice.choice(NAMES) if dice.random() < 0.7 else "".join(dice.choices(LETTERS, k=dice.randint(1, 12)))


def any_batch(dice: random.Random) -> Batch:
    keys = dict.fromkeys(f"{any_key(dice)}.mp4" for _ in range(dice.randint(1, 10)))
    encoding = dice.choice(["percent", "raw"])
    return batch(*(entry(place, key, encoding=encoding) for place, key in enumerate(keys)))


def proper_reply(dice: random.Random, sent: Batch) -> dict[str, Any]:
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


def any_json(dice: random.Random, depth: int = 3) -> Any:
    kind = dice.random()
    if depth and kind < 0.25:
        return [any_json(dice, depth - 1) for _ in range(dice.randint(0, 4))]
    if depth and kind < 0.5:
        return {
            dice.choice(["", "a", "FileURL", "MediaId"]): any_json(dice, depth - 1) for _ in range(dice.randint(0, 4))
        }
    return dice.choice([*ODD, dice.getrandbits(70), dice.random()])


def any_url(dice: random.Random, sent: Batch) -> Any:
    if dice.random() < 0.2:
        return any_json(dice)
    url = f"{dice.choice(['https', 'http', 'HTTP', 'ftp'])}://{dice.choice([HOST, HOST.upper(), 'other.example', ''])}/"
    key = dice.choice([one.key for one in sent.entries] + ["nobody.mp4"])
    return url + dice.choice([quote(key), key, quote(quote(key))])


def any_reply(dice: random.Random, sent: Batch) -> dict[str, Any]:
    def some(one: Callable[[], Any]) -> Any:
        return [one() for _ in range(dice.randint(0, 14))] if dice.random() < 0.8 else any_json(dice)

    def row() -> Any:
        if dice.random() < 0.2:
            return any_json(dice)
        fields = {
            "FileURL": any_url(dice, sent),
            "MediaId": dice.choice(MEDIA_IDS),
            "NewRegister": dice.choice([True, False, "false", 0, None]),
        }
        return {name: value for name, value in fields.items() if dice.random() < 0.9}

    def refused() -> Any:
        url = any_url(dice, sent)
        return json.dumps([url]) if dice.random() < 0.3 else url

    body = {
        "RegisteredMediaList": some(row),
        "FailedFileURLs": some(refused),
        "RequestId": any_json(dice),
        "Code": any_json(dice),
    }
    return {name: value for name, value in body.items() if dice.random() < 0.8}


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
