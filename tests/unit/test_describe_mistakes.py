"""What may be wrong under `describe` and `register`: each mistake is one sentence with the field, the reason and the fix."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration


def parsed(describe: dict[str, Any], register: dict[str, Any] | None = None) -> Migration:
    return parse_migration(
        {
            "name": "nightly",
            "source": {"bucket": "media-archive"},
            "describe": describe,
            "register": {"template_group_id": "VOD_NO_TRANSCODE", **(register or {})},
        },
        origin="nightly.yaml",
    )


HTTP = {"CallbackType": "http", "CallbackURL": "https://media.example.com/vod"}

DESCRIBE = [
    # what is written, the field it is about, what the sentence must say
    ({"titel": "x"}, "describe.titel", "did you mean 'title'"),
    ({"tag": ["x"]}, "describe.tag", "did you mean 'tags'"),
    ({"title": None}, "describe.title", "must be text"),
    ({"title": ["{{ stem }}"]}, "describe.title", "must be text"),
    ({"title": "{{ stems }}"}, "describe.title", "did you mean 'stem'"),
    ({"title": "{{ stem"}, "describe.title", "not a Jinja2 template"),
    ({"title": "{% for a in folders %}x"}, "describe.title", "not a Jinja2 template"),
    ({"description": "{% include '/etc/passwd' %}"}, "describe.description", "not allowed in templates"),
    ({"description": "{{ 9 ** 9 ** 9 }}"}, "describe.description", "'pow'"),
    ({"description": "{{ key | shout }}"}, "describe.description", "No filter named 'shout'"),
    ({"description": "x" * 5000}, "describe.description", "at most 4,096"),
    ({"tags": "a, b"}, "describe.tags", "must be a list"),
    ({"tags": [f"tag{n}" for n in range(17)]}, "describe.tags", "at most 16"),
    ({"tags": ["x" * 33]}, "describe.tags", "33 bytes; VOD allows 32"),
    ({"tags": ["{{ folde }}"]}, "describe.tags", "did you mean 'folder"),
    ({"cover_url": "{{ stm }}.jpg"}, "describe.cover_url", "did you mean 'stem'"),
    ({"cover_url": True}, "describe.cover_url", "yes or no"),
    ({"cover_if_exists": True}, "describe", "no cover_url is set"),
    ({"cover_url": "{{ stem }}.jpg", "cover_if_exists": "yes"}, "describe.cover_if_exists", "must be true or false"),
    ({"category": "a/b/c/d"}, "describe.category", "4 levels; VOD allows 3"),
    ({"category": "a//b"}, "describe.category", "level without a name"),
    ({"category": "节" * 22}, "describe.category", "66 bytes; VOD allows 64"),
    ({"category": "Shows", "cate_id": 7}, "describe", "keep one"),
    ({"cate_id": "Shows"}, "describe.cate_id", "whole number"),
    ({"cate_id": -1}, "describe.cate_id", "whole number"),
    ({"cate_id": True}, "describe.cate_id", "yes or no"),
    ({"categories": "make"}, "describe.categories", "'require' or 'create'"),
    ({"reference_id": "same-for-all"}, "describe.reference_id", "is the same for every object"),
    ({"reference_id": {"derived": True}}, "describe.reference_id", "{derive: true}"),
    ({"reference_id": {"derive": False}}, "describe.reference_id", "{derive: true}"),
    ({"policies": {"title": "drop"}}, "describe.policies.title", "'cut' or 'fail'"),
    ({"policies": {"cover_url": "cut"}}, "describe.policies.cover_url", "'drop' or 'fail'"),
    ({"policies": {"titel": "cut"}}, "describe.policies.titel", "did you mean 'title'"),
    ({"policies": "cut"}, "describe.policies", "must be a mapping"),
    ({"pattern": "(?P<show>"}, "describe.pattern", "not a regular expression"),
    ({"pattern": "[^/]+/"}, "describe.pattern", "has no named group"),
    ({"pattern": "(?P<a>x+)(?=y)"}, "describe.pattern", "too long for some keys"),
    ({"title": "{{ match.show }}"}, "describe", "no group 'show'"),
    (
        {"pattern": "(?P<show>[^/]+)/", "title": "{{ match.shows }}"},
        "describe",
        "title uses match.shows",
    ),
    ({"rules": {"prefix": "a/", "title": "x"}}, "describe.rules", "must be a list"),
    ({"rules": [{"title": "x"}]}, "describe.rules.0", "exactly one of prefix and match"),
    ({"rules": [{"prefix": "a", "match": "b", "title": "x"}]}, "describe.rules.0", "exactly one of prefix and match"),
    ({"rules": [{"prefix": "a/"}]}, "describe.rules.0", "sets nothing for its keys"),
    ({"rules": [{"prefix": "", "title": "x"}]}, "describe.rules.0.prefix", "at least 1"),
    ({"rules": [{"prefx": "a/", "prefix": "a", "title": "x"}]}, "describe.rules.0.prefx", "did you mean 'prefix'"),
    ({"rules": [{"match": "(", "title": "x"}]}, "describe.rules.0.match", "not a regular expression"),
    ({"rules": [{"match": r"(.)\1", "title": "x"}]}, "describe.rules.0.match", "too long"),
    ({"rules": [{"prefix": "a/", "title": "{{ stm }}"}]}, "describe.rules.0.title", "did you mean 'stem'"),
    ({"rules": [{"prefix": "a/", "title": "{{ match.x }}"}]}, "describe", "rules.0.title uses match.x"),
    (
        {"rules": [{"prefix": "a/", "title": "x"}, {"prefix": "a/b/", "title": "y"}]},
        "describe",
        "never applies",
    ),
]

REGISTER = [
    ({"user_data": "no JSON"}, "register.user_data", "is not JSON"),
    ({"user_data": "[1]"}, "register.user_data", "must be a JSON object"),
    ({"user_data": {}}, "register.user_data", "give it MessageCallback or Extend"),
    ({"user_data": {"Extended": {}}}, "register.user_data.Extended", "did you mean 'Extend'"),
    ({"user_data": {"Extend": "x"}}, "register.user_data.Extend", "must be a mapping"),
    ({"user_data": {"Extend": {"a": "x" * 505}}}, "register.user_data.Extend", "513 bytes as JSON; VOD allows 512"),
    ({"user_data": {"Extend": {"a": "节" * 169}}}, "register.user_data.Extend", "515 bytes"),
    ({"user_data": {"Extend": {"day": dt.date(2024, 1, 1)}}}, "register.user_data.Extend", "put it in quotes"),
    ({"user_data": {"MessageCallback": {}}}, "register.user_data.MessageCallback", "CallbackURL is missing"),
    (
        {"user_data": {"MessageCallback": {**HTTP, "CallbackType": "ftp"}}},
        "register.user_data.MessageCallback.CallbackType",
        "'http' or 'mns'",
    ),
    (
        {"user_data": {"MessageCallback": {"CallbackURL": "media.example.com"}}},
        "register.user_data.MessageCallback.CallbackURL",
        "is not a URL",
    ),
    (
        {"user_data": {"MessageCallback": {"CallbackURL": "https://a.com/" + "x" * 243}}},
        "register.user_data.MessageCallback.CallbackURL",
        "257 bytes; VOD allows 256",
    ),
    (
        {"user_data": {"MessageCallback": {"CallbackType": "mns", "MnsEndpoint": "https://1.mns.cn-x.aliyuncs.com"}}},
        "register.user_data.MessageCallback",
        "needs both",
    ),
    (
        {"user_data": {"MessageCallback": {**HTTP, "CallbackUrl": "x"}}},
        "register.user_data.MessageCallback.CallbackUrl",
        "did you mean 'CallbackURL'",
    ),
    ({"enable_first_frame_cover": "on"}, "register.enable_first_frame_cover", "must be true or false"),
    ({"generate_thumbnail": 1}, "register.generate_thumbnail", "must be true or false"),
    ({"generate_thumbnails": True}, "register.generate_thumbnails", "did you mean 'generate_thumbnail'"),
    ({"workflow_id": "w"}, "register", "keep exactly one"),
    ({"threads": True}, "register.threads", "yes or no"),
]

MISTAKES = [({"describe": part}, *rest) for part, *rest in DESCRIBE] + [
    ({"describe": {}, "register": part}, *rest) for part, *rest in REGISTER
]


@pytest.mark.parametrize(("content", "field", "says"), MISTAKES)
def test_a_mistake_in_descriptions_or_registration_is_one_sentence_with_field_and_fix(
    content: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(BadMigrationFile) as caught:
        parsed(**content)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{field}: ")
    assert says in problem
    assert "\n" not in problem


def test_there_are_mistakes_enough_in_the_table() -> None:
    assert len(DESCRIBE) + len(REGISTER) >= 35


def test_a_full_description_reads_back_as_the_same_migration_with_the_same_digest() -> None:
    full = parsed(
        {
            "pattern": "(?P<show>[^/]+)/",
            "title": "{{ match.show | default('none') }} {{ row.title | default('') }}",
            "tags": ["{{ folder }}", "archive"],
            "cover_url": "covers/{{ stem }}.jpg",
            "cover_if_exists": True,
            "cate_id": 5,
            "reference_id": {"derive": True},
            "rules": [
                {"prefix": "x/", "category": "A/{{ folder }}"},
                {"match": "y/(?P<z>.)", "title": "{{ match.z }}"},
            ],
            "policies": {"tags": "cut"},
        },
        {
            "user_data": {"MessageCallback": HTTP, "Extend": {"a": None, "ü": [1]}},
            "enable_first_frame_cover": False,
            "generate_thumbnail": True,
        },
    )
    again = Migration.model_validate(json.loads(json.dumps(full.resolved())))
    assert (again, again.digest()) == (full, full.digest())


def test_user_data_may_be_written_as_a_mapping_or_as_the_text_that_is_sent() -> None:
    mapping = {"MessageCallback": HTTP, "Extend": {"a": None, "ü": "x"}}
    for written in (mapping, json.dumps(mapping)):
        user_data = parsed({}, {"user_data": written}).register_.user_data
        assert user_data is not None
        assert json.loads(user_data.as_json()) == mapping


def test_extend_of_512_bytes_is_taken() -> None:
    user_data = parsed({}, {"user_data": {"Extend": {"a": "x" * 504}}}).register_.user_data
    assert user_data is not None
    assert len(json.dumps(user_data.extend, separators=(",", ":"))) == 512
