"""Multipart upload as oss2 asks for it: nothing is visible before it is complete, and each rule of the vendor's pages is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import oss2
import pytest
from oss2.models import PartInfo
from sdk_clients import BUCKET

from vod_migrate.sandbox.pytest_plugin import Sandbox

KEY = "exports/表 + 50%.csv"
WHOLE = bytes(range(256)) * 400  # 100 KB, the smallest part
REST = b"the last part may be small"


def begin(bucket: oss2.Bucket, *parts: bytes) -> tuple[str, list[PartInfo]]:
    """An upload with these parts."""
    upload_id = bucket.init_multipart_upload(KEY, headers={"x-oss-storage-class": "IA"}).upload_id
    told = [bucket.upload_part(KEY, upload_id, number, part) for number, part in enumerate(parts, 1)]
    return upload_id, [
        PartInfo(number, one.etag, part_crc=one.crc, size=len(part))
        for number, (one, part) in enumerate(zip(told, parts, strict=True), 1)
    ]


def test_an_upload_in_parts_is_visible_when_it_is_complete_and_not_before(bucket: oss2.Bucket) -> None:
    upload_id, parts = begin(bucket, WHOLE, WHOLE, REST)
    assert not bucket.object_exists(KEY)
    assert [(one.key, one.upload_id) for one in bucket.list_multipart_uploads().upload_list] == [(KEY, upload_id)]
    done = bucket.complete_multipart_upload(KEY, upload_id, parts)
    assert done.etag.endswith("-3")
    head = bucket.head_object(KEY)
    assert (head.content_length, head.etag, head.headers["x-oss-storage-class"]) == (204_826, done.etag, "IA")
    assert bucket.get_object(KEY).read() == WHOLE + WHOLE + REST
    assert bucket.list_multipart_uploads().upload_list == []


def test_an_aborted_upload_leaves_nothing_and_a_part_may_be_sent_again(bucket: oss2.Bucket) -> None:
    upload_id, parts = begin(bucket, REST)
    again = bucket.upload_part(KEY, upload_id, 1, b"another")
    with pytest.raises(oss2.exceptions.ServerError) as stale:
        bucket.complete_multipart_upload(KEY, upload_id, parts)
    assert stale.value.code == "InvalidPart"
    assert again.etag != parts[0].etag
    bucket.abort_multipart_upload(KEY, upload_id)
    assert bucket.list_multipart_uploads().upload_list == []
    assert not bucket.object_exists(KEY)


def completed(bucket: oss2.Bucket, upload_id: str, parts: list[PartInfo]) -> Any:
    """In the order given: oss2 would sort them."""
    body = oss2.xml_utils.to_complete_upload_request(parts)
    return bucket._do("POST", BUCKET, KEY, params={"uploadId": upload_id}, data=body)


Refused = Callable[[oss2.Bucket, str, list[PartInfo]], Any]
REFUSED: dict[str, tuple[Refused, str]] = {
    "part 0": (lambda b, up, _: b.upload_part(KEY, up, 0, b"x"), "InvalidArgument"),
    "part 10,001": (lambda b, up, _: b.upload_part(KEY, up, 10_001, b"x"), "InvalidArgument"),
    "a broken part": (
        lambda b, up, _: b.upload_part(KEY, up, 1, b"x", headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}),
        "InvalidDigest",
    ),
    "another upload": (lambda b, up, _: b.upload_part(KEY, up[::-1], 1, b"x"), "NoSuchUpload"),
    "another key": (lambda b, up, _: b.upload_part("other", up, 1, b"x"), "NoSuchUpload"),
    "a part that was not sent": (
        lambda b, up, parts: b.complete_multipart_upload(KEY, up, [*parts, PartInfo(7, parts[0].etag, part_crc=0, size=1)]),
        "InvalidPart",
    ),
    "no part": (lambda b, up, _: b._do("POST", BUCKET, KEY, params={"uploadId": up}, data=b"<CompleteMultipartUpload/>"), "MalformedXML"),
    "no XML": (lambda b, up, _: b._do("POST", BUCKET, KEY, params={"uploadId": up}, data=b"<Complete"), "MalformedXML"),
    "parts in the wrong order": (lambda b, up, parts: completed(b, up, parts[::-1]), "InvalidPartOrder"),
    "a part twice": (lambda b, up, parts: completed(b, up, [parts[0], parts[0]]), "InvalidPartOrder"),
    "a small part before the last": (completed, "EntityTooSmall"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_pages_forbid_is_refused_and_nothing_becomes_visible(bucket: oss2.Bucket, name: str) -> None:
    act, code = REFUSED[name]
    upload_id, parts = begin(bucket, REST, REST)
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        act(bucket, upload_id, parts)
    assert refused.value.code == code
    assert not bucket.object_exists(KEY)


def test_an_upload_needs_the_permission_to_put_and_its_end_the_one_to_abort(
    sandbox: Sandbox, bucket: oss2.Bucket
) -> None:
    upload_id, _ = begin(bucket, REST)
    sandbox.account(deny=["oss:PutObject", "oss:AbortMultipartUpload"])
    for act in (
        lambda: bucket.init_multipart_upload(KEY),
        lambda: bucket.upload_part(KEY, upload_id, 1, b"x"),
        lambda: bucket.complete_multipart_upload(KEY, upload_id, []),
        lambda: bucket.abort_multipart_upload(KEY, upload_id),
    ):
        with pytest.raises(oss2.exceptions.AccessDenied):
            act()


def test_unfinished_uploads_are_listed_by_page_and_by_folder(bucket: oss2.Bucket) -> None:
    for key in ("a/1", "a/2", "b"):
        bucket.init_multipart_upload(key)
    first = bucket.list_multipart_uploads(max_uploads=2)
    assert ([one.key for one in first.upload_list], first.is_truncated) == (["a/1", "a/2"], True)
    rest = bucket.list_multipart_uploads(key_marker=first.next_key_marker, upload_id_marker=first.next_upload_id_marker)
    assert [one.key for one in rest.upload_list] == ["b"]
    folders = bucket.list_multipart_uploads(delimiter="/")
    assert ([one.key for one in folders.upload_list], folders.prefix_list) == (["b"], ["a/"])


def test_an_upload_may_be_forbidden_to_replace_an_object(bucket: oss2.Bucket) -> None:
    upload_id, parts = begin(bucket, REST)
    bucket.put_object(KEY, b"meanwhile")
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.complete_multipart_upload(KEY, upload_id, parts, headers={"x-oss-forbid-overwrite": "true"})
    assert refused.value.code == "FileAlreadyExists"
    assert bucket.get_object(KEY).read() == b"meanwhile"
