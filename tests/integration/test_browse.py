"""What the pages read about migrations, runs and the quota; and that nobody reads what is not theirs."""

from __future__ import annotations

import csv
import datetime as dt
import io
from itertools import pairwise
from typing import Any

import pytest
from nights import EVERYTHING, FILMS, SHOWS, at, keys, night
from rigging import BUCKET, Rig

from vod_migrate.report.browse.access import QUERIES
from vod_migrate.report.browse.history import object_history
from vod_migrate.report.browse.migrations import migration_dags, migration_line, migrations_page
from vod_migrate.report.browse.objects import find_objects, found_codes
from vod_migrate.report.browse.quota import quota_bars
from vod_migrate.report.browse.runs import WantedRuns, readable_run, runs_of_dag, runs_of_dag_run, runs_of_migration
from vod_migrate.report.browse.search import Search, read_search
from vod_migrate.report.downloads import objects_csv
from vod_migrate.report.loader import load_report
from vod_migrate.report.run_pair import run_pair
from vod_migrate.results.csv_tables import unguarded
from vod_migrate.results.run import Run


@pytest.mark.smoke
def test_a_migration_is_one_line_with_its_objects_its_last_run_and_its_nights(rig: Rig, films: Run) -> None:
    [line] = migrations_page(rig.store, readable=FILMS).lines
    assert (line.registered, line.failed, line.pending, line.gone) == (12, 1, 0, 0)
    assert line.done == pytest.approx(12 / 13)
    assert line.dag_ids == ("films_dag",)
    assert line.last is not None
    assert (line.last.run_id, line.last.state) == (films.run_id, "succeeded")
    assert len(line.nights) == 30
    assert (line.nights[-1].registered, line.nights[-1].failed, line.nights[-1].runs) == (12, 1, 1)


@pytest.mark.usefixtures("films", "shows")
def test_migrations_are_read_page_by_page(rig: Rig) -> None:
    first = migrations_page(rig.store, readable=EVERYTHING, most=1)
    second = migrations_page(rig.store, readable=EVERYTHING, most=1, after=first.more)
    assert [[line.migration for line in page.lines] for page in (first, second)] == [["films"], ["shows"]]
    assert second.more is None


@pytest.mark.parametrize("text", ["\x00", "\ud800", "films\x00"])
def test_a_name_that_postgres_cannot_hold_finds_nothing(rig: Rig, text: str) -> None:
    assert readable_run(rig.store, text, readable=EVERYTHING) is None
    assert migration_line(rig.store, "default", text, readable=EVERYTHING) is None
    assert migrations_page(rig.store, readable=EVERYTHING, named=text).lines == ()
    wanted = WantedRuns(after=(dt.datetime.now(dt.UTC), text))
    assert runs_of_migration(rig.store, "default", "films", readable=EVERYTHING, wanted=wanted).lines == ()


@pytest.mark.usefixtures("films", "shows")
def test_migrations_are_found_by_a_part_of_their_name(rig: Rig) -> None:
    for named, found in (
        ("", ["films", "shows"]),
        ("ILM", ["films"]),
        ("s", ["films", "shows"]),
        ("%", []),
        ("\x00", []),
    ):
        page = migrations_page(rig.store, readable=EVERYTHING, named=named)
        assert [line.migration for line in page.lines] == found, named


def test_runs_are_read_in_both_orders_by_state_and_mode_page_by_page(rig: Rig, films: Run) -> None:
    runs = [
        films.run_id,
        *(night(rig, "films", name, mode=mode).run_id for name, mode in (("b", "all"), ("c", "new"))),
    ]

    def read(**chosen: Any) -> list[str]:
        found, after = [], None
        while True:
            wanted = WantedRuns(after=after, **chosen)
            page = runs_of_migration(rig.store, "default", "films", readable=FILMS, wanted=wanted, most=1)
            assert page.lines == runs_of_dag(rig.store, "films_dag", readable=FILMS, wanted=wanted, most=1).lines
            found += [line.run_id for line in page.lines]
            after = page.more
            if after is None:
                return found

    assert read() == runs[::-1]
    assert read(oldest=True) == runs
    assert read(mode="new", oldest=True) == [runs[0], runs[2]]
    states = {
        line.run_id: line.state for line in runs_of_migration(rig.store, "default", "films", readable=FILMS).lines
    }
    for state in {*states.values(), "cancelled"}:
        assert read(state=state, oldest=True) == [run_id for run_id in runs if states[run_id] == state]
    assert runs_of_dag(rig.store, "films_dag", readable=SHOWS, wanted=WantedRuns(oldest=True)).lines == ()


@pytest.mark.usefixtures("films", "shows")
def test_a_search_backwards_shows_the_same_pages_from_the_other_end(rig: Rig) -> None:
    for chosen in ({}, {"state": "registered"}, {"code": "file_refused"}, {"migration": "films"}):
        assert_the_same_backwards(rig, chosen)


def assert_the_same_backwards(rig: Rig, chosen: dict[str, str]) -> None:
    forwards = find_objects(rig.store, read_search("", **chosen), readable=EVERYTHING, most=100).lines
    search = read_search("", backwards=True, **chosen)
    pages = [find_objects(rig.store, search, readable=EVERYTHING, most=5)]
    while pages[-1].after is not None:
        pages.append(find_objects(rig.store, search, readable=EVERYTHING, most=5, after=pages[-1].after))
    assert [line for page in pages for line in page.lines] == list(forwards[::-1])
    assert pages[0].before is None
    for page, following in pairwise(pages):
        again = find_objects(rig.store, search, readable=EVERYTHING, most=5, before=following.before)
        assert again.lines == page.lines
    rows = list(
        csv.DictReader(io.StringIO(b"".join(objects_csv(rig.store, search, readable=EVERYTHING)).decode("utf-8-sig")))
    )
    assert [unguarded(row["key"]) for row in rows] == [line.key for line in forwards[::-1]]


@pytest.mark.usefixtures("shows")
def test_nobody_reads_anything_of_a_migration_that_none_of_their_dags_runs(rig: Rig, films: Run) -> None:
    bad = find_objects(rig.store, read_search("films/bad"), readable=FILMS).lines[0]
    done = find_objects(rig.store, read_search("films/00"), readable=FILMS).lines[0]
    for readable in (SHOWS, frozenset[str]()):
        assert [line.migration for line in migrations_page(rig.store, readable=readable).lines] != ["films"]
        assert migration_line(rig.store, "default", "films", readable=readable) is None
        assert readable_run(rig.store, films.run_id, readable=readable) is None
        assert runs_of_dag(rig.store, "films_dag", readable=readable).lines == ()
        assert runs_of_dag_run(rig.store, "films_dag", "one", readable=readable) == ()
        assert runs_of_migration(rig.store, "default", "films", readable=readable).lines == ()
        assert find_objects(rig.store, read_search("films/"), readable=readable).lines == ()
        assert find_objects(rig.store, read_search(migration="films"), readable=readable).total == 0
        assert find_objects(rig.store, read_search(code="file_refused"), readable=readable).lines == ()
        assert find_objects(rig.store, read_search(str(done.media_id)), readable=readable).lines == ()
        assert object_history(rig.store, *at(bad), readable=readable) is None
        assert found_codes(rig.store, readable=readable) == ()
        assert b"films" not in b"".join(objects_csv(rig.store, Search(), readable=readable))
    assert quota_bars(rig.store, readable=frozenset[str]()) == ()


def test_two_runs_stand_side_by_side_with_what_differs(rig: Rig, films: Run) -> None:
    for number in range(3):
        rig.sandbox.put(BUCKET, f"films/new {number}.mp4")
    second = night(rig, "films", "two", settings=["describe.title=x {{ stem }}"], limit=2)
    reports = [load_report(rig.store, run.run_id) for run in (second, films)]
    pair = run_pair(*reports)
    assert pair == run_pair(*reversed(reports))
    assert (pair.earlier.run.run_id, pair.later.run.run_id) == (films.run_id, second.run_id)
    numbers = {line.label: (line.before, line.now, line.change) for line in pair.numbers}
    assert numbers["Registered"] == (12, 2, -10)
    assert numbers["Failed"] == (1, 0, -1)
    assert [(group.name, group.earlier, group.later, group.change) for group in pair.failures] == [
        ("file_refused", 1, 0, -1)
    ]
    assert [(one.name, one.earlier, one.later) for one in pair.options] == [
        ("limit", None, "2"),
        ("settings", None, "describe.title=x {{ stem }}"),
    ]
    assert all(one.earlier != one.later for one in pair.settings)
    [newest, oldest] = runs_of_migration(rig.store, "default", "films", readable=FILMS).lines
    assert (newest.calls, oldest.calls) == (numbers["Calls"][1], numbers["Calls"][0])
    assert oldest.done == 12
    assert oldest.seconds is not None


def test_every_query_takes_the_dags_that_its_reader_may_read() -> None:
    names = [name for name in QUERIES.available_queries if not name.endswith("_cursor")]
    assert len(names) >= 14
    for name in names:
        sql = getattr(QUERIES, name).sql
        assert "%(everything)s" in sql, name
        assert "%(dags)s" in sql, name


def test_runs_by_hand_are_for_administrators_and_their_calls_too(rig: Rig, films: Run) -> None:
    rig.sandbox.clear_faults()
    by_hand = night(rig, "films", by_hand=True, mode="failed")
    assert readable_run(rig.store, by_hand.run_id, readable=FILMS) is None
    assert [line.run_id for line in runs_of_migration(rig.store, "default", "films", readable=FILMS).lines] == [
        films.run_id
    ]
    assert len(runs_of_migration(rig.store, "default", "films", readable=EVERYTHING).lines) == 2
    [line] = migrations_page(rig.store, readable=FILMS).lines
    assert line.last is not None
    assert line.last.run_id == films.run_id
    [found] = find_objects(rig.store, read_search("films/bad"), readable=FILMS).lines
    theirs, ours = (object_history(rig.store, *at(found), readable=who) for who in (FILMS, EVERYTHING))
    assert theirs is not None
    assert ours is not None
    assert {event.run_id for event in theirs.events} == {films.run_id}
    assert theirs.hidden == 1
    assert {event.run_id for event in ours.events} == {films.run_id, by_hand.run_id}
    assert ours.hidden == 0


def test_a_migration_run_only_by_hand_is_for_administrators(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, "home/a.mp4")
    night(rig, "home", by_hand=True)
    assert migrations_page(rig.store, readable=frozenset({"", "home_dag"})).lines[1:] == ()
    assert find_objects(rig.store, Search(), readable=frozenset({"home_dag"})).lines == ()
    assert keys(find_objects(rig.store, Search(), readable=EVERYTHING)) == ["home/a.mp4"]


@pytest.mark.usefixtures("films", "shows")
def test_the_quota_tells_who_sends_now_and_names_no_run_that_its_reader_may_not_see(rig: Rig) -> None:
    with rig.store.connection() as connection:
        connection.execute("update vod_migrate.runs set state = 'running'")
        connection.execute(
            "insert into vod_migrate.rates (run_no, stretch, worker_no, answer, calls, files) "
            "select run_no, floor(extract(epoch from now()) / 5) - 2, 1, answer, calls, 10 * calls "
            "from vod_migrate.runs, (values ('throttled', 10), ('ok', 90)) as a (answer, calls)"
        )
    [bar] = quota_bars(rig.store, readable=FILMS)
    assert [user.migration for user in bar.users] == ["films", None]
    assert bar.documented == 50
    assert bar.reserve == pytest.approx(50 - bar.rate)
    assert bar.used >= 200 / 60
    assert bar.throttled == pytest.approx(20 / (60 * bar.used), rel=0.05)
    assert bar.free == pytest.approx(bar.in_force - bar.used)


@pytest.mark.usefixtures("films")
def test_the_quota_says_when_the_database_s_clock_was_set_back_and_forgets_it_after_a_day(rig: Rig) -> None:
    [bar] = quota_bars(rig.store, readable=FILMS)
    assert bar.clock_reset is None
    for hours, shown in ((1, True), (25, False)):
        with rig.store.connection() as connection:
            connection.execute("update vod_migrate.quotas set reset_at = now() - make_interval(hours => %s)", (hours,))
        [bar] = quota_bars(rig.store, readable=FILMS)
        assert (bar.clock_reset is not None) == shown


@pytest.mark.usefixtures("films", "shows")
def test_who_may_change_a_migration_is_asked_of_all_its_dags(rig: Rig) -> None:
    night(rig, "films", by_hand=True, mode="failed")
    assert migration_dags(rig.store, "default", "films") == {"films_dag", ""}
    assert migration_dags(rig.store, "default", "shows") == {"shows_dag"}
    assert migration_dags(rig.store, "default", "nothing") == frozenset()
