"""What three books say about one object, and what a random part says about the whole: pure functions of values."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from vod_migrate.audit.comparison import Question, answered, listed
from vod_migrate.audit.confidence import most_of_all
from vod_migrate.audit.drift import Drift, Judgment
from vod_migrate.audit.media_states import MediaAnswer, MediaState
from vod_migrate.audit.table_file import drift_file
from vod_migrate.errors import BadOption, BadSetting
from vod_migrate.media import MediaObject
from vod_migrate.results.books import Fact, LibraryMedia

NOW = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
FILM = MediaObject(bucket="b", key="a.mp4", size=10, etag="E", last_modified=NOW)
FACT = Fact(
    key="a.mp4", own=True, migration="m", registered=True, gone=False, size=10, etag="E", media_id="1", code=None,
    settled_at=NOW, recent=False, drawn=True,
)  # fmt: skip
MEDIA = MediaState(
    media_id="1",
    status="Normal",
    title="a",
    reference_id="",
    bucket="b",
    key="a.mp4",
    source="Normal",
    size=10,
    duration=1.0,
    made_at=NOW,
)
OTHERS = [LibraryMedia(key="a.mp4", media_id=name, made_at=NOW) for name in ("2", "3")]


@pytest.mark.parametrize(
    ("found", "drawn", "bound"),
    [
        # One-sided upper limits for 20 draws, in per cent, from tables of Clopper and Pearson: 13.9, 21.6, 28.3, 100.
        (0, 20, 1_392),
        (1, 20, 2_162),
        (2, 20, 2_826),
        (20, 20, 10_000),
        (0, 10_000, 0),  # nothing is left to guess
        (7, 10_000, 7),
    ],
)
def test_the_bound_of_a_random_part_is_that_of_the_tables(found: int, drawn: int, bound: int) -> None:
    assert most_of_all(found, drawn, 10_000) == pytest.approx(bound, abs=1)


def test_of_none_in_2300_the_rule_of_three_says_at_most_1300_in_a_million() -> None:
    assert most_of_all(0, 2_300, 1_000_000) == 1_302


@pytest.mark.parametrize(
    ("reason", "fact", "media", "expected"),
    [
        (None, None, [], ["new"]),
        ("excluded", None, [], []),
        ("excluded", None, OTHERS, []),
        (None, None, OTHERS, ["not_recorded 2", "second_media 3"]),
        (None, None, [replace(OTHERS[0], holder="b/x.mp4"), OTHERS[1]], ["media_id_taken 2", "second_media 3"]),
        (None, replace(FACT, own=False), [], ["owned_elsewhere 1"]),
        ("excluded", replace(FACT, own=False), [], []),
        (None, replace(FACT, registered=False, media_id=None), [], ["failed"]),
        (None, replace(FACT, registered=False, media_id=None), OTHERS[:1], ["not_recorded 2"]),
        ("archived", FACT, [], ["archived 1"]),
        ("restored_copy", replace(FACT, etag="other"), [], ["content_changed 1"]),
        ("excluded", FACT, OTHERS[:1], ["left_out 1", "second_media 2"]),
        ("too_old", FACT, [], ["VOD is asked"]),
        ("too_old", None, [], []),
    ],
)
def test_what_an_object_comes_to_before_vod_is_asked(
    reason: str | None, fact: Fact | None, media: list[LibraryMedia], expected: list[str]
) -> None:
    found = list(listed(FILM, reason, fact, media, queued=False))
    assert [told(one) if isinstance(one, Judgment) else "VOD is asked" for one in found] == expected


def told(judgment: Judgment) -> str:
    return " ".join(filter(None, (judgment.drift.value, judgment.media_id)))


@pytest.mark.parametrize(
    ("fact", "media", "others", "expected"),
    [
        (FACT, MEDIA, [], ["same 1"]),
        (replace(FACT, size=None, etag=None), MEDIA, [], ["same 1"]),
        (FACT, replace(MEDIA, bucket=""), [], ["same 1"]),  # a custom domain
        (FACT, replace(MEDIA, bucket="c"), [], ["other_file 1"]),
        (FACT, replace(MEDIA, key="A.mp4"), [], ["other_file 1"]),
        (FACT, None, [], ["media_deleted 1"]),
        (FACT, None, OTHERS, ["media_deleted 1", "second_media 3"]),
        (replace(FACT, recent=True), None, [], ["processing 1"]),
        (FACT, replace(MEDIA, status="Transcoding"), [], ["processing 1"]),
        (FACT, replace(MEDIA, status="UploadSucc"), [], ["same 1"]),
        (FACT, replace(MEDIA, status="Blocked"), [], ["media_blocked 1"]),
        (FACT, replace(MEDIA, size=9), OTHERS[:1], ["size_in_vod 1", "second_media 2"]),
        # A file that was replaced has another size in VOD, too, and its media may be gone or blocked besides.
        (replace(FACT, size=9), replace(MEDIA, size=9), [], ["size_changed 1"]),
        (replace(FACT, size=9), None, [], ["media_deleted 1"]),
        (replace(FACT, size=9), replace(MEDIA, status="Blocked"), [], ["media_blocked 1"]),
        (replace(FACT, gone=True), MEDIA, [], ["returned 1"]),
    ],
)
def test_what_an_object_comes_to_by_the_answer_of_vod(
    fact: Fact, media: MediaState | None, others: list[LibraryMedia], expected: list[str]
) -> None:
    answer = MediaAnswer(found={} if media is None else {"1": media}, absent=frozenset("1" if media is None else ""))
    assert by_vod(fact, answer, others) == expected


@pytest.mark.parametrize(
    ("fact", "expected"),
    [(FACT, ["hidden 1", "second_media 2"]), (replace(FACT, size=9), ["size_changed 1", "second_media 2"])],
)
def test_a_media_that_vod_hides_is_not_taken_for_deleted(fact: Fact, expected: list[str]) -> None:
    assert by_vod(fact, MediaAnswer(found={}, absent=frozenset("2")), OTHERS[:1]) == expected


def by_vod(fact: Fact, answer: MediaAnswer, others: list[LibraryMedia]) -> list[str]:
    (question,) = listed(FILM, None, fact, others, queued=False)
    assert isinstance(question, Question)
    return [told(one) for one in answered(question, answer, processed=False)]


def test_every_kind_is_on_the_page_about_it() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/reconcile.md").read_text(encoding="utf-8")
    assert [drift for drift in Drift if f"`{drift.value}`" not in page] == []


def test_the_file_has_what_differs_and_appears_only_whole(tmp_path: Path) -> None:
    lost = Judgment(drift=Drift.GONE, key="half \udce9.mp4", media_id="1")
    path = tmp_path / "drift.jsonl"
    with drift_file(path, "b") as write:
        write(lost)
        write(Judgment(drift=Drift.SAME, key="a.mp4"))
        assert not path.exists()
    (line,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (line["key"], line["line"], line["kind"], line["media_id"]) == ("half ?.mp4", "gone", "gone", "1")
    with pytest.raises(ZeroDivisionError), drift_file(path.with_suffix(".csv"), "b"):
        raise ZeroDivisionError
    assert [one.name for one in tmp_path.iterdir()] == ["drift.jsonl"]


@pytest.mark.parametrize(("name", "error"), [("drift.txt", BadOption), ("nowhere/drift.csv", BadSetting)])
def test_a_file_that_cannot_be_is_refused(tmp_path: Path, name: str, error: type[Exception]) -> None:
    with pytest.raises(error), drift_file(tmp_path / name, "b"):
        pass
