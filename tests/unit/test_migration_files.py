"""What a migration file and a run's options may say: each mistake gives one sentence with the field, the value, the fix."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from vod_migrate.errors import BadMigrationFile, BadOption
from vod_migrate.migration.loader import load_migration, parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import Mode, parse_options
from vod_migrate.migration.source import MEDIA_EXTENSIONS

GOOD: dict[str, Any] = {
    "name": "nightly",
    "source": {"bucket": "media-archive"},
    "register": {"template_group_id": "VOD_NO_TRANSCODE"},
}
REGISTER = GOOD["register"]
NOTHING = object()


def migration(**content: Any) -> Migration:
    merged = {name: value for name, value in {**GOOD, **content}.items() if value is not NOTHING}
    return parse_migration(merged, origin="nightly.yaml")


MISTAKES = [
    # what is written, the field it is about, what the sentence must say
    ({"name": NOTHING}, "name", "required"),
    ({"name": "Nightly Run"}, "name", "Nightly Run"),
    ({"name": ""}, "name", "pattern"),
    ({"name": 2024}, "name", "2024"),
    ({"source": NOTHING}, "source", "required"),
    ({"source": None}, "source", "mapping"),
    ({"source": {}}, "source.bucket", "required"),
    ({"source": {"bucket": ""}}, "source.bucket", "''"),
    ({"source": {"bucket": "Media_Archive"}}, "source.bucket", "Media_Archive"),
    ({"source": {"bucket": "abc\n"}}, "source.bucket", "write abc"),
    ({"source": {"bucket": "abc", "prefix": "x"}}, "source.prefix", "did you mean 'prefixes'"),
    ({"source": {"bucket": "abc", "prefixes": "x/"}}, "source.prefixes", "must be a list"),
    ({"source": {"bucket": "abc", "prefixes": []}}, "source.prefixes", "at least 1"),
    ({"source": {"bucket": "abc", "prefixes": [7]}}, "source.prefixes.0", "7"),
    ({"source": {"bucket": "abc", "prefixes": ["{{ dat }}/"]}}, "source.prefixes", "did you mean 'date'"),
    ({"source": {"bucket": "abc", "prefixes": ["{{ date"]}}, "source.prefixes", "not a Jinja2 template"),
    ({"source": {"bucket": "abc", "manifest": "a.csv"}}, "source.manifest", "a.csv"),
    ({"source": {"bucket": "abc", "manifest": {}}}, "source.manifest.location", "required"),
    ({"source": {"bucket": "abc", "manifest": {"location": "a.txt"}}}, "source.manifest", "set `format`"),
    (
        {"source": {"bucket": "abc", "manifest": {"location": "s3://b/a.csv"}}},
        "source.manifest.location",
        "oss://BUCKET",
    ),
    ({"source": {"bucket": "abc", "manifest": {"location": "oss://abc"}}}, "source.manifest.location", "oss://BUCKET"),
    (
        {"source": {"bucket": "abc", "manifest": {"location": "{{ day }}.csv"}}},
        "source.manifest.location",
        "known: date",
    ),
    (
        {"source": {"bucket": "abc", "manifest": {"location": "a.csv", "format": "xml"}}},
        "source.manifest.format",
        "'csv', 'jsonl' or 'parquet'",
    ),
    (
        {"source": {"bucket": "abc", "manifest": {"location": "a.csv", "keycolumn": "k"}}},
        "source.manifest.keycolumn",
        "did you mean 'key_column'",
    ),
    (
        {"source": {"bucket": "abc", "manifest": {"location": "a.csv", "columns": {"titel": "T"}}}},
        "source.manifest.columns.titel",
        "did you mean 'title'",
    ),
    (
        {"source": {"bucket": "abc", "prefixes": ["a/"], "manifest": {"location": "a.csv"}}},
        "source",
        "both manifest and prefixes",
    ),
    (
        {"source": {"bucket": "abc", "inventory": {"manifest": "m"}, "manifest": {"location": "a.csv"}}},
        "source",
        "both manifest and inventory",
    ),
    ({"source": {"bucket": "abc", "inventory": {}}}, "source.inventory.manifest", "required"),
    (
        {"source": {"bucket": "abc", "inventory": {"manifest": "oss://x-y/m", "bucket": "abc"}}},
        "source.inventory",
        "keep one",
    ),
    (
        {"source": {"bucket": "abc", "inventory": {"manifest": "m", "buckets": "x"}}},
        "source.inventory.buckets",
        "did you",
    ),
    ({"select": {"include": "*.mp4"}}, "select.include", "must be a list"),
    ({"select": {"include": [""]}}, "select.include", "is empty"),
    ({"select": {"exclude": ["re:("]}}, "select.exclude", "not a regular expression"),
    ({"select": {"exclude": ["re:(a)\\1"]}}, "select.exclude", "too long for some keys"),
    ({"select": {"excludes": ["a"]}}, "select.excludes", "did you mean 'exclude'"),
    ({"select": {"hls": "segments"}}, "select.hls", "'playlists' or 'all'"),
    ({"select": {"archived": "restore"}}, "select.archived", "'skip', 'restored' or 'register'"),
    ({"select": {"modified_after": 20240101}}, "select.modified_after", "YYYY-MM-DD"),
    ({"select": {"modified_after": "yesterday"}}, "select.modified_after", "interval_start"),
    ({"select": {"modified_before": "interval"}}, "select.modified_before", "interval_end"),
    (
        {"select": {"modified_after": "2024-05-02", "modified_before": "2024-05-01"}},
        "select",
        "is not before modified_before",
    ),
    (
        {"select": {"modified_after": "interval_end", "modified_before": "interval_start"}},
        "select",
        "no object would be selected",
    ),
    ({"select": {"extensions": ["m3u"]}}, "select.extensions", "did you mean 'm3u8'"),
    ({"select": {"extensions": ["exe!"]}}, "select.extensions", "remove it"),
    ({"select": {"extensions": []}}, "select.extensions", "at least 1"),
    ({"select": {"min_size": -1}}, "select.min_size", "-1"),
    ({"select": {"min_size": "big"}}, "select.min_size", "big"),
    ({"select": {"min_size": True}}, "select.min_size", "yes or no"),
    ({"select": {"min_size": 10, "max_size": 9}}, "select", "below min_size"),
    ({"select": {"storage_classes": ["standard"]}}, "select.storage_classes", "known: Standard"),
    ({"describe": {"title": ""}}, "describe.title", "at least 1"),
    ({"describe": {"title": "{{ stem"}}, "describe.title", "not a Jinja2 template"),
    ({"describe": {"title": "{{ stems }}"}}, "describe.title", "did you mean 'stem'"),
    ({"describe": {"title": "{{ stem | shout }}"}}, "describe.title", "shout"),
    ({"describe": {"titel": "x"}}, "describe.titel", "did you mean 'title'"),
    ({"register": NOTHING}, "register", "required"),
    ({"register": {}}, "register", "choice of transcoding is missing"),
    ({"register": {"template_group_id": "a", "workflow_id": "b"}}, "register", "keep exactly one"),
    ({"register": {"template_group_id": ""}}, "register.template_group_id", "at least 1"),
    ({"register": {**REGISTER, "calls_per_second": 0}}, "register.calls_per_second", "greater than 0"),
    ({"register": {**REGISTER, "calls_per_second": float("nan")}}, "register.calls_per_second", "nan"),
    ({"register": {**REGISTER, "url_encoding": "utf-8"}}, "register.url_encoding", "'percent' or 'raw'"),
    ({"register": {**REGISTER, "max_request_bytes": 100}}, "register.max_request_bytes", "2048"),
    ({"register": {**REGISTER, "workers": 9}}, "register.workers", "8"),
    ({"register": {**REGISTER, "threads": 0}}, "register.threads", "1"),
    ({"register": {**REGISTER, "retry_failed": 1.5}}, "register.retry_failed", "1.5"),
    ({"stop_after": {"failure_rate": 0}}, "stop_after.failure_rate", "greater than 0"),
    ({"stop_after": {"failure_rate": 20}}, "stop_after.failure_rate", "20"),
    ({"stop_after": {"min_outcomes": 0}}, "stop_after.min_outcomes", "1"),
    ({"stop_after": {"failures": -1}}, "stop_after.failures", "0"),
    ({"pause_after": {"objects": 0}}, "pause_after.objects", "1"),
    ({"pause_after": {"calls": 2.5}}, "pause_after.calls", "2.5"),
    ({"pause_after": {"minutes": 0}}, "pause_after.minutes", "greater than 0"),
    ({"pause_after": {"minute": 3}}, "pause_after.minute", "did you mean 'minutes'"),
    ({"window": "1 to 7"}, "window", "HH:MM-HH:MM"),
    ({"window": "01:00-25:00"}, "window", "25:00"),
    ({"window": "07:00-07:00"}, "window", "omit it"),
    ({"window": 60}, "window", "in quotes"),
    ({"priority": 0}, "priority", "1"),
    ({"priority": 11}, "priority", "10"),
    ({"priority": "high"}, "priority", "high"),
    ({"schedule": "0 1 * *"}, "schedule", "five fields"),
    ({"schedule": ""}, "schedule", "five fields"),
    ({"timezone": "Asia/Shangai"}, "timezone", "Asia/Shanghai"),
    ({"timezone": "../../etc/passwd"}, "timezone", "not an IANA time zone"),
    ({"start_date": "yesterday"}, "start_date", "YYYY-MM-DD"),
    ({"start_date": 20240101}, "start_date", "YYYY-MM-DD"),
    ({"start_date": dt.datetime(2024, 1, 1, 5, tzinfo=dt.UTC)}, "start_date", "without a time"),
    ({"connection": ""}, "connection", "at least 1"),
    ({"shedule": "0 1 * * *"}, "shedule", "did you mean 'schedule'"),
    ({1: 2}, "1", "Keys should be strings"),
]


@pytest.mark.parametrize(("content", "field", "says"), MISTAKES)
def test_a_mistake_in_a_migration_file_is_one_sentence_with_field_and_fix(
    content: dict[Any, Any], field: str, says: str
) -> None:
    written = {name: value for name, value in {**GOOD, **content}.items() if value is not NOTHING}
    with pytest.raises(BadMigrationFile) as caught:
        parse_migration(written, origin="nightly.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith(f"{field}: ")
    assert says in problem
    assert "\n" not in problem
    assert str(caught.value).startswith("nightly.yaml: ")


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    with pytest.raises(BadMigrationFile) as caught:
        migration(name="A", timezone="Mars", register={})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["name", "register", "timezone"]


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "must be a mapping", id="an empty file"),
        pytest.param("- a\n", "must be a mapping", id="a list"),
        pytest.param("name: [a\n", "is not YAML", id="a bracket that is not closed"),
        pytest.param("name: {{ x }}\n", "is not YAML", id="a template without quotes"),
        pytest.param("name: !!python/object:os.system x\n", "is not YAML", id="a tag that would run code"),
        pytest.param("name: a\nstart_date: 2024-02-30\n", "cannot be read", id="a day that is not in the calendar"),
        pytest.param("a: " + "[" * 3_000, "cannot be read", id="nested without end"),
        pytest.param("a: &a [x]\nb: *a\n", r"uses the alias \*a", id="an alias"),
        pytest.param(BOMB, r"uses the alias \*a0", id="aliases that expand to 9^50 values"),
        pytest.param("a: " + "x" * 300_000, "more than the 262,144 bytes", id="a file beyond all measure"),
        pytest.param("name: a\nsource: {}\nname: b\n", "written twice", id="a setting that is written twice"),
        pytest.param("source: {bucket: abc, bucket: abd}\n", "written twice", id="the same further in"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_fault(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadMigrationFile, match=says) as caught:
        load_migration(path)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_missing_a_folder_or_no_utf_8_is_named_with_its_fault(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: Köln\n".encode("latin-1"))
    for path, says in [(tmp_path / "none.yaml", "No such file"), (tmp_path, "directory"), (latin, "save it as UTF-8")]:
        with pytest.raises(BadMigrationFile, match=says):
            load_migration(path)


def test_an_error_text_is_cut_whatever_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    for text in ("name: " + "x" * 200_000, f"{'y' * 1_000}: 1", "[" * 100_000, "name: [" + "a, " * 50_000 + "]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(BadMigrationFile) as caught:
            load_migration(path)
        assert len(str(caught.value)) < 3_000


def test_a_relative_manifest_lies_beside_its_migration_file(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    for origin in ("manifest: {location: lists/a.csv}", "inventory: {manifest: lists/a.csv}"):
        path.write_text(
            f"name: a\nsource: {{bucket: abc, {origin}}}\nregister: {{template_group_id: x}}\n", encoding="utf-8"
        )
        assert load_migration(path).source.location == str(tmp_path / "lists/a.csv")


def test_a_resolved_file_reads_back_as_the_same_migration_with_the_same_digest() -> None:
    first = migration(
        source={"bucket": "abc", "prefixes": ["a/{{ date }}/"]},
        select={"extensions": [".MP4", "mov"], "max_size": 9},
        start_date=dt.date(2024, 1, 1),
        schedule="0 1 * * *",
    )
    again = Migration.model_validate(first.resolved())
    assert (again, again.digest()) == (first, first.digest())
    assert first.select.extensions == ("mp4", "mov")
    assert migration().digest() != first.digest()


def test_what_is_left_out_has_its_documented_default() -> None:
    plain = migration()
    assert plain.select.extensions == MEDIA_EXTENSIONS
    assert (plain.select.min_size, plain.select.storage_classes) == (1, ("Standard", "IA"))
    assert (plain.source.prefixes, plain.timezone, plain.dag_id) == (("",), "Asia/Shanghai", "vod_backfill__nightly")
    assert plain.zone.key == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("options", "field", "says"),
    [
        ({"mode": "everything"}, "mode", "'new', 'failed' or 'all'"),
        ({"prefixes": "a/"}, "prefixes", "must be a list"),
        ({"prefixes": ["{{ day }}"]}, "prefixes", "known: date"),
        ({"limit": 0}, "limit", "1"),
        ({"limit": "many"}, "limit", "many"),
        ({"limit": True}, "limit", "yes or no"),
        ({"modified_since": "last week"}, "modified_since", "last week"),
        ({"modified_since": "20240101"}, "modified_since", "YYYY-MM-DD"),
        ({"date": "1.2.2024"}, "date", "1.2.2024"),
        ({"date": "20240101"}, "date", "YYYY-MM-DD"),
        ({"date": "2024-02-30"}, "date", "YYYY-MM-DD"),
        ({"calls_per_second": -1}, "calls_per_second", "-1"),
        ({"dates": "2024-01-01"}, "dates", "did you mean 'date'"),
        ({"verbosity": 1}, "verbosity", "known here: mode"),
    ],
)
def test_a_mistake_in_the_options_is_one_sentence_with_option_and_fix(
    options: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(BadOption) as caught:
        parse_options(options)
    assert str(caught.value).startswith(f"{field}")
    assert says in str(caught.value)


def test_untouched_fields_of_a_form_are_options_not_given() -> None:
    assert parse_options({"mode": "", "limit": None, "prefixes": [], "date": ""}).stored() == {}


def test_stored_options_read_back_as_the_same_options() -> None:
    given = parse_options(
        {"mode": "all", "limit": "5", "prefixes": ["a/"], "modified_since": "2024-01-01", "date": "2024-02-29"}
    )
    assert given.mode is Mode.ALL
    assert given.modified_since == dt.datetime(2024, 1, 1)  # noqa: DTZ001 - without an offset on purpose
    assert parse_options(given.stored()) == given
