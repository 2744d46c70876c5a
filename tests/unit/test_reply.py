"""What a reply says of each file: exactly one outcome, or the whole reply is broken; never a guess, never another exception."""

from __future__ import annotations

import functools
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from batches import HOST, batch, batch_of, entry
from generated_replies import KEYS_LIKE_EACH_OTHER, any_batch, any_reply, changed, proper_reply
from scripted_vod import Answer, ScriptedVod

from vod_migrate.errors import BrokenReply, RegisterError
from vod_migrate.media import Batch, Entry, Reply, Verdict
from vod_migrate.register.recorder import settle
from vod_migrate.register.reply import read_reply

SEEDS = range(10)
REPLIES_A_SEED = 1_000
URL = f"http://{HOST}/film%20"


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"NewRegister": True, "FileURL": f"{URL}{number}.mp4", "MediaId": f"m{number}", **changes}


def at(path: str, media_id: str) -> dict[str, Any]:
    return row(0, FileURL=f"http://{HOST}/{path}", MediaId=media_id)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A reply to `sent`. means: by key, `new m1`, `known m1`, `failed` or the code of an unknown outcome; others: no_answer."""

    reason: str
    listed: Any = None
    refused: Any = None
    means: dict[str, str]
    sent: tuple[Entry, ...] = batch_of(10).entries


def film(number: int) -> str:
    return f"film {number}.mp4"


def failed(*numbers: int) -> dict[str, str]:
    return {film(number): "failed" for number in numbers}


def all_of(meaning: str, *numbers: int) -> dict[str, str]:
    return {film(number): meaning for number in numbers}


FAILED_URLS = [
    Case(reason="plain strings", refused=[f"{URL}1.mp4", f"{URL}2.mp4"], means=failed(1, 2)),
    Case(reason="strings of JSON lists", refused=[json.dumps([f"{URL}1.mp4"]), json.dumps([f"{URL}2.mp4"])], means=failed(1, 2)),
    Case(reason="one string of a JSON list", refused=[json.dumps([f"{URL}1.mp4", f"{URL}2.mp4"])], means=failed(1, 2)),
    Case(reason="a JSON list without a list around it", refused=json.dumps([f"{URL}1.mp4"]), means=failed(1)),
    Case(reason="one string", refused=f"{URL}1.mp4", means=failed(1)),
    Case(reason="lists of lists", refused=[[f"{URL}1.mp4"], [[f"{URL}2.mp4"]]], means=failed(1, 2)),
    Case(reason="with space around", refused=[f" {URL}1.mp4\n"], means=failed(1)),
    Case(reason="twice", refused=[f"{URL}1.mp4", f"{URL}1.mp4"], means=failed(1)),
    Case(reason="nothing that is a URL", refused=["[not json", None, 7, {"a": f"{URL}1.mp4"}], means={}),
    Case(reason="another host", refused=["http://other.example/film%201.mp4"], means={}),
    Case(reason="a file that was not asked for", refused=[f"{URL}11.mp4"], means={}),
    Case(reason="nested deeply", refused=json.loads("[" * 500 + json.dumps(f"{URL}1.mp4") + "]" * 500), means=failed(1)),
    Case(reason="JSON nested without end", refused="[" * 100_000, means={}),
]  # fmt: skip

ONE_FILE = [
    Case(reason="new", listed=[row(1)], means={film(1): "new m1"}),
    Case(reason="known", listed=[row(1, NewRegister=False)], means={film(1): "known m1"}),
    Case(reason="known, as text", listed=[row(1, NewRegister="False")], means={film(1): "known m1"}),
    Case(reason="new or known is not said", listed=[row(1, NewRegister=None)], means={film(1): "new m1"}),
    Case(reason="said twice", listed=[row(1), row(1)], means={film(1): "new m1"}),
    Case(reason="new and known, one MediaId", listed=[row(1), row(1, NewRegister=False)], means={film(1): "new m1"}),
    Case(reason="two MediaIds", listed=[row(1), row(1, MediaId="m2")], means={film(1): "contradiction"}),
    Case(reason="in both lists", listed=[row(1)], refused=[f"{URL}1.mp4"], means={film(1): "contradiction"}),
    Case(reason="no MediaId", listed=[row(1, MediaId="")], means={}),
    Case(reason="a MediaId that no table can keep", listed=[row(1, MediaId="m\x00")], means={}),
    Case(reason="a MediaId that is a number", listed=[row(1, MediaId=7)], means={}),
    Case(reason="in neither list", listed=[], means={}),
]

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it was sent": lambda url: url,
    "with http": lambda url: url.replace("https://", "http://"),
    "with its host in capitals": lambda url: url.replace(HOST, HOST.upper()),
    "decoded": unquote,
    "encoded in lower case": lambda url: re.sub("%..", lambda found: found[0].lower(), url),
    "encoded more than needed": lambda url: url.replace("film", "%66ilm"),
}
SPELLED_KEYS = [
    "film 1.mp4",
    "节目/film 第1集.mp4",
    "film+#?&=;,'()*!@.mp4",
    'film\\|^`{}[]<>".mp4',
    "a//film/./../b.mp4",
]
SPELLED = [
    Case(
        reason=f"{key} {spelling}",
        sent=(entry(99), entry(7, key)),
        listed=[row(0, FileURL=spell(entry(7, key).file_url), MediaId="m7")],
        means={key: "new m7"},
    )
    for (spelling, spell), key in itertools.product(SPELLINGS.items(), SPELLED_KEYS)
]

SPACE, PERCENT, PLUS, OTHER = (entry(number, key) for number, key in enumerate(["a b", "a%20b", "a+b", "other"]))
UNCLEAR = {"a b": "ambiguous_url", "a%20b": "ambiguous_url"}
LIKE_EACH_OTHER = [
    Case(reason="both as they were sent", sent=(SPACE, PERCENT), listed=[at("a%20b", "m0"), at("a%2520b", "m1")],
         means={"a b": "new m0", "a%20b": "new m1"}),
    Case(reason="both decoded", sent=(SPACE, PERCENT), listed=[at("a b", "m0"), at("a%20b", "m1")],
         means={"a b": "new m0", "a%20b": "new m1"}),
    Case(reason="both decoded, the other way round", sent=(SPACE, PERCENT), listed=[at("a%20b", "m0"), at("a b", "m1")],
         means={"a b": "new m1", "a%20b": "new m0"}),
    Case(reason="one of them, as sent or decoded", sent=(SPACE, PERCENT), listed=[at("a%20b", "m0")], means=UNCLEAR),
    Case(reason="decoded, it fits one only", sent=(SPACE, PERCENT), listed=[at("a b", "m0")], means={"a b": "new m0"}),
    Case(reason="one of them, as sent or encoded twice", sent=(SPACE, PERCENT), listed=[at("a%2520b", "m0")], means=UNCLEAR),
    Case(reason="both encoded twice", sent=(SPACE, PERCENT), listed=[at("a%2520b", "m0"), at("a%252520b", "m1")],
         means={"a b": "new m0", "a%20b": "new m1"}),
    Case(reason="where it fits one only", sent=(PERCENT, OTHER), listed=[at("a%2520b", "m0")], means={"a%20b": "new m0"}),
    Case(reason="another file tells nothing", sent=(SPACE, PERCENT, OTHER), listed=[at("a%20b", "m0"), at("other", "m1")],
         means={**UNCLEAR, "other": "new m1"}),
    Case(reason="beside a file that nobody asked for", sent=(SPACE, PERCENT), listed=[at("a%20b", "m0"), at("nobody", "m1")],
         means=UNCLEAR),
    Case(reason="both with + for a space", sent=(SPACE, PLUS), listed=[at("a+b", "m0"), at("a%2Bb", "m1")],
         means={"a b": "new m0", "a+b": "new m1"}),
    Case(reason="a plus that is a plus", sent=(SPACE, PLUS), listed=[at("a%20b", "m0"), at("a+b", "m1")],
         means={"a b": "new m0", "a+b": "new m1"}),
    Case(reason="a plus that may be either", sent=(SPACE, PLUS), listed=[at("a+b", "m0")],
         means={"a b": "ambiguous_url", "a+b": "ambiguous_url"}),
    Case(reason="a plus where only a space was asked for", sent=(SPACE,), listed=[at("a+b", "m0")], means={"a b": "new m0"}),
    Case(reason="one file with two MediaIds", sent=(SPACE,), listed=[at("a%20b", "m0"), at("a+b", "m1")],
         means={"a b": "contradiction"}),
    Case(reason="bytes that are no text", sent=(SPACE,), listed=[at("a%FF%20b", "m0")], means={}),
]  # fmt: skip

CLASHES = [
    Case(reason="two files", listed=[row(1), row(2, MediaId="m1")], means=all_of("media_id_clash", 1, 2)),
    Case(reason="all files", listed=[row(n, MediaId="m") for n in range(10)], means=all_of("media_id_clash", *range(10))),
    Case(reason="a file that nobody asked for", listed=[row(1), at("nobody.mp4", "m1")], means=all_of("media_id_clash", 1)),
    Case(reason="a file of another bucket", listed=[row(1), row(1, FileURL="http://other.example/x.mp4")],
         means=all_of("media_id_clash", 1)),
    Case(reason="one file, two spellings", listed=[row(1), row(1, FileURL=f"https://{HOST.upper()}/film 1.mp4")],
         means={film(1): "new m1"}),
    Case(reason="two MediaIds of two files", listed=[row(1), row(2)], means={film(1): "new m1", film(2): "new m2"}),
]  # fmt: skip

CASES = [*FAILED_URLS, *ONE_FILE, *SPELLED, *LIKE_EACH_OTHER, *CLASHES]


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_a_reply_says_one_thing_of_each_file(case: Case) -> None:
    told = {"RegisteredMediaList": case.listed, "FailedFileURLs": case.refused}
    outcomes = read_reply(told, batch(*case.sent)).outcomes
    found = {}
    for outcome in outcomes:
        match outcome.verdict:
            case Verdict.REGISTERED:
                found[outcome.key] = f"new {outcome.media_id}"
            case Verdict.ALREADY_REGISTERED:
                found[outcome.key] = f"known {outcome.media_id}"
            case Verdict.FAILED:
                found[outcome.key] = "failed"
            case Verdict.UNKNOWN:
                found[outcome.key] = str(outcome.code)
    assert found == {one.key: case.means.get(one.key, "no_answer") for one in case.sent}


def test_what_is_ambiguous_in_a_batch_is_tried_alone_and_clear_there() -> None:
    told = {"RegisteredMediaList": [at("a%20b", "m")]}
    outcomes = read_reply(told, batch(SPACE, PERCENT)).outcomes
    assert {one.code for one in outcomes} == {"ambiguous_url"}
    assert [settle(sent, one).outcome for sent, one in zip((SPACE, PERCENT), outcomes, strict=True)] == ["retry"] * 2
    assert read_reply(told, batch(SPACE)).outcomes[0].media_id == "m"


def test_a_clash_is_tried_again_alone_and_then_failed_with_both_names() -> None:
    clash = [row(1), at("nobody.mp4", "m1")]
    first, again = (
        settle(sent, read_reply({"RegisteredMediaList": clash}, batch(sent)).outcomes[0])
        for sent in (entry(1), entry(1, attempts=1))
    )
    assert (first.outcome, first.code) == ("retry", "media_id_clash")
    assert (again.outcome, again.code) == ("failed", "media_id_clash")
    assert "MediaId m1" in (again.message or "")
    assert "nobody.mp4" in (again.message or "")


# --- Any reply. What may be believed is decided here a second time, by rules as plain as possible, and compared. ---


@functools.cache
def keys_it_may_mean(url: str) -> frozenset[str]:
    """Every key that a URL can be, by any reading."""
    host, _, path = url.partition("://")[2].partition("/")
    readings = {path, unquote(path), unquote_plus(path), unquote(unquote(path))}
    return frozenset(readings if host.lower() == HOST else ())


def assert_nothing_lost(reply: Reply, body: Any, sent: Batch) -> None:
    assert [outcome.key for outcome in reply.outcomes] == [one.key for one in sent.entries]
    given = [outcome.media_id for outcome in reply.outcomes if outcome.media_id is not None]
    assert len(given) == len(set(given)), "one MediaId for two files"
    listed = body["RegisteredMediaList"] if isinstance(body.get("RegisteredMediaList"), list) else []
    rows = [row for row in listed if isinstance(row, dict) and isinstance(row.get("FileURL"), str)]
    for one, outcome in zip(sent.entries, reply.outcomes, strict=True):
        registered = outcome.verdict in (Verdict.REGISTERED, Verdict.ALREADY_REGISTERED)
        left_out = (outcome.media_id is None, outcome.code is None, outcome.message is None)
        assert left_out == (not registered, registered, registered)
        if outcome.media_id is not None:
            assert outcome.media_id in {
                str(row.get("MediaId")) for row in rows if one.key in keys_it_may_mean(row["FileURL"])
            }
            assert outcome.media_id.isascii()
            assert outcome.media_id.isprintable()
        settled = settle(one, outcome)
        assert (settled.outcome in {"registered", "already_registered"}) == registered
        assert settled.outcome != "failed", "nothing fails at its first answer"
        for text in (settled.message, settled.code, settled.media_id, reply.request_id):
            assert text is None or "\x00" not in text.encode().decode()


def assert_broken_for_a_reason(body: Any) -> None:
    listed, refused = body.get("RegisteredMediaList"), body.get("FailedFileURLs")
    proper = isinstance(listed, list | None) and isinstance(refused, list | str | None)
    assert (listed is None and refused is None) or not proper


def assert_believed_in_full(reply: Reply, body: Any) -> None:
    named = {row["MediaId"] for row in body["RegisteredMediaList"]}
    assert {outcome.media_id for outcome in reply.outcomes} - {None} == named
    for place, outcome in enumerate(reply.outcomes):
        assert (outcome.verdict is Verdict.FAILED) == (f"m{place}" not in named)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_generated_reply_raises_outside_the_tree_loses_an_object_or_misplaces_a_media_id(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    read = broken = registered = unknown = 0
    for number in range(REPLIES_A_SEED):
        sent = any_batch(dice)
        proper = proper_reply(dice, sent)
        body = any_reply(dice, sent) if number % 5 == 0 else changed(dice, proper, sent)
        if not isinstance(body, dict):
            # The SDK hands no such body on; it is broken before it is read.
            broken += 1
            continue
        try:
            reply = read_reply(body, sent)
        except BrokenReply:
            broken += 1
            assert_broken_for_a_reason(body)
            continue
        read += 1
        assert_nothing_lost(reply, body, sent)
        if body == proper:
            assert_believed_in_full(reply, body)
        registered += sum(outcome.media_id is not None for outcome in reply.outcomes)
        unknown += sum(outcome.verdict is Verdict.UNKNOWN for outcome in reply.outcomes)
    assert min(read, broken, registered, unknown) > REPLIES_A_SEED // 20, "the generator makes all sorts"


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
        sent = batch(
            *(entry(place, key) for place, key in enumerate(dice.sample(KEYS_LIKE_EACH_OTHER, dice.randint(1, 5))))
        )
        media_ids = {one.key: f"m{place}" for place, one in enumerate(sent.entries)}
        spell, named = dice.choice(ENCODINGS), dice.sample(sent.entries, dice.randint(0, len(sent.entries)))
        rows = [at(spell(one.key), media_ids[one.key]) for one in named]
        for outcome in read_reply({"RegisteredMediaList": rows}, sent).outcomes:
            assert outcome.media_id in {None, media_ids[outcome.key]}
            given += outcome.media_id is not None
            held_back += outcome.code == "ambiguous_url"
    assert min(given, held_back) > 30, "there are keys that can be taken for each other, and others"


# --- Through the SDK ---


@pytest.fixture(scope="module")
def vod() -> Iterator[ScriptedVod]:
    with ScriptedVod() as running:
        yield running


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        pytest.param({"RegisteredMediaList": [row(0)]}, Verdict.REGISTERED, id="one list only"),
        pytest.param({"RegisteredMediaList": [None, 7, row(0)]}, Verdict.REGISTERED, id="among things of other types"),
        pytest.param({"FailedFileURLs": [f"{URL}0.mp4"]}, Verdict.FAILED, id="the other list only"),
        pytest.param({"FailedFileURLs": f"{URL}0.mp4"}, Verdict.FAILED, id="a string for a list"),
        pytest.param({"RegisteredMediaList": [], "FailedFileURLs": []}, Verdict.UNKNOWN, id="both lists empty"),
    ],
)
def test_a_reply_reads_the_same_through_the_sdk(vod: ScriptedVod, body: dict[str, Any], verdict: Verdict) -> None:
    answer = Answer(body=json.dumps({"RequestId": "r", **body}).encode())
    assert vod.ask(batch_of(1), answer).outcomes[0].verdict is verdict


def test_no_answer_through_the_sdk_raises_outside_the_tree_or_loses_an_object(vod: ScriptedVod) -> None:
    dice = random.Random(4)  # noqa: S311 - repeatable on purpose
    answered, raised = 0, list[RegisterError]()
    for _ in range(400):
        sent = any_batch(dice)
        answer = Answer.any(dice, changed(dice, proper_reply(dice, sent), sent))
        try:
            reply = vod.ask(sent, answer)
        except RegisterError as error:
            raised.append(error)
        else:
            answered += 1
            assert_nothing_lost(reply, json.loads(answer.body), sent)
    for error in raised:
        assert "\x00" not in f"{error}{error.code}{error.request_id}".encode().decode()
    assert min(answered, len(raised)) > 20
