"""What other clients ask when they tidy up: versions, unfinished uploads, live channels, odd keys to delete."""

from __future__ import annotations

from typing import Any

import oss2
import pytest
from oss2.models import BatchDeleteObjectVersion, BatchDeleteObjectVersionList
from sdk_clients import BUCKET

from vod_migrate.sandbox.pytest_plugin import Sandbox


def test_where_nothing_is_unfinished_uploads_and_live_channels_are_empty_lists(bucket: oss2.Bucket) -> None:
    uploads = bucket.list_multipart_uploads(prefix="a/ü", delimiter="/", max_uploads=10)
    assert (uploads.upload_list, uploads.prefix_list, uploads.is_truncated) == ([], [], False)
    channels = bucket.list_live_channel(prefix="a")
    assert (channels.channels, channels.prefix, channels.max_keys, channels.is_truncated) == ([], "a", 100, False)


@pytest.mark.parametrize(
    ("subresource", "name"), [("uploads", "max-uploads"), ("live", "max-keys"), ("versions", "max-keys")]
)
def test_a_page_of_more_than_a_thousand_entries_is_refused(bucket: oss2.Bucket, subresource: str, name: str) -> None:
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket._do("GET", BUCKET, "", params={subresource: "", name: "1001"})


@pytest.mark.parametrize("max_keys", [1, 2, 1000])
def test_each_object_is_its_own_null_version(sandbox: Sandbox, bucket: oss2.Bucket, max_keys: int) -> None:
    keys = sorted(["a/1.mp4", "a/2+%.mp4", "b.mp4", "中 文.mp4"], key=str.encode)
    for key in keys:
        sandbox.put(BUCKET, key)
    found: list[Any] = []
    key_marker = version_marker = ""
    while True:
        page = bucket.list_object_versions(key_marker=key_marker, versionid_marker=version_marker, max_keys=max_keys)
        found += page.versions
        assert page.delete_marker == []
        if not page.is_truncated:
            break
        key_marker, version_marker = page.next_key_marker, page.next_versionid_marker
    assert [version.key for version in found] == keys
    assert {(version.versionid, version.is_latest, version.storage_class) for version in found} == {
        ("null", True, "Standard")
    }
    assert found[0].owner.id == "1000000000000001"
    folders = bucket.list_object_versions(delimiter="/")
    assert folders.common_prefix == ["a/"]
    assert [version.key for version in folders.versions] == keys[2:]


def test_a_version_marker_without_a_key_marker_is_refused(bucket: oss2.Bucket) -> None:
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.list_object_versions(versionid_marker="null")


def test_only_the_null_version_can_be_read_or_deleted(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    for key in ("a.mp4", "b.mp4", "c.mp4"):
        sandbox.put(BUCKET, key, b"film")
    assert bucket.get_object("a.mp4", params={"versionId": "null"}).read() == b"film"
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.get_object("a.mp4", params={"versionId": "other"})
    assert (refused.value.status, refused.value.code) == (404, "NoSuchVersion")
    bucket.delete_object("a.mp4", params={"versionId": "other"})
    bucket.delete_object("b.mp4", params={"versionId": "null"})
    asked = BatchDeleteObjectVersionList(
        [BatchDeleteObjectVersion("a.mp4", "other"), BatchDeleteObjectVersion("c.mp4", "null")]
    )
    deleted = bucket.delete_object_versions(asked).delete_versions
    assert [(one.key, one.versionid) for one in deleted] == [("a.mp4", "other"), ("c.mp4", "null")]
    assert [found.key for found in bucket.list_objects_v2().object_list] == ["a.mp4"]


def post_delete(bucket: oss2.Bucket, body: bytes) -> Any:
    params = {"delete": "", "encoding-type": "url"}
    headers = {"Content-MD5": oss2.utils.content_md5(body)}
    return bucket._do("POST", BUCKET, "", data=body, params=params, headers=headers)


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("a\x01b.mp4", b"a&#01;b.mp4"),
        ("a\x1f.mp4", b"a&#x1F;.mp4"),
        ("\x02\x03", b"&#2;&#3;"),
        ("tab\tline\rfeed\n.mp4", b"tab&#x9;line&#xD;feed&#xA;.mp4"),
        ("literal &#1;.mp4", b"literal &amp;#1;.mp4"),
        ("\uffff.mp4", b"&#xFFFF;.mp4"),
    ],
)
def test_control_characters_are_deleted_by_character_reference(bucket: oss2.Bucket, key: str, written: bytes) -> None:
    bucket.put_object(key, b"x")
    bucket.put_object("kept.mp4", b"x")
    reply = post_delete(bucket, b"<Delete><Object><Key>" + written + b"</Key></Object></Delete>")
    assert oss2.compat.urlunquote(reply.read().decode().split("<Key>")[1].split("</Key>")[0]) == key
    assert [found.key for found in bucket.list_objects_v2().object_list] == ["kept.mp4"]


@pytest.mark.parametrize("written", [b"a\x01.mp4", b"a&#0;.mp4", b"a<b/>.mp4", b"", b"a\xff.mp4"])
def test_a_key_that_is_not_xml_is_refused(bucket: oss2.Bucket, written: bytes) -> None:
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        post_delete(bucket, b"<Delete><Object><Key>" + written + b"</Key></Object></Delete>")
    assert (refused.value.status, refused.value.code) == (400, "MalformedXML")


def test_operations_on_live_channels_are_not_here(bucket: oss2.Bucket) -> None:
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.get_live_channel_stat("channel")
    assert (refused.value.status, refused.value.code) == (501, "NotImplemented")
