from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vod20170321 import models
from sdk_clients import BUCKET, HOST, Register, url_of, vod_client

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import AccountConfig, BucketConfig, CredentialConfig, SandboxConfig
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP, DEFAULT_WORKFLOW

CONTENT_LIMITS = [
    ("Title", "t" * 128, "t" * 129, "128 bytes"),
    ("Title", "标" * 42 + "tt", "标" * 42 + "ttt", "128 bytes, not characters"),
    ("Title", "café", "a 🎬", "no emoji"),
    ("Title", "x", "", "required"),
    ("Title", "x", 7, "a string"),
    ("Description", "d" * 1024, "d" * 1025, "1,024 bytes"),
    ("Description", "中", "🇨🇳", "no emoji, flags included"),
    ("Tags", ",".join("t" * 16), ",".join("t" * 17), "16 tags"),
    ("Tags", "t" * 32, "t" * 33, "32 bytes a tag"),
    ("Tags", "标" * 10, "标" * 11, "32 bytes, not characters"),
    ("Tags", "a,b", "a,☀️", "no emoji"),
    ("CoverURL", "http://c/" + "x" * 1015, "http://c/" + "x" * 1016, "1,024 bytes"),
    ("ReferenceId", "abc-_9", "abc-_", "6 characters at least"),
    ("ReferenceId", "r" * 64, "r" * 65, "64 characters at most"),
    ("ReferenceId", "ABCdef", "ABC.def", "letters, digits, - and _"),
    ("CateId", 1_000_000_001, "1000000001", "a Long"),
    ("CateId", 1_000_000_001, 7, "a category that exists"),
    ("CateId", 1_000_000_001, True, "a Long, not a boolean"),
]


def item(key: str = "a.mp4", **metadata: Any) -> dict[str, Any]:
    return {"FileURL": url_of(key), "Title": "t", **metadata}


def refusal(register: Register, *items: Any, **request: Any) -> ClientException:
    with pytest.raises(ClientException) as refused:
        register(*items, **request)
    error: ClientException = refused.value
    return error


def ids_of(reply: Any) -> dict[str, str]:
    return {media.file_url: media.media_id for media in reply.registered_media_list}


@pytest.mark.parametrize(("name", "allowed", "refused", "reason"), CONTENT_LIMITS)
def test_each_limit_holds_at_its_edge_and_refuses_one_over(
    sandbox: Sandbox, register: Register, name: str, allowed: Any, refused: Any, reason: str
) -> None:
    sandbox.add_category("Interviews")
    sandbox.put(BUCKET, "a.mp4")
    error = refusal(register, item(**{name: refused}))
    assert error.code in {"InvalidParameter", "InvalidCateId.NotFound"}, reason
    assert name in error.message
    assert not sandbox.truth(BUCKET), "a refused call has no effect"
    assert register(item(**{name: allowed})).registered_media_list[0].new_register


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "required"),
        ("not JSON", "it must be a JSON list"),
        ('{"FileURL": "x"}', "it must be a JSON list"),
        ("[]", "1 to 10 files, not 0"),
        ("[7]", "it must be an object"),
        ('[{"Title": "t"}]', "FileURL"),
        (json.dumps([{"FileURL": url_of("a.mp4")}]), "Title"),
        (json.dumps([{**item(), "title": "t"}]), "title is not valid: unknown"),
        (json.dumps([item()] * 11), "1 to 10 files, not 11"),
        (json.dumps([item(Title="\ud800")]), "UTF-8"),
    ],
)
def test_malformed_metadatas_are_refused_with_the_rule(
    sandbox: Sandbox, register: Register, raw: str, reason: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    error = refusal(register, raw=raw)
    assert error.status_code == 400
    assert error.code in {"InvalidParameter", "MissingParameter"}
    assert raw == "" or reason in error.message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"ftp://{HOST}/a.mp4", "http(s)"),
        (f"https://{HOST}", "http(s)"),
        (f"https://{HOST}/", "http(s)"),
        ("https://media-archive.oss-cn-shanghai-internal.aliyuncs.com/a.mp4", "public endpoint"),
        ("https://cdn.example.com/a.mp4", "host"),
        (f"https://user@{HOST}/a.mp4", "host"),
        ("a.mp4", "http(s)"),
    ],
)
def test_a_file_url_must_have_the_public_endpoint_of_a_bucket(register: Register, url: str, reason: str) -> None:
    error = refusal(register, item(FileURL=url))
    assert error.code == "InvalidParameter"
    assert reason in error.message


def test_a_file_url_has_at_most_1024_bytes(sandbox: Sandbox, register: Register) -> None:
    key = "k" * (1024 - len(url_of(".mp4"))) + ".mp4"
    sandbox.put(BUCKET, key)
    sandbox.put(BUCKET, "k" + key)
    assert register(key).registered_media_list
    assert "1025 bytes" in refusal(register, "k" + key).message


def test_ten_files_are_registered_in_one_call(sandbox: Sandbox, register: Register) -> None:
    keys = [f"{number}.mp4" for number in range(10)]
    for key in keys:
        sandbox.put(BUCKET, key)
    reply = register(*keys, template_group_id="VOD_NO_TRANSCODE", generate_thumbnail=True)
    assert [media.file_url for media in reply.registered_media_list] == [f"http://{HOST}/{key}" for key in keys]
    assert all(re.fullmatch("[0-9a-f]{32}", media.media_id) for media in reply.registered_media_list)
    assert reply.failed_file_urls == []
    assert {key: row.media_id for key, row in sandbox.truth(BUCKET).items()} == dict(
        zip(keys, ids_of(reply).values(), strict=True)
    )
    assert sandbox.counters()["RegisterMedia"]["files"] == 10


def test_all_files_of_a_call_have_one_storage_address(sandbox: Sandbox, register: Register) -> None:
    sandbox.add_bucket("second-bucket")
    sandbox.put(BUCKET, "a.mp4")
    sandbox.put("second-bucket", "a.mp4")
    other = item(FileURL="https://second-bucket.oss-cn-shanghai.aliyuncs.com/a.mp4")
    assert "same storage address" in refusal(register, item(), other).message
    assert register(other).registered_media_list


def test_a_registered_file_keeps_its_id_and_nothing_else_changes(sandbox: Sandbox, register: Register) -> None:
    sandbox.put(BUCKET, "a.mp4")
    first = register(item(Title="first"))
    again = register(item(Title="second", Description="d", ReferenceId="reference"))
    assert ids_of(first) == ids_of(again)
    assert [first.registered_media_list[0].new_register, again.registered_media_list[0].new_register] == [True, False]
    row = sandbox.truth(BUCKET)["a.mp4"]
    assert (row.title, row.description, row.reference_id, row.registrations) == ("first", None, None, 2)


def test_a_duplicate_in_one_batch_is_registered_once(sandbox: Sandbox, register: Register) -> None:
    sandbox.put(BUCKET, "a.mp4")
    found = register("a.mp4", "a.mp4").registered_media_list
    assert [media.new_register for media in found] == [True, False]
    assert found[0].media_id == found[1].media_id


@pytest.mark.parametrize("key", ["a.txt", "noextension", "a.mp4.bak", "folder.mp4/name", ".mp4/x"])
def test_a_file_without_a_valid_extension_fails_alone(sandbox: Sandbox, register: Register, key: str) -> None:
    sandbox.put(BUCKET, key)
    sandbox.put(BUCKET, "good.MP4")
    reply = register(key, "good.MP4")
    assert reply.failed_file_urls == [url_of(key).replace("https", "http")]
    assert list(sandbox.truth(BUCKET)) == ["good.MP4"]
    sandbox.settings(bad_extension="refuse")
    assert refusal(register, key).code == "InvalidFileURL.Extension"


def test_a_missing_file_fails_alone_or_refuses_the_call(sandbox: Sandbox, register: Register) -> None:
    sandbox.put(BUCKET, "a.mp4")
    assert register("a.mp4", "b.mp4").failed_file_urls == [f"http://{HOST}/b.mp4"]
    sandbox.settings(missing_file="refuse")
    error = refusal(register, "a.mp4", "b.mp4")
    assert (error.status_code, error.code) == (404, "InvalidFileURL.NotFound")
    assert sandbox.truth(BUCKET)["a.mp4"].registrations == 1


@pytest.mark.parametrize("host", ["not-added", "no-such-bucket"])
def test_a_bucket_outside_vod_refuses_the_call_or_fails_its_files(
    sandbox: Sandbox, register: Register, host: str
) -> None:
    sandbox.add_bucket("not-added", in_vod=False)
    sandbox.put("not-added", "a.mp4")
    url = f"https://{host}.oss-cn-shanghai.aliyuncs.com/a.mp4"
    assert refusal(register, item(FileURL=url)).code == "InvalidFileURL.StorageNotAdded"
    sandbox.settings(foreign_bucket="failed")
    assert register(item(FileURL=url)).failed_file_urls == [url.replace("https", "http")]


def test_a_bucket_of_another_region_is_not_in_vod(register: Register) -> None:
    url = "https://media-archive.oss-cn-beijing.aliyuncs.com/a.mp4"
    assert refusal(register, item(FileURL=url)).code == "InvalidFileURL.StorageNotAdded"


def test_a_reference_id_belongs_to_one_file(sandbox: Sandbox, register: Register) -> None:
    for key in ("a.mp4", "b.mp4", "c.mp4"):
        sandbox.put(BUCKET, key)
    register(item("a.mp4", ReferenceId="reference"))
    reply = register(
        item("b.mp4", ReferenceId="reference"),
        item("b.mp4", ReferenceId="another1"),
        item("c.mp4", ReferenceId="another1"),
    )
    assert reply.failed_file_urls == [f"http://{HOST}/b.mp4", f"http://{HOST}/c.mp4"]
    assert {key: row.reference_id for key, row in sandbox.truth(BUCKET).items()} == {
        "a.mp4": "reference",
        "b.mp4": "another1",
    }


ODD = ["a b+c.mp4", "100%.mp4", "%41.mp4", "中文 🎬.mp4", "q?x=1#y.mp4", string.punctuation.lstrip("/") + ".mp4"]


@pytest.mark.parametrize("key", ODD)
def test_odd_keys_are_understood_in_the_encoding_that_is_set(sandbox: Sandbox, register: Register, key: str) -> None:
    sandbox.put(BUCKET, key)
    encoded, raw = item(key), item(FileURL=f"https://{HOST}/{key}")
    outcomes = {}
    for setting in ("percent", "raw", "both"):
        sandbox.settings(url_encoding=setting)
        outcomes[setting] = [bool(register(sent).registered_media_list) for sent in (encoded, raw)]
    assert outcomes["both"] == [True, True]
    assert outcomes["percent"][0]
    assert outcomes["raw"][1]
    assert list(sandbox.truth(BUCKET)) == [key]


def test_percent_means_percent_and_raw_means_raw(sandbox: Sandbox, register: Register) -> None:
    sandbox.put(BUCKET, "a b.mp4")
    sandbox.settings(url_encoding="percent")
    assert register(item(FileURL=f"https://{HOST}/a b.mp4")).failed_file_urls
    assert register(item(FileURL=f"https://{HOST}/a+b.mp4")).failed_file_urls
    sandbox.settings(url_encoding="raw")
    assert register("a b.mp4").failed_file_urls
    assert not sandbox.truth(BUCKET)


@pytest.mark.parametrize(
    ("request_", "template", "workflow"),
    [
        ({}, None, None),
        ({"template_group_id": "VOD_NO_TRANSCODE"}, "VOD_NO_TRANSCODE", None),
        ({"template_group_id": DEFAULT_GROUP}, DEFAULT_GROUP, None),
        ({"workflow_id": DEFAULT_WORKFLOW}, None, DEFAULT_WORKFLOW),
        ({"template_group_id": DEFAULT_GROUP, "workflow_id": DEFAULT_WORKFLOW}, None, DEFAULT_WORKFLOW),
    ],
)
def test_a_workflow_takes_precedence_over_a_template_group(
    sandbox: Sandbox, register: Register, request_: dict[str, str], template: str | None, workflow: str | None
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    register("a.mp4", **request_)
    row = sandbox.truth(BUCKET)["a.mp4"]
    assert (row.template_group_id, row.workflow_id) == (template, workflow)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"template_group_id": "0" * 32}, "InvalidTemplateGroupId.NotFound"),
        ({"workflow_id": "0" * 32}, "InvalidWorkflowId.NotFound"),
        ({"workflow_id": "no id"}, "InvalidParameter"),
        ({"user_data": "no JSON"}, "InvalidParameter"),
        ({"user_data": "[]"}, "InvalidParameter"),
        ({"user_data": '{"Unknown": {}}'}, "InvalidParameter"),
        ({"user_data": '{"Extend": 7}'}, "InvalidParameter"),
        ({"user_data": json.dumps({"Extend": json.dumps({"a": "x" * 504})})}, "InvalidParameter"),
        ({"generate_thumbnail": "perhaps"}, "InvalidParameter"),
    ],
)
def test_what_the_call_says_about_all_files_is_checked(
    sandbox: Sandbox, register: Register, request_: dict[str, Any], code: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    assert refusal(register, "a.mp4", **request_).code == code
    assert not sandbox.truth(BUCKET)


@pytest.mark.parametrize(
    "user_data",
    [
        {"Extend": {"localId": "x"}},
        {"Extend": json.dumps({"a": "x" * 503})},
        {"MessageCallback": json.dumps({"CallbackType": "http", "CallbackURL": "http://x"})},
    ],
)
def test_user_data_may_nest_objects_or_json_strings(
    sandbox: Sandbox, register: Register, user_data: dict[str, Any]
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    register("a.mp4", user_data=json.dumps(user_data))
    assert sandbox.truth(BUCKET)["a.mp4"].user_data == json.dumps(user_data)


def test_replies_can_have_the_other_documented_forms(sandbox: Sandbox, register: Register) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.settings(reply_scheme="same", failed_form="json")
    reply = register("a.mp4", "b.mp4", "c.mp4")
    assert reply.registered_media_list[0].file_url == url_of("a.mp4")
    assert reply.failed_file_urls == [json.dumps([url_of("b.mp4")]), json.dumps([url_of("c.mp4")])]


def test_an_archived_file_is_registered_unless_it_is_set_to_fail(sandbox: Sandbox, register: Register) -> None:
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    sandbox.settings(archived_file="failed")
    assert register("a.mp4").failed_file_urls
    sandbox.settings(archived_file="register")
    assert register("a.mp4").registered_media_list


def test_two_users_of_one_account_share_its_library_and_two_accounts_do_not() -> None:
    users = [CredentialConfig(access_key_id=name, access_key_secret="s") for name in ("one", "two")]
    other = CredentialConfig(access_key_id="other", access_key_secret="s")
    config = SandboxConfig(
        accounts=[AccountConfig(credentials=users), AccountConfig(uid="2", credentials=[other])],
        buckets=[BucketConfig(), BucketConfig(name="others", account="2")],
    )
    with Sandbox.start(config) as sandbox:
        sandbox.put(BUCKET, "a.mp4")
        text = json.dumps([item()])
        request = models.RegisterMediaRequest(register_metadatas=text)
        clients = [vod_client(sandbox, access_key_id=name, access_key_secret="s") for name in ("one", "two", "other")]
        replies = [client.register_media(request).body.registered_media_list[0] for client in clients[:2]]
        assert [media.new_register for media in replies] == [True, False]
        with pytest.raises(ClientException, match="not added to VOD"):
            clients[2].register_media(request)


def test_media_ids_follow_from_seed_account_bucket_and_key(register: Register, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    here = register("a.mp4").registered_media_list[0].media_id
    ids = {}
    for seed in (0, 1):
        with Sandbox.start(seed=seed) as another:
            another.put(BUCKET, "a.mp4")
            request = models.RegisterMediaRequest(register_metadatas=json.dumps([item()]))
            ids[seed] = vod_client(another).register_media(request).body.registered_media_list[0].media_id
    assert ids[0] == here != ids[1]
