"""What the pages read about objects, one by one and as files."""

from __future__ import annotations

import csv
import io

import pytest
from nights import EVERYTHING, FILMS, at, keys, night
from planning import plan
from pyarrow import parquet
from rigging import BUCKET, Rig

from vod_migrate.errors import BadOption
from vod_migrate.migration.options import parse_options
from vod_migrate.report.browse.history import object_history
from vod_migrate.report.browse.migrations import migrations_page
from vod_migrate.report.browse.objects import find_objects, found_codes
from vod_migrate.report.browse.runs import runs_of_migration
from vod_migrate.report.browse.search import PageCursor, Search, prefix_end, read_search
from vod_migrate.report.downloads import attachment, failures_csv, mapping_csv, mapping_parquet, objects_csv
from vod_migrate.results.csv_tables import unguarded
from vod_migrate.results.run import Run
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin

HOSTILE = (
    "films/<script>alert(1)</script>.mp4",
    "films/../../etc/passwd.mp4",
    "=cmd|' /C calc'!A0.mp4",
    "+1+1.mp4",
    "@sum(1+1).mp4",
    "films/line\nbreak.mp4",
    "films/100%25 sure?.mp4",
    'films/"quotes", commas; and semicolons.mp4',
    "films/采访 第一集 🎬.mp4",
)


@pytest.mark.usefixtures("films", "shows")
def test_pages_of_objects_go_forth_and_back_through_all_states_and_migrations(rig: Rig) -> None:
    everything = [f"films/{number:02}.mp4" for number in range(12)] + ["films/bad.mp4"]
    everything += [f"shows/{number:02}.mp4" for number in range(3)]
    pages = [find_objects(rig.store, Search(), readable=EVERYTHING, most=5)]
    assert pages[0].before is None
    assert pages[0].total == 16
    while pages[-1].after is not None:
        pages.append(find_objects(rig.store, Search(), readable=EVERYTHING, most=5, after=pages[-1].after))
    assert [key for page in pages for key in keys(page)] == everything
    back = [pages[-1]]
    while back[-1].before is not None:
        back.append(find_objects(rig.store, Search(), readable=EVERYTHING, most=5, before=back[-1].before))
    assert [key for page in back[::-1] for key in keys(page)] == everything
    assert pages[-1].after is None


FOUND: tuple[tuple[str, dict[str, str], list[str]], ...] = (
    ("films/0", {}, [f"films/{number:02}.mp4" for number in range(10)]),
    ("films/11.mp4", {}, ["films/11.mp4"]),
    ("  films/11.mp4\n", {}, ["films/11.mp4"]),
    ("", {"state": "failed"}, ["films/bad.mp4"]),
    ("", {"code": "file_refused"}, ["films/bad.mp4"]),
    ("", {"code": "file_refused", "state": "failed", "migration": "films"}, ["films/bad.mp4"]),
    ("", {"code": "another"}, []),
    ("films/", {"state": "failed"}, ["films/bad.mp4"]),
    ("", {"migration": "nothing"}, []),
    (f"oss://{BUCKET}/films/bad", {}, ["films/bad.mp4"]),
    ("oss://other-bucket/films/bad", {}, []),
    (f"https://{BUCKET}.oss-cn-shanghai.aliyuncs.com/films%2Fbad.mp4?x=1", {}, ["films/bad.mp4"]),
    ("https://cdn.example.com/films/bad.mp4", {}, ["films/bad.mp4"]),
    ("' or 1=1 --", {}, []),
    ("films/%", {}, []),
    ("0" * 32, {}, []),
)


@pytest.mark.usefixtures("films")
def test_a_search_finds_by_key_prefix_address_state_and_code(rig: Rig) -> None:
    for text, choices, found in FOUND:
        search = read_search(text, **choices)
        assert keys(find_objects(rig.store, search, readable=FILMS)) == found, (text, choices)
        end = PageCursor(migration="films", account="zz", bucket="", key="")
        assert keys(find_objects(rig.store, search, readable=FILMS, before=end)) == found, (text, choices)


@pytest.mark.usefixtures("films")
def test_a_media_id_finds_its_object_and_the_code_of_a_failure_can_be_chosen(rig: Rig) -> None:
    media = rig.sandbox.truth(BUCKET)["films/07.mp4"].media_id
    assert keys(find_objects(rig.store, read_search(media), readable=FILMS)) == ["films/07.mp4"]
    assert found_codes(rig.store, readable=FILMS) == (("file_refused", 1),)


def test_an_object_tells_what_was_sent_and_every_call_that_carried_it(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, "films/late.mp4")
    rig.sandbox.fault("http_503", api="RegisterMedia", count=1)
    night(rig, "films")
    [line] = find_objects(rig.store, Search(), readable=FILMS).lines
    told = object_history(rig.store, *at(line), readable=FILMS)
    assert told is not None
    assert told.description["Title"] == "late"
    assert told.region == rig.sandbox.region
    assert told.line.media_id == rig.sandbox.truth(BUCKET)["films/late.mp4"].media_id
    assert told.diagnosis is None
    assert [(call.outcome, call.answer, call.http_status) for call in told.events] == [
        ("registered", "ok", 200),
        (None, "transient", 503),
    ]
    assert told.events[0].request_id
    assert told.events[0].dag_run_id == "one"


def test_what_is_pending_is_found_beside_the_facts_and_what_a_plan_holds_is_not(rig: Rig) -> None:
    for number in range(4):
        rig.sandbox.put(BUCKET, f"films/{number}.mp4")
    night(rig, "films")
    for number in range(4, 7):
        rig.sandbox.put(BUCKET, f"films/{number}.mp4")
    run = prepare(
        store=rig.store,
        connection=rig.connection,
        migration=rig.migration("films", source={"prefixes": ["films/"]}),
        options=parse_options({}),
        origin=Origin(kind="airflow", dag_id="films_dag", dag_run_id="two", task_group=""),
    )
    rig.discover(run)
    plan(rig, rig.migration("planned", source={"prefixes": ["films/"]}))
    [line] = migrations_page(rig.store, readable=FILMS).lines
    assert (line.registered, line.pending) == (4, 3)
    everything = [f"films/{number}.mp4" for number in range(7)]
    assert keys(find_objects(rig.store, Search(), readable=EVERYTHING)) == everything
    assert find_objects(rig.store, Search(), readable=EVERYTHING).total == 7
    assert keys(find_objects(rig.store, read_search(state="pending"), readable=FILMS)) == everything[4:]
    waiting = object_history(rig.store, "default", BUCKET, "films/5.mp4", readable=FILMS)
    assert waiting is not None
    assert (waiting.line.state, waiting.line.migration, waiting.events) == ("pending", "films", ())
    assert waiting.region == rig.sandbox.region


def test_what_was_handed_over_is_found_in_a_bucket_on_which_its_owner_never_ran(rig: Rig) -> None:
    rig.sandbox.add_bucket("other-bucket")
    for bucket, name in ((BUCKET, "films"), ("other-bucket", "shows")):
        rig.sandbox.put(bucket, f"{name}.mp4")
        rig.run(rig.migration(name, source={"bucket": bucket}))
    assert rig.store.transfer("default", "films", "shows") == 1
    found = find_objects(rig.store, Search(migration="shows"), readable=EVERYTHING)
    assert (keys(found), found.total) == (["films.mp4", "shows.mp4"], 2)


def test_hostile_keys_are_found_shown_and_exported_as_they_are_and_start_no_formula(rig: Rig) -> None:
    for key in HOSTILE:
        rig.sandbox.put(BUCKET, key)
    rig.run()
    page = find_objects(rig.store, Search(), readable=EVERYTHING)
    assert keys(page) == sorted(HOSTILE)
    for key in HOSTILE:
        assert keys(find_objects(rig.store, read_search(f"oss://{BUCKET}/{key}"), readable=EVERYTHING)) == [key]
    [run] = runs_of_migration(rig.store, "default", "nightly", readable=EVERYTHING).lines
    for content in (
        b"".join(objects_csv(rig.store, Search(), readable=EVERYTHING)),
        b"".join(mapping_csv(rig.store, run.run_id)),
    ):
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        assert sorted(unguarded(row["key"]) for row in rows) == sorted(HOSTILE)
        assert not [cell for row in rows for cell in row.values() if cell[:1] in tuple("=+-@\t\r")]


def test_an_export_is_cut_at_its_bound_and_says_so(rig: Rig, films: Run) -> None:
    lines = b"".join(mapping_csv(rig.store, films.run_id, most=5)).decode("utf-8-sig").splitlines()
    assert len(lines) == 1 + 5 + 1
    assert lines[-1].startswith('"# cut after 5 rows; `vod-migrate report ')
    whole = b"".join(mapping_csv(rig.store, films.run_id, most=12)).decode("utf-8-sig").splitlines()
    assert len(whole) == 1 + 12
    failures = b"".join(failures_csv(rig.store, films.run_id)).decode("utf-8-sig").splitlines()
    assert len(failures) == 1 + 1
    found = b"".join(objects_csv(rig.store, read_search("films/"), readable=FILMS, most=3)).decode("utf-8-sig")
    assert found.splitlines()[-1] == '"# cut after 3 rows; narrow the search to get the others"'


def test_the_mapping_as_parquet_has_types_and_the_exact_texts(rig: Rig, films: Run) -> None:
    content = b"".join(mapping_parquet(rig.store, films.run_id))
    table = parquet.read_table(io.BytesIO(content))
    assert table.num_rows == 12
    first = table.slice(0, 1).to_pylist()[0]
    assert first["key"] == "films/00.mp4"
    assert first["new_register"] is True
    assert first["size"] == 40
    assert first["registered_at"].tzinfo is not None
    cut = parquet.read_metadata(io.BytesIO(b"".join(mapping_parquet(rig.store, films.run_id, most=5))))
    assert cut.num_rows == 5
    assert cut.metadata[b"vod_migrate.cut"] == b"after 5 rows"


@pytest.mark.parametrize(
    "name", ["scheduled__2026-11-21T17:00:00+00:00", '"\r\nx: y', "../../etc/passwd", "采访 🎬", "." * 300]
)
def test_a_download_has_a_name_that_no_header_and_no_file_system_can_be_fooled_with(name: str) -> None:
    header = attachment(name, "csv")
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert "/" not in header
    header.encode("latin-1")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"state": "lost"}, "state: 'lost' is not one of pending"),
        ({"state": "gone", "code": "X"}, "code: only failed objects"),
        ({"text": "a\x00b"}, "q: longer than"),
        ({"text": "x" * 3_000}, "q: longer than"),
        ({"text": "http://[::1"}, "is not a URL"),
    ],
)
def test_a_search_that_cannot_be_is_refused_by_name(values: dict[str, str], named: str) -> None:
    with pytest.raises(BadOption, match=named):
        read_search(values.pop("text", ""), **values)


@pytest.mark.parametrize(
    "token", ["", "x", "bnVsbA", "W10", "WzEsMiwzLDRd", "\ud800", "A" * 9_999, "WyIiLCIiLCIiLHRydWVd"]
)
def test_a_damaged_place_is_refused(token: str) -> None:
    with pytest.raises(BadOption, match="start again at the first page"):
        PageCursor.from_token(token)


def test_a_place_comes_back_from_its_token() -> None:
    place = PageCursor(migration="电影", account="default", bucket="b", key="films/\n🎬+%.mp4")
    assert PageCursor.from_token(place.token()) == place
    assert place.token().replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("prefix", "after"),
    [
        ("", None),
        ("a", "b"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff", None),
        ("\ud7ff", "\ue000"),
        ("采", "釈"),
    ],
)
def test_the_end_of_a_prefix_is_the_first_text_after_it(prefix: str, after: str | None) -> None:
    assert prefix_end(prefix) == (chr(ord("采") + 1) if prefix == "采" else after)
