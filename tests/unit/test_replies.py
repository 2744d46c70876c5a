"""Any answer gives exactly one outcome per entry, or is a broken reply; never another exception, never a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from batches import HOST, batch, batch_of, entry, number_of
from hypothesis import example, given
from hypothesis import strategies as some

from vod_migrate.errors import BrokenReply
from vod_migrate.media import Entry, Outcome, Verdict
from vod_migrate.register.recorder import settle
from vod_migrate.register.reply import read_reply

URL = f"http://{HOST}/film%20"
TEN = batch_of(10)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {"NewRegister": True, "FileURL": f"{URL}{number}.mp4", "MediaId": f"m{number}", **changes}


URLS = some.builds(
    lambda scheme, host, path: f"{scheme}://{host}/{path}",
    some.sampled_from(["http", "https", "HTTP", "ftp"]),
    some.sampled_from([HOST, HOST.upper(), "other.example", ""]),
    some.integers(0, 14).flatmap(
        lambda number: some.sampled_from([f"film%20{number}.mp4", f"film {number}.mp4", f"film%2520{number}.mp4"])
    ),
)
IDS = some.sampled_from(["m1", "m2", "", " ", "a b", "\x00", "\ud800", "x" * 200, None, 7, ["m"]])
ROWS = some.fixed_dictionaries(
    {},
    optional={
        "FileURL": URLS | JSON,
        "MediaId": IDS,
        "NewRegister": some.sampled_from([True, False, "false", 0, None]),
    },
)
LISTED = some.lists(ROWS | JSON, max_size=14) | JSON
REFUSED = some.lists(URLS | URLS.map(lambda url: json.dumps([url])) | JSON, max_size=14) | URLS | JSON


@given(
    some.fixed_dictionaries(
        {}, optional={"RegisteredMediaList": LISTED, "FailedFileURLs": REFUSED, "RequestId": JSON, "Code": JSON}
    )
)
def test_any_answer_is_one_outcome_per_entry_or_a_broken_reply(fields: dict[str, Any]) -> None:
    try:
        reply = read_reply(fields, TEN)
    except BrokenReply:
        listed, refused = fields.get("RegisteredMediaList"), fields.get("FailedFileURLs")
        assert (listed is None and refused is None) or not (
            isinstance(listed, list | None) and isinstance(refused, list | str | None)
        )
        return
    assert [outcome.key for outcome in reply.outcomes] == [one.key for one in TEN.entries]
    for outcome in reply.outcomes:
        registered = outcome.verdict in (Verdict.REGISTERED, Verdict.ALREADY_REGISTERED)
        assert (outcome.media_id is not None) == registered
        assert (outcome.code is None) == registered
        assert (outcome.message is None) == registered
        if outcome.media_id is not None:
            assert outcome.media_id.isascii()
            assert outcome.media_id.isprintable()
    if reply.request_id is not None:
        reply.request_id.encode()
        assert "\x00" not in reply.request_id


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it was sent": lambda url: url,
    "with http": lambda url: url.replace("https://", "http://"),
    "with its host in capitals": lambda url: url.replace(HOST, HOST.upper()),
    "decoded": unquote,
    "encoded in lower case": lambda url: re.sub("%..", lambda found: found[0].lower(), url),
    "encoded more than needed": lambda url: url.replace("film", "%66ilm"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "key", ["film 1.mp4", "节目/film 第1集.mp4", "film+#?&=;,'()*!@.mp4", 'film\\|^`{}[]<>".mp4', "a//film/./../b.mp4"]
)
def test_a_url_is_recognised_in_every_spelling_of_the_same_key(spelling: str, key: str) -> None:
    sent = entry(7, key)
    told = SPELLINGS[spelling](sent.file_url)
    reply = read_reply({"RegisteredMediaList": [row(0, FileURL=told, MediaId="m7")]}, batch(entry(99), sent))
    assert reply.outcomes[1] == Outcome(key=key, verdict=Verdict.REGISTERED, media_id="m7")
    assert reply.outcomes[0].verdict is Verdict.UNKNOWN


@given(some.lists(some.text("a%2501 +/.é节", min_size=1, max_size=12), min_size=1, max_size=10, unique=True))
@example(["a%20b", "a b", "a%2520b"])
@pytest.mark.parametrize("encoding", ["percent", "raw"])
def test_urls_that_come_back_as_sent_are_never_mistaken_for_each_other(encoding: str, keys: list[str]) -> None:
    sent = batch(*(entry(number, key, encoding=encoding) for number, key in enumerate(keys)))
    rows = [row(place, FileURL=one.file_url.replace("https", "http")) for place, one in enumerate(sent.entries)]
    reply = read_reply({"RegisteredMediaList": rows, "FailedFileURLs": []}, sent)
    assert [outcome.media_id for outcome in reply.outcomes] == [f"m{place}" for place in range(len(keys))]


@pytest.mark.parametrize(
    ("refused", "failed"),
    [
        pytest.param([f"{URL}1.mp4", f"{URL}2.mp4"], {1, 2}, id="plain strings"),
        pytest.param([json.dumps([f"{URL}1.mp4"]), json.dumps([f"{URL}2.mp4"])], {1, 2}, id="strings of JSON lists"),
        pytest.param([json.dumps([f"{URL}1.mp4", f"{URL}2.mp4"])], {1, 2}, id="one string of a JSON list"),
        pytest.param(json.dumps([f"{URL}1.mp4"]), {1}, id="a JSON list without a list around it"),
        pytest.param(f"{URL}1.mp4", {1}, id="one string"),
        pytest.param([[f"{URL}1.mp4"], [[f"{URL}2.mp4"]]], {1, 2}, id="lists of lists"),
        pytest.param([f" {URL}1.mp4\n"], {1}, id="with space around"),
        pytest.param([f"{URL}1.mp4", f"{URL}1.mp4"], {1}, id="twice"),
        pytest.param(["[not json", None, 7, {"a": f"{URL}1.mp4"}], set(), id="nothing that is a URL"),
        pytest.param([f"http://other.example/film%20{1}.mp4"], set(), id="another host"),
        pytest.param([f"{URL}11.mp4"], set(), id="a file that was not asked for"),
        pytest.param(json.loads("[" * 500 + json.dumps(f"{URL}1.mp4") + "]" * 500), {1}, id="nested deeply"),
        pytest.param("[" * 100_000, set(), id="JSON nested without end"),
    ],
)
def test_failed_urls_are_read_in_every_form(refused: Any, failed: set[int]) -> None:
    outcomes = read_reply({"FailedFileURLs": refused}, TEN).outcomes
    assert {number_of(one) for one in outcomes if one.verdict is Verdict.FAILED} == failed
    assert {number_of(one) for one in outcomes if one.code == "no_answer"} == set(range(10)) - failed


@pytest.mark.parametrize(
    ("rows", "refused", "verdict", "code"),
    [
        pytest.param([row(1)], [], Verdict.REGISTERED, None, id="new"),
        pytest.param([row(1, NewRegister=False)], [], Verdict.ALREADY_REGISTERED, None, id="known"),
        pytest.param([row(1, NewRegister="False")], [], Verdict.ALREADY_REGISTERED, None, id="known, as text"),
        pytest.param([row(1, NewRegister=None)], [], Verdict.REGISTERED, None, id="not said"),
        pytest.param([row(1), row(1)], [], Verdict.REGISTERED, None, id="said twice"),
        pytest.param(
            [row(1), row(1, NewRegister=False)], [], Verdict.REGISTERED, None, id="new and known, one MediaId"
        ),
        pytest.param([row(1), row(1, MediaId="m2")], [], Verdict.UNKNOWN, "contradiction", id="two MediaIds"),
        pytest.param([row(1)], [f"{URL}1.mp4"], Verdict.UNKNOWN, "contradiction", id="in both lists"),
        pytest.param([row(1, MediaId="")], [], Verdict.UNKNOWN, "no_answer", id="no MediaId"),
        pytest.param([row(1, MediaId="m\x00")], [], Verdict.UNKNOWN, "no_answer", id="a MediaId no table can keep"),
        pytest.param([row(1, MediaId=7)], [], Verdict.UNKNOWN, "no_answer", id="a MediaId that is a number"),
        pytest.param([], [], Verdict.UNKNOWN, "no_answer", id="in neither list"),
    ],
)
def test_what_is_said_about_a_file_has_one_meaning(
    rows: list[Any], refused: list[str], verdict: Verdict, code: str | None
) -> None:
    outcome = read_reply({"RegisteredMediaList": rows, "FailedFileURLs": refused}, TEN).outcomes[1]
    assert (outcome.verdict, outcome.code) == (verdict, code)


SPACE, PERCENT, PLUS, OTHER = entry(1, "a b.mp4"), entry(2, "a%20b.mp4"), entry(3, "a+b.mp4"), entry(4, "other.mp4")
ENTRY_OF = {SPACE.key: 1, PERCENT.key: 2, PLUS.key: 3, OTHER.key: 4}


@pytest.mark.parametrize(
    ("entries", "paths", "meant"),
    [
        pytest.param([SPACE, PERCENT], ["a%20b", "a%2520b"], {1: "m0", 2: "m1"}, id="both as they were sent"),
        pytest.param([SPACE, PERCENT], ["a b", "a%20b"], {1: "m0", 2: "m1"}, id="both decoded"),
        pytest.param([SPACE, PERCENT], ["a%20b", "a b"], {2: "m0", 1: "m1"}, id="both decoded, the other way round"),
        pytest.param([SPACE, PERCENT], ["a%20b"], {}, id="one of them, as sent or decoded"),
        pytest.param([SPACE, PERCENT], ["a b"], {1: "m0"}, id="decoded, it fits one only"),
        pytest.param([SPACE, PERCENT], ["a%2520b"], {}, id="one of them, as sent or encoded twice"),
        pytest.param([SPACE, PERCENT], ["a%2520b", "a%252520b"], {1: "m0", 2: "m1"}, id="both encoded twice"),
        pytest.param([PERCENT, OTHER], ["a%2520b"], {2: "m0"}, id="where it fits one only"),
        pytest.param([SPACE, PERCENT, OTHER], ["a%20b", "other"], {4: "m1"}, id="another file tells nothing"),
        pytest.param([SPACE, PERCENT], ["a%20b", "nobody"], {}, id="beside a file that nobody asked for"),
        pytest.param([SPACE, PLUS], ["a+b", "a%2Bb"], {1: "m0", 3: "m1"}, id="both with + for a space"),
        pytest.param([SPACE, PLUS], ["a%20b", "a+b"], {1: "m0", 3: "m1"}, id="a plus that is a plus"),
        pytest.param([SPACE, PLUS], ["a+b"], {}, id="a plus that may be either"),
        pytest.param([SPACE], ["a+b"], {1: "m0"}, id="a plus where only a space was asked for"),
        pytest.param([SPACE], ["a%20b", "a+b"], {}, id="one file with two MediaIds"),
        pytest.param([SPACE], ["a%FF%20b"], {}, id="bytes that are no text"),
    ],
)
def test_a_url_that_fits_two_entries_is_nobodys_and_never_swapped(
    entries: list[Entry], paths: list[str], meant: dict[int, str]
) -> None:
    rows = [row(0, FileURL=f"http://{HOST}/{path}.mp4", MediaId=f"m{place}") for place, path in enumerate(paths)]
    outcomes = read_reply({"RegisteredMediaList": rows}, batch(*entries)).outcomes
    assert {ENTRY_OF[one.key]: one.media_id for one in outcomes if one.media_id} == meant
    assert all(one.verdict is Verdict.UNKNOWN for one in outcomes if one.media_id is None)


def test_what_is_ambiguous_in_a_batch_is_tried_alone_and_clear_there() -> None:
    told = {"RegisteredMediaList": [row(0, FileURL=f"http://{HOST}/a%20b.mp4", MediaId="m")]}
    outcomes = read_reply(told, batch(SPACE, PERCENT)).outcomes
    assert {one.code for one in outcomes} == {"ambiguous_url"}
    assert [settle(sent, one).outcome for sent, one in zip((SPACE, PERCENT), outcomes, strict=True)] == ["retry"] * 2
    assert read_reply(told, batch(SPACE)).outcomes[0].media_id == "m"


@pytest.mark.parametrize(
    ("rows", "clashing"),
    [
        pytest.param([row(1), row(2, MediaId="m1")], {1, 2}, id="two files"),
        pytest.param([row(n, MediaId="m") for n in range(10)], set(range(10)), id="all files"),
        pytest.param([row(1), row(1, FileURL=f"https://{HOST}/nobody.mp4")], {1}, id="a file nobody asked for"),
        pytest.param([row(1), row(1, FileURL="http://other.example/x.mp4")], {1}, id="a file of another bucket"),
        pytest.param(
            [row(1), row(1, FileURL=f"https://{HOST.upper()}/film 1.mp4")], set(), id="one file, two spellings"
        ),
        pytest.param([row(1), row(2)], set(), id="two MediaIds"),
    ],
)
def test_a_media_id_that_two_files_claim_is_given_to_neither(rows: list[Any], clashing: set[int]) -> None:
    outcomes = read_reply({"RegisteredMediaList": rows, "FailedFileURLs": []}, TEN).outcomes
    assert {number_of(one) for one in outcomes if one.code == "media_id_clash"} == clashing
    assert not any(one.media_id for one in outcomes if number_of(one) in clashing)


def test_a_clash_is_tried_again_alone_and_then_failed_with_both_names() -> None:
    clash = [row(1), row(1, FileURL=f"http://{HOST}/nobody.mp4")]
    first, again = (
        settle(sent, read_reply({"RegisteredMediaList": clash}, batch(sent)).outcomes[0])
        for sent in (entry(1), entry(1, attempts=1))
    )
    assert (first.outcome, first.code) == ("retry", "media_id_clash")
    assert (again.outcome, again.code) == ("failed", "media_id_clash")
    assert "MediaId m1" in (again.message or "")
    assert "nobody.mp4" in (again.message or "")
