"""Numbers, times, foreign text and explanations as people read them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.report import diagnosis
from vod_migrate.report.diagnosis import diagnose, diagnose_reason
from vod_migrate.report.files import file_stem
from vod_migrate.report.text_format import duration, moment, rate, share, signed, visible
from vod_migrate.results.csv_tables import guarded, unguarded


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (duration(0), "0 s"),
        (duration(0.42), "0.4 s"),
        (duration(6.0), "6 s"),
        (duration(59.6), "1 min"),
        (duration(123), "2 min 3 s"),
        (duration(20_160), "5 h 36 min"),
        (share(0, 0), "0 %"),
        (share(1, 10_000), "< 0.1 %"),
        (share(9_999, 10_000), "> 99.9 %"),
        (share(1, 4), "25 %"),
        (share(1, 3), "33.3 %"),
        (rate(0.01), "< 0.1"),
        (rate(2.5), "2.5"),
        (rate(47.0), "47"),
        (signed(0), "±0"),
        (signed(1_234), "+1,234"),
        (signed(-1_234), "\N{MINUS SIGN}1,234"),
        (visible("a\nb\x1b[2J"), "a␊b␛[2J"),
        (visible("\u202egpj.4pm"), "⟨U+202E⟩gpj.4pm"),
        (visible("采访 👩\u200d💻.mp4"), "采访 👩\u200d💻.mp4"),
    ],
)
def test_what_is_shown_is_short_and_never_lies_by_rounding(said: str, expected: str) -> None:
    assert said == expected


def test_times_are_told_in_the_zone_of_the_migration() -> None:
    time = dt.datetime(2026, 11, 21, 17, 0, tzinfo=dt.UTC)
    assert moment(time, ZoneInfo("Asia/Shanghai")) == "2026-11-22 01:00:00"


@given(some.text())
def test_any_text_is_shown_without_a_character_that_steers(text: str) -> None:
    assert not any(character < " " or "\u202a" <= character <= "\u202e" for character in visible(text))


@given(some.text(alphabet="'=+-@\t\r\n\uff1dab") | some.text())
def test_a_guarded_cell_starts_no_formula_and_comes_back_exactly(cell: str) -> None:
    assert guarded(cell)[:1] not in tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
    assert unguarded(guarded(cell)) == cell


@given(some.text(min_size=1), some.text(min_size=1))
def test_different_runs_have_different_files_with_names_that_every_system_takes(one: str, other: str) -> None:
    assert (file_stem(one) == file_stem(other)) == (one == other)
    assert len(file_stem(one)) <= 140
    assert not {"/", "\\", ":", "\0"} & set(file_stem(one))
    assert not file_stem(one).startswith(".")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("file_refused", "no reason"),
        ("no_answer", "five times"),
        ("url_too_long", "1,024 bytes"),
        ("title_template", "template"),
        ("Throttling.User", "quota"),
        ("Throttling", "quota"),
        ("Forbidden.RAM", "denies"),
        ("OperationDenied.Suspended", "overdue"),
        ("OperationDenied", "not activated"),
        ("InvalidAccessKeyId.NotFound", "AccessKey"),
        ("InvalidParameter.Title.TooLong", "one of the values"),
        ("Brand.New", "does not explain"),
        ("", "does not explain"),
    ],
)
def test_a_code_is_explained_by_its_longest_known_beginning(code: str, says: str) -> None:
    told = diagnose(code)
    assert told.code == code
    assert says in told.meaning
    assert told.fix


@pytest.mark.parametrize("reason", [*sorted(diagnosis._REASONS), "a_reason_of_tomorrow"])
def test_every_reason_for_leaving_out_has_a_meaning_and_a_fix(reason: str) -> None:
    told = diagnose_reason(reason)
    assert told.fix
    assert ("migration's selection" in told.meaning) == (reason not in diagnosis._REASONS)
