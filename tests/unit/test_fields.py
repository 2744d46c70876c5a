"""Each field of RegisterMetadata at its documented limit, one over it, and under each policy."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from vod_migrate.describe.describer import Describer
from vod_migrate.describe.metadata import metadata
from vod_migrate.describe.rendering import CODES, Draft
from vod_migrate.errors import BadMigrationFile
from vod_migrate.media import Description, Entry, MediaObject, Rejected
from vod_migrate.migration.loader import parse_migration
from vod_migrate.report.diagnosis import diagnose

HOST = "media-archive.oss-cn-shanghai.aliyuncs.com"
FAIL = {"title": "fail", "description": "fail", "tags": "fail", "cover_url": "fail"}
DROP = {"description": "drop", "tags": "drop", "cover_url": "drop", "category": "drop", "reference_id": "drop"}
EMOJI = "\U0001f600"


def describer(register: dict[str, Any] | None = None, **describe: Any) -> Describer:
    content = {
        "name": "nightly",
        "source": {"bucket": "media-archive"},
        "describe": describe,
        "register": {"template_group_id": "x", **(register or {})},
    }
    return Describer(parse_migration(content, origin="test"), storage_address=HOST)


def stored(key: str) -> MediaObject:
    return MediaObject(
        bucket="media-archive", key=key, size=5, etag="E", last_modified=dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    )


def sketched(key: str = "a/b.mp4", row: dict[str, Any] | None = None, **describe: Any) -> Draft | Rejected:
    return describer(**describe).sketch(dataclasses.replace(stored(key), row=row or {}))


def good(key: str = "a/b.mp4", row: dict[str, Any] | None = None, **describe: Any) -> Draft:
    sketch = sketched(key, row, **describe)
    assert isinstance(sketch, Draft), sketch
    return sketch


def code(key: str = "a/b.mp4", row: dict[str, Any] | None = None, **describe: Any) -> str:
    refusal = sketched(key, row, **describe)
    assert isinstance(refusal, Rejected), refusal
    return refusal.code


LIMITS = [
    # field, value at its limit, one over, the code; a character of three bytes at the edge
    ("title", "x" * 128, "x" * 129, "title_too_long"),
    ("title", "节" * 42 + "xx", "节" * 43, "title_too_long"),
    ("description", "x" * 1024, "x" * 1025, "description_too_long"),
    ("description", "节" * 341 + "x", "节" * 341 + "xx", "description_too_long"),
    ("tags", "x" * 32, "x" * 33, "tag_too_long"),
    ("tags", "节" * 10 + "xx", "节" * 11, "tag_too_long"),
    ("tags", ",".join(f"tag{n}" for n in range(16)), ",".join(f"tag{n}" for n in range(17)), "too_many_tags"),
    ("cover_url", "https://a.com/" + "x" * 1010, "https://a.com/" + "x" * 1011, "cover_url_too_long"),
    ("category", "节" * 21 + "x", "节" * 21 + "xx", "category_name_too_long"),
    ("category", "a/b/c", "a/b/c/d", "category_too_deep"),
    ("category", "a/b", "a//b", "bad_category"),
    ("cate_id", str(2**63 - 1), str(2**63), "bad_cate_id"),
    ("cate_id", "1", "1.5", "bad_cate_id"),
    ("reference_id", "A-_z09", "A-_z0", "bad_reference_id"),
    ("reference_id", "x" * 64, "x" * 65, "bad_reference_id"),
    ("reference_id", "abcdef", "abcde ü", "bad_reference_id"),
    ("title", "plain", f"a{EMOJI}", "title_emoji"),
    ("description", "plain", f"a{EMOJI}", "description_emoji"),
    ("tags", "plain", f"a{EMOJI}", "tag_emoji"),
    ("cover_url", "covers/a.jpg", "https://", "bad_cover_url"),
    ("cover_url", "http://a.com/b c".replace(" ", "%20"), "http://a.com/b c", "bad_cover_url"),
    ("cover_url", "http://a.com/b", "ftp://a.com/b", "bad_cover_url"),
]


@pytest.mark.parametrize(("field", "at_limit", "one_over", "refused"), LIMITS)
def test_a_value_at_its_limit_is_sent_whole_and_one_over_is_refused_by_name(
    field: str, at_limit: str, one_over: str, refused: str
) -> None:
    template: Any = "{{ row.value }}"
    rules = {field: [template] if field == "tags" else template, "policies": FAIL}
    kept = good(row={"value": at_limit}, **rules)
    assert not kept.notes
    assert code(row={"value": one_over}, **rules) == refused


@pytest.mark.parametrize(("field", "at_limit", "one_over", "refused"), LIMITS)
def test_what_is_over_a_limit_is_left_out_and_noted_where_the_policy_is_to_drop(
    field: str, at_limit: str, one_over: str, refused: str
) -> None:
    assert refused != at_limit
    if field == "title":
        return
    template: Any = "{{ row.value }}"
    sketch = good(row={"value": one_over}, **{field: [template] if field == "tags" else template, "policies": DROP})
    assert {note.field for note in sketch.notes} == {field}
    described = sketch.description
    left = {
        "description": described.description,
        "tags": described.tags if refused != "too_many_tags" else None,
        "cover_url": described.cover_url,
        "category": sketch.category,
        "cate_id": described.cate_id,
        "reference_id": described.reference_id,
    }
    assert not left[field]


@pytest.mark.parametrize(
    ("rules", "sent", "note"),
    [
        ({"title": "x" * 140}, {"Title": "x" * 128}, "title: cut from 140 to 128 bytes"),
        ({"title": f"a {EMOJI} b"}, {"Title": "a  b"}, "title: emoji removed: U+1F600"),
        ({"description": "节" * 400}, {"Description": "节" * 341}, "description: cut from 1,200 to 1,023 bytes"),
        ({"tags": ["{{ 'y' ~ name }}", "x, z,,x"]}, {"Tags": "yb.mp4,x,z"}, None),
        (
            {"tags": ["{{ row.long }}", "ok"], "policies": {"tags": "cut"}},
            {"Tags": "l" * 32 + ",ok"},
            "tags: " + repr("l" * 40) + ": cut from 40 to 32 bytes",
        ),
        ({"description": "a\nb\tc"}, {"Description": "a\nb c"}, None),
        ({"description": ""}, {}, None),
        ({"cover_url": "covers/ü {{ stem }}.jpg"}, {"CoverURL": f"https://{HOST}/covers/%C3%BC%20b.jpg"}, None),
        ({"cate_id": 77}, {"CateId": 77}, None),
        ({"reference_id": "{{ row.none | default('') }}"}, {}, None),
    ],
)
def test_a_field_reads_as_its_template_and_its_policy_say(
    rules: dict[str, Any], sent: dict[str, Any], note: str | None
) -> None:
    sketch = good(row={"long": "l" * 40}, **rules)
    fields = metadata(Entry(key="k", file_url=sketch.file_url, description=sketch.description))
    assert fields == {"FileURL": f"https://{HOST}/a/b.mp4", "Title": "b", **sent}
    assert [f"{n.field}: {n.text}" for n in sketch.notes] == ([note] if note else [])


def of_manifest(row: dict[str, Any], columns: dict[str, str], **describe: Any) -> Draft | Rejected:
    content = {
        "name": "nightly",
        "source": {"bucket": "media-archive", "manifest": {"location": "/lists/a.csv", "columns": columns}},
        "describe": describe,
        "register": {"template_group_id": "x"},
    }
    found = dataclasses.replace(stored("a/b.mp4"), last_modified=None, size=None, row=row)
    return Describer(parse_migration(content, origin="test"), storage_address=HOST).sketch(found)


COLUMNS = {name: name.upper() for name in ("title", "description", "tags", "cover_url", "cate_id", "reference_id")}


def test_each_field_that_a_manifest_has_a_column_for_is_taken_from_it_before_any_template_or_rule() -> None:
    row = {
        "title": "{{ no template }}",
        "description": "told",
        "tags": "a, b",
        "cover_url": "https://a.com/c.jpg",
        "cate_id": 7,
        "reference_id": "row-0001",
    }
    templates = {**dict.fromkeys(row, "{{ key }}"), "tags": ["{{ key }}"]}
    sketch = of_manifest(row, COLUMNS, **templates, rules=[{"prefix": "a/", "title": "ruled", "category": "X"}])
    assert isinstance(sketch, Draft)
    assert sketch.description == Description(
        title="{{ no template }}",
        description="told",
        tags=("a", "b"),
        cover_url="https://a.com/c.jpg",
        cate_id=7,
        reference_id="row-0001",
    )
    assert sketch.category == ()


def test_an_empty_cell_leaves_its_field_to_the_template() -> None:
    row = {"title": " ", "description": None, "tags": []}
    sketch = of_manifest(row, COLUMNS, title="{{ stem }}", description="{{ name }}", tags=["{{ folder }}"])
    assert isinstance(sketch, Draft)
    assert sketch.description == Description(title="b", description="b.mp4", tags=("a",))


def test_a_category_column_wins_over_a_number_and_keeps_to_the_limits() -> None:
    sketch = of_manifest({"category": "Shows/北京"}, {"category": "c"}, cate_id=7)
    assert isinstance(sketch, Draft)
    assert (sketch.category, sketch.description.cate_id) == (("Shows", "北京"), None)
    refusal = of_manifest({"category": "a/b/c/d"}, {"category": "c"})
    assert isinstance(refusal, Rejected)
    assert refusal.code == "category_too_deep"


def test_columns_for_both_kinds_of_category_are_refused() -> None:
    with pytest.raises(BadMigrationFile, match=r"source.manifest.columns: both category \(a\) and cate_id \(b\)"):
        of_manifest({}, {"category": "a", "cate_id": "b"})


def test_a_derived_reference_follows_from_bucket_and_key_alone() -> None:
    first, again = (good(key, reference_id={"derive": True}).description.reference_id for key in ("a.mp4", "a.mp4"))
    other = good("b.mp4", reference_id={"derive": True}).description.reference_id
    assert first == again != other
    assert re.fullmatch(r"vm-[a-z2-7]{52}", str(first))


def test_the_first_rule_that_fits_counts_and_inherits_what_it_does_not_say() -> None:
    rules = {
        "title": "top {{ stem }}",
        "tags": ["top"],
        "category": "Top",
        "pattern": r"(?P<show>[^/]+)/",
        "rules": [
            {"prefix": "trailers/x/", "title": "X {{ stem }}", "tags": [], "cate_id": 5},
            {"match": r"trailers/(?P<film>[^/]+)/", "title": "{{ match.film }} of {{ match.show }}"},
            {"prefix": "t", "category": ""},
        ],
    }
    first = good("trailers/x/a.mp4", **rules)
    assert (first.description.title, first.description.tags) == ("X a", ())
    assert (first.category, first.description.cate_id, first.rule) == ((), 5, "prefix 'trailers/x/'")
    second = good("trailers/y/a.mp4", **rules)
    assert (second.description.title, second.description.tags) == ("y of trailers", ("top",))
    assert second.category == ("Top",)
    third = good("t.mp4", **rules)
    assert (third.description.title, third.category, third.rule) == ("top t", (), "prefix 't'")
    assert good("other/a.mp4", **rules).rule is None


def test_a_group_of_a_pattern_that_the_key_does_not_match_is_told_as_such() -> None:
    refusal = sketched("a.mp4", pattern="(?P<show>[^/]+)/", title="{{ match.show }}")
    assert isinstance(refusal, Rejected)
    assert refusal.code == "title_template"
    assert "does not match describe.pattern" in refusal.message


def test_a_title_that_comes_out_empty_is_refused_only_under_the_policy_fail() -> None:
    assert good("a.mp4", title="{{ folder }}").description.title == "a"
    assert code("a.mp4", title="{{ folder }}", policies={"title": "fail"}) == "title_empty"


@pytest.mark.parametrize("field", ["title", "description", "tags", "cover_url", "category", "cate_id", "reference_id"])
def test_a_template_that_fails_refuses_the_object_or_drops_the_field(field: str) -> None:
    template: Any = "{{ folders[7] }}"
    rules = {field: [template] if field == "tags" else template}
    strict = {**FAIL, "category": "fail", "reference_id": "fail"}
    assert code(**rules, policies=strict) == f"{field}_template"
    if field != "title":
        assert [note.field for note in good(**rules, policies=DROP).notes] == [field]


def test_every_code_of_a_refusal_is_explained_with_a_fix() -> None:
    for known in CODES:
        explained = diagnose(known)
        assert "no explanation" not in explained.meaning, known
        assert "run with mode failed" in explained.fix, known


ANYTHING = some.text(max_size=200) | some.sampled_from(["", " ", "/", "a/b/c/d", EMOJI * 50, "\ud800", "节" * 500])
POLICIES = some.fixed_dictionaries(
    {},
    optional={
        "title": some.sampled_from(["cut", "fail"]),
        "description": some.sampled_from(["cut", "drop", "fail"]),
        "tags": some.sampled_from(["cut", "drop", "fail"]),
        "cover_url": some.sampled_from(["drop", "fail"]),
        "category": some.sampled_from(["drop", "fail"]),
        "reference_id": some.sampled_from(["drop", "fail"]),
    },
)
KEYS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=300)


@settings(deadline=None)
@given(KEYS, some.lists(ANYTHING, min_size=6, max_size=6), POLICIES)
def test_any_key_and_any_metadata_give_a_request_within_every_limit_or_a_named_refusal(
    key: str, values: list[str], policies: dict[str, str]
) -> None:
    row = dict(zip(("title", "description", "tags", "cover", "category", "reference"), values, strict=True))
    sketch = sketched(
        key,
        row,
        title="{{ row.title }}",
        description="{{ row.description }}",
        tags=["{{ row.tags }}", "{{ row.title }}"],
        cover_url="{{ row.cover }}",
        category="{{ row.category }}",
        reference_id="{{ row.reference }}",
        policies=policies,
    )
    if isinstance(sketch, Rejected):
        assert sketch.code in CODES
        assert sketch.message
        return
    entry = Entry(key=key, file_url=sketch.file_url, description=sketch.description)
    sent = metadata(entry)
    json.dumps(sent, ensure_ascii=False).encode()
    assert 1 <= len(sent["Title"].encode()) <= 128
    assert len(sent.get("Description", "").encode()) <= 1024
    assert len(sent["FileURL"].encode()) <= 1024
    assert len(sent.get("CoverURL", "").encode()) <= 1024
    tags = sent.get("Tags", "x").split(",")
    assert 1 <= len(tags) <= 16
    assert all(1 <= len(tag.encode()) <= 32 for tag in tags)
    assert re.fullmatch(r"[A-Za-z0-9_-]{6,64}", sent.get("ReferenceId", "abcdef"))
    assert len(sketch.category) <= 3
    assert all(1 <= len(name.encode()) <= 64 for name in sketch.category)
    assert EMOJI not in json.dumps([sent["Title"], sent.get("Description"), sent.get("Tags")], ensure_ascii=False)
