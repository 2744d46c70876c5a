from __future__ import annotations

import oss2
import pytest
from sdk_clients import BUCKET, v4_bucket

from vod_migrate.sandbox.pytest_plugin import Sandbox

KEYS = sorted(
    [
        "a.mp4",
        "a/",
        "a/1.mp4",
        "a/2.mp4",
        "a/b/3.mp4",
        "b+c %41?.mp4",
        "c&d=e;f#.mp4",
        "z/中文 🎬.mp4",
        "é.mp4",
        "全.mp4",
    ],
    key=str.encode,
)


@pytest.fixture
def filled(sandbox: Sandbox, bucket: oss2.Bucket) -> oss2.Bucket:
    for key in KEYS:
        sandbox.put(BUCKET, key)
    return bucket


def keys_of(result: oss2.models.ListObjectsV2Result) -> list[str]:
    return [found.key for found in result.object_list]


def test_keys_come_in_utf8_byte_order(filled: oss2.Bucket) -> None:
    assert keys_of(filled.list_objects_v2(max_keys=1000)) == KEYS


@pytest.mark.parametrize("max_keys", [1, 2, 3, 7, 1000])
def test_pages_of_any_size_add_up_to_the_whole(filled: oss2.Bucket, max_keys: int) -> None:
    assert [found.key for found in oss2.ObjectIteratorV2(filled, max_keys=max_keys)] == KEYS
    assert [found.key for found in oss2.ObjectIterator(filled, max_keys=max_keys)] == KEYS


@pytest.mark.parametrize("max_keys", [1, 2, 1000])
@pytest.mark.parametrize("iterate", [oss2.ObjectIterator, oss2.ObjectIteratorV2])
def test_a_delimiter_rolls_folders_up_in_both_versions(filled: oss2.Bucket, iterate: type, max_keys: int) -> None:
    found = [(entry.key, entry.is_prefix()) for entry in iterate(filled, delimiter="/", max_keys=max_keys)]
    assert sorted(found, key=lambda row: row[0].encode()) == [
        ("a.mp4", False),
        ("a/", True),
        ("b+c %41?.mp4", False),
        ("c&d=e;f#.mp4", False),
        ("z/", True),
        ("é.mp4", False),
        ("全.mp4", False),
    ]


def test_a_prefix_with_a_delimiter_shows_one_level(filled: oss2.Bucket) -> None:
    found = filled.list_objects_v2(prefix="a/", delimiter="/")
    assert keys_of(found) == ["a/", "a/1.mp4", "a/2.mp4"]
    assert found.prefix_list == ["a/b/"]


def test_start_after_is_exclusive_and_beats_nothing_else(filled: oss2.Bucket) -> None:
    assert keys_of(filled.list_objects_v2(start_after="a/2.mp4", max_keys=2)) == ["a/b/3.mp4", "b+c %41?.mp4"]
    assert keys_of(filled.list_objects_v2(prefix="a/", start_after="a/1.mp4")) == ["a/2.mp4", "a/b/3.mp4"]
    assert keys_of(filled.list_objects_v2(start_after="全.mp4")) == []


def test_the_owner_comes_only_when_it_is_asked_for(filled: oss2.Bucket) -> None:
    assert filled.list_objects_v2().object_list[0].owner is None
    assert filled.list_objects_v2(fetch_owner=True).object_list[0].owner.id == "1000000000000001"


def test_a_hundred_keys_is_the_default_page(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, 101)
    text = bucket._do("GET", BUCKET, "", params={"list-type": "2"}).read()
    assert text.count(b"<Contents>") == 100
    assert b"<IsTruncated>true</IsTruncated>" in text


def test_the_wire_form_has_no_namespace_and_encodes_keys(filled: oss2.Bucket) -> None:
    response = filled._do("GET", BUCKET, "", params={"list-type": "2", "encoding-type": "url", "prefix": "b"})
    text = response.read().decode()
    assert "xmlns" not in text
    assert "<Key>b%2Bc%20%2541%3F.mp4</Key>" in text
    assert "<KeyCount>1</KeyCount>" in text
    assert response.headers["x-oss-request-id"]


def test_without_encoding_type_keys_are_escaped_as_xml(filled: oss2.Bucket) -> None:
    text = filled._do("GET", BUCKET, "", params={"list-type": "2", "prefix": "c"}).read().decode()
    assert "<Key>c&amp;d=e;f#.mp4</Key>" in text
    assert "<EncodingType>" not in text


@pytest.mark.parametrize(
    ("parameters", "argument"),
    [
        pytest.param({"max-keys": "1001"}, "max-keys", id="more than a page"),
        pytest.param({"max-keys": "0"}, "max-keys", id="an empty page"),
        pytest.param({"max-keys": "ten"}, "max-keys", id="no number"),
        pytest.param({"encoding-type": "base64"}, "encoding-type", id="unknown encoding"),
        pytest.param({"continuation-token": "bm9uc2Vuc2U="}, "continuation-token", id="a token not from here"),
        pytest.param({"continuation-token": "%%%"}, "continuation-token", id="a token that is no base64"),
        pytest.param({"prefix": "x" * 1024}, "prefix", id="a prefix of 1,024 bytes"),
        pytest.param({"start-after": "x" * 1024}, "start-after", id="a start of 1,024 bytes"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(filled: oss2.Bucket, parameters: dict[str, str], argument: str) -> None:
    with pytest.raises(oss2.exceptions.InvalidArgument) as refused:
        filled._do("GET", BUCKET, "", params={"list-type": "2", **parameters})
    assert refused.value.details["ArgumentName"] == argument


def test_a_bucket_that_does_not_exist_is_a_404_with_a_request_id(sandbox: Sandbox) -> None:
    with pytest.raises(oss2.exceptions.NoSuchBucket) as missing:
        v4_bucket(sandbox, "no-such-bucket").list_objects_v2()
    assert missing.value.status == 404
    assert missing.value.request_id
