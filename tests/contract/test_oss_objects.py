from __future__ import annotations

import hashlib
import string

import oss2
import pytest
import requests
from sdk_clients import BUCKET, v4_bucket

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import AccountConfig, BucketConfig, CredentialConfig, SandboxConfig

BODY = bytes(range(256)) * 4
ODD_KEYS = [
    "plain.mp4",
    string.punctuation.lstrip("/\\") + " .mp4",
    "中文/视频 🎬.mp4",
    "a%41%2F+b.mp4",
    "x//y.mp4",
    "长" * 341,
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_object_comes_back_as_it_was_put(bucket: oss2.Bucket, key: str) -> None:
    told = {"x-oss-meta-Camera": "A7", "Content-Type": "video/mp4", "Cache-Control": "no-cache"}
    put = bucket.put_object(key, BODY, headers=told)
    got = bucket.get_object(key)
    assert got.read() == BODY
    assert got.server_crc == got.client_crc == put.crc
    head = bucket.head_object(key)
    assert head.etag == hashlib.md5(BODY, usedforsecurity=False).hexdigest().upper()
    assert (head.content_length, head.content_type, head.object_type) == (1024, "video/mp4", "Normal")
    assert head.headers["x-oss-meta-camera"] == "A7"
    assert head.headers["Cache-Control"] == "no-cache"
    assert head.headers["x-oss-storage-class"] == "Standard"
    assert [found.key for found in bucket.list_objects_v2().object_list] == [key]


def test_keys_beyond_the_limits_are_refused(bucket: oss2.Bucket) -> None:
    bucket.put_object("k" * 1023, b"")
    for key in ("k" * 1024, "/leading", "\\leading"):
        with pytest.raises(oss2.exceptions.ServerError) as refused:
            bucket.put_object(key, b"")
        assert refused.value.code == "InvalidObjectName"


# The ranges of "Use HTTP Range requests to get OSS resources in segments", for an object of 1,024 bytes.
@pytest.mark.parametrize(
    ("header", "standard", "status", "expected"),
    [
        ("bytes=0-499", False, 206, BODY[:500]),
        ("bytes=1000-", False, 206, BODY[1000:]),
        ("bytes=-24", False, 206, BODY[-24:]),
        ("bytes=0-1024", False, 200, BODY),
        ("bytes=0-1024", True, 206, BODY),
        ("bytes=1024-2000", False, 200, BODY),
        ("bytes=1024-2000", True, 416, None),
        ("bytes=-2000", False, 200, BODY),
        ("bytes=-2000", True, 206, BODY),
        ("byte=0-9", False, 200, BODY),
    ],
)
def test_ranges_are_those_of_the_manual(
    bucket: oss2.Bucket, header: str, standard: bool, status: int, expected: bytes | None
) -> None:
    bucket.put_object("a.mp4", BODY)
    headers = {"Range": header} | ({"x-oss-range-behavior": "standard"} if standard else {})
    if expected is None:
        with pytest.raises(oss2.exceptions.ServerError) as refused:
            bucket.get_object("a.mp4", headers=headers)
        assert (refused.value.status, refused.value.code) == (status, "InvalidRange")
        return
    reply = bucket._do("GET", BUCKET, "a.mp4", headers=headers)
    assert (reply.status, reply.read()) == (status, expected)


@pytest.mark.parametrize("storage_class", ["Archive", "ColdArchive", "DeepColdArchive"])
def test_an_archived_object_is_listed_but_cannot_be_read(bucket: oss2.Bucket, storage_class: str) -> None:
    bucket.put_object("a.mp4", b"x", headers={"x-oss-storage-class": storage_class})
    assert bucket.list_objects_v2().object_list[0].storage_class == storage_class
    assert bucket.head_object("a.mp4").headers["x-oss-storage-class"] == storage_class
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.get_object("a.mp4")
    assert (refused.value.status, refused.value.code) == (403, "InvalidObjectState")


def test_what_is_not_there_says_so_with_and_without_a_body(bucket: oss2.Bucket) -> None:
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.get_object("nothing")
    with pytest.raises(oss2.exceptions.NotFound) as refused:
        bucket.head_object("nothing")
    assert refused.value.code == "NoSuchKey"
    assert bucket.delete_object("nothing").status == 204


def test_many_objects_are_deleted_at_once(bucket: oss2.Bucket) -> None:
    for key in ("a <&>.mp4", "b+%41.mp4", "c.mp4"):
        bucket.put_object(key, b"x")
    deleted = bucket.batch_delete_objects(["a <&>.mp4", "b+%41.mp4", "never there"]).deleted_keys
    assert deleted == ["a <&>.mp4", "b+%41.mp4", "never there"]
    assert [found.key for found in bucket.list_objects_v2().object_list] == ["c.mp4"]


@pytest.mark.parametrize(
    ("body", "digest", "code"),
    [
        (b"<Delete><Object><Key>a</Key></Object></Delete>", "AAAAAAAAAAAAAAAAAAAAAA==", "InvalidDigest"),
        (b"<Delete><Object><Key>a</Key></Object></Delete>", None, "MissingArgument"),
        (b"<Delete><Obj", "", "MalformedXML"),
        (b"<Delete></Delete>", "", "MalformedXML"),
    ],
)
def test_a_bad_multi_delete_is_refused(bucket: oss2.Bucket, body: bytes, digest: str | None, code: str) -> None:
    headers = {} if digest is None else {"Content-MD5": digest or oss2.utils.content_md5(body)}
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket._do("POST", BUCKET, "", data=body, params={"delete": ""}, headers=headers)
    assert refused.value.code == code


def test_a_quiet_multi_delete_says_nothing(bucket: oss2.Bucket) -> None:
    bucket.put_object("a", b"x")
    body = b"<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>"
    headers = {"Content-MD5": oss2.utils.content_md5(body)}
    assert bucket._do("POST", BUCKET, "", data=body, params={"delete": ""}, headers=headers).read() == b""
    assert not bucket.object_exists("a")


def test_a_wrong_content_md5_is_refused(bucket: oss2.Bucket) -> None:
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.put_object("a", b"x", headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="})
    assert refused.value.code == "InvalidDigest"


def test_the_bucket_info_names_the_public_and_the_internal_endpoint(bucket: oss2.Bucket) -> None:
    info = bucket.get_bucket_info()
    assert info.extranet_endpoint == "oss-cn-shanghai.aliyuncs.com"
    assert info.intranet_endpoint == "oss-cn-shanghai-internal.aliyuncs.com"
    assert (info.location, info.storage_class, info.acl.grant) == ("oss-cn-shanghai", "Standard", "private")
    assert info.owner.id == "1000000000000001"
    assert bucket.get_bucket_location().location == "oss-cn-shanghai"


def test_buckets_are_made_listed_by_page_and_deleted(sandbox: Sandbox) -> None:
    service = oss2.Service(v4_bucket(sandbox).auth, sandbox.endpoint, region=sandbox.region)
    for name in ("aaa", "bbb", "ccc"):
        v4_bucket(sandbox, name).create_bucket()
    page = service.list_buckets(max_keys=2)
    assert [found.name for found in page.buckets] == ["aaa", "bbb"]
    assert (page.is_truncated, page.next_marker) == (True, "bbb")
    assert [found.name for found in service.list_buckets(prefix="c").buckets] == ["ccc"]
    with pytest.raises(oss2.exceptions.ServerError) as again:
        v4_bucket(sandbox, "aaa").create_bucket()
    assert (again.value.status, again.value.code) == (409, "BucketAlreadyExists")
    sandbox.put("aaa", "x")
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        v4_bucket(sandbox, "aaa").delete_bucket()
    v4_bucket(sandbox, "aaa").delete_object("x")
    v4_bucket(sandbox, "aaa").delete_bucket()
    assert [found.name for found in service.list_buckets().buckets] == ["bbb", "ccc", BUCKET]


def test_a_bad_bucket_name_is_refused(sandbox: Sandbox) -> None:
    bucket = v4_bucket(sandbox)
    for name in ("ab", "a_b", "-ab", "a" * 64):
        with pytest.raises(oss2.exceptions.ServerError) as refused:
            bucket._do("GET", name, "", params={"bucketInfo": ""})
        assert refused.value.code == "InvalidBucketName"


def test_another_accounts_bucket_is_denied() -> None:
    other = AccountConfig(
        uid="2", credentials=[CredentialConfig(access_key_id="other", access_key_secret="s", deny=["oss:Put*"])]
    )
    config = SandboxConfig(
        accounts=[AccountConfig(deny=["oss:GetBucketInfo"]), other],
        buckets=[BucketConfig(), BucketConfig(name="others", account="2")],
    )
    with Sandbox.start(config) as sandbox:
        denied = [
            lambda: v4_bucket(sandbox, "others").list_objects_v2(),
            lambda: v4_bucket(sandbox).get_bucket_info(),
            lambda: v4_bucket(sandbox, "others", access_key_id="other", access_key_secret="s").put_object("a", b""),
        ]
        for act in denied:
            with pytest.raises(oss2.exceptions.AccessDenied):
                act()
        v4_bucket(sandbox, "others", access_key_id="other", access_key_secret="s").list_objects_v2()


def test_an_anonymous_request_is_denied(sandbox: Sandbox) -> None:
    reply = requests.get(f"{sandbox.endpoint}/{BUCKET}/?list-type=2", timeout=5)
    assert reply.status_code == 403
    assert "<Code>AccessDenied</Code>" in reply.text
