"""Media that change after they were registered: by UpdateVideoInfos, and behind the client's back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from sdk_clients import BUCKET, Register, refusal_of, url_of

from vod_migrate.sandbox.journal import Journal
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import BucketConfig, DatasetConfig, SandboxConfig
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod import console


def update(vod: Client, *items: dict[str, Any]) -> Any:
    return vod.update_video_infos(models.UpdateVideoInfosRequest(update_content=json.dumps(items))).body


@pytest.fixture
def media_id(sandbox: Sandbox, register: Register) -> str:
    sandbox.put(BUCKET, "a.mp4")
    metadata = {"FileURL": url_of("a.mp4"), "Title": "old", "Tags": "a,b", "ReferenceId": "reference-1"}
    reply = register(raw=json.dumps([metadata]), template_group_id="VOD_NO_TRANSCODE")
    found: str = reply.registered_media_list[0].media_id
    return found


def test_an_update_changes_what_it_names_and_nothing_else(sandbox: Sandbox, vod: Client, media_id: str) -> None:
    category = sandbox.add_category("News")
    sandbox.settings(fast_forward_s=100)
    body = update(vod, {"VideoId": media_id, "Title": "new", "Description": "words", "CateId": category})
    assert (body.non_exist_video_ids, body.forbidden_video_ids) == ([], [])
    row = sandbox.truth(BUCKET)["a.mp4"]
    assert (row.title, row.description, row.cate_id) == ("new", "words", category)
    assert (row.tags, row.reference_id, row.registrations) == ("a,b", "reference-1", 1)
    video = vod.get_video_info(models.GetVideoInfoRequest(video_id=media_id)).body.video
    assert video.creation_time < video.modification_time
    update(vod, {"ReferenceId": "reference-1", "Tags": ""})
    assert (sandbox.truth(BUCKET)["a.mp4"].title, sandbox.truth(BUCKET)["a.mp4"].tags) == ("new", "")


def test_what_does_not_exist_is_named_and_the_others_are_updated(sandbox: Sandbox, vod: Client, media_id: str) -> None:
    body = update(
        vod,
        {"VideoId": "0" * 32, "Title": "x"},
        {"VideoId": media_id, "Title": "new"},
        {"ReferenceId": "nothing-1", "Title": "x"},
    )
    assert (body.non_exist_video_ids, body.non_exist_reference_ids) == (["0" * 32], ["nothing-1"])
    assert sandbox.truth(BUCKET)["a.mp4"].title == "new"


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"Title": "x"}, "InvalidParameter"),
        ({"VideoId": "v", "Title": ""}, "InvalidParameter"),
        ({"VideoId": "v", "Title": "t" * 129}, "InvalidParameter"),
        ({"VideoId": "v", "Title": "🎬"}, "InvalidParameter"),
        ({"VideoId": "v", "Tags": ",".join("t" * 17)}, "InvalidParameter"),
        ({"VideoId": "v", "UserData": "{}"}, "InvalidParameter"),
        ({"VideoId": "v", "CateId": 7}, "InvalidCateId.NotFound"),
    ],
)
def test_an_update_that_breaks_a_rule_changes_nothing(
    sandbox: Sandbox, vod: Client, media_id: str, item: dict[str, Any], code: str
) -> None:
    content = json.dumps([{"VideoId": media_id, "Title": "new"}, item])
    assert refusal_of(vod.update_video_infos, models.UpdateVideoInfosRequest(update_content=content))[1] == code
    assert sandbox.truth(BUCKET)["a.mp4"].title == "old"


def test_more_than_twenty_updates_are_refused_with_their_own_code(vod: Client) -> None:
    content = json.dumps([{"VideoId": f"{number:032x}", "Title": "t"} for number in range(21)])
    request = models.UpdateVideoInfosRequest(update_content=content)
    assert refusal_of(vod.update_video_infos, request) == (400, "CountExceededMax")
    assert refusal_of(vod.update_video_infos, models.UpdateVideoInfosRequest())[1] == "MissingParameter"


def test_a_deleted_media_is_unknown_and_its_file_gets_another_id(
    sandbox: Sandbox, vod: Client, register: Register, media_id: str
) -> None:
    assert sandbox.delete_media(BUCKET, "a.mp4")["media_id"] == media_id
    body = vod.batch_get_media_infos(models.BatchGetMediaInfosRequest(media_ids=media_id)).body
    assert (body.media_infos, body.non_exist_media_ids) == ([], [media_id])
    assert vod.search_media(models.SearchMediaRequest()).body.total == 0
    assert sandbox.truth(BUCKET) == {}
    [again] = register("a.mp4").registered_media_list
    assert again.new_register is True
    assert again.media_id != media_id
    assert vod.search_media(models.SearchMediaRequest()).body.media_list[0].media_id == again.media_id


def test_a_media_is_changed_behind_the_clients_back(sandbox: Sandbox, vod: Client, media_id: str) -> None:
    sandbox.change_media(BUCKET, "a.mp4", status="Blocked", size=7, file_key="other.mp4", title="theirs")
    [found] = vod.batch_get_media_infos(models.BatchGetMediaInfosRequest(media_ids=media_id)).body.media_infos
    assert (found.media_info.status, found.media_info.title) == ("Blocked", "theirs")
    assert (found.mezzanine_info.size, found.mezzanine_info.file_url) == (7, url_of("other.mp4"))
    sandbox.change_media(BUCKET, "a.mp4", status=None, file_key=None)
    [found] = vod.batch_get_media_infos(models.BatchGetMediaInfosRequest(media_ids=media_id)).body.media_infos
    assert (found.media_info.status, found.mezzanine_info.file_url) == ("Normal", url_of("a.mp4"))
    assert found.media_info.title == "theirs"


def test_objects_are_imported_as_media_without_a_call(sandbox: Sandbox, register: Register) -> None:
    for key in ("films/a.mp4", "films/b.txt", "films/c.MOV", "other/d.mp4"):
        sandbox.put(BUCKET, key)
    register("films/a.mp4")
    assert sandbox.import_media(BUCKET, prefix="films/") == 1
    assert sandbox.truth(BUCKET).keys() == {"films/a.mp4", "films/c.MOV"}
    assert sandbox.counters()["RegisterMedia"]["files"] == 1
    [again] = register("films/c.MOV").registered_media_list
    assert again.new_register is False


def test_the_control_api_shows_changes_and_deletes_a_media(sandbox: Sandbox, media_id: str) -> None:
    url = f"{sandbox.endpoint}/_sandbox/media"
    shown = requests.get(url, params={"media_id": media_id}, timeout=5).json()
    assert (shown["key"], shown["status"], shown["source"]) == ("a.mp4", "Normal", "mp4")
    change = {"bucket": BUCKET, "key": "a.mp4", "status": "UploadFail"}
    assert requests.patch(url, json=change, timeout=5).json()["status"] == "UploadFail"
    refused = requests.patch(url, json={**change, "status": "Fine"}, timeout=5)
    assert (refused.status_code, "Blocked" in refused.json()["error"]) == (400, True)
    assert requests.get(url, timeout=5).status_code == 400
    assert requests.delete(url, params={"bucket": BUCKET, "key": "a.mp4"}, timeout=5).json()["media_id"] == media_id
    assert requests.delete(url, params={"bucket": BUCKET, "key": "a.mp4"}, timeout=5).status_code == 404
    sandbox.put(BUCKET, "b.mp4")
    assert requests.post(url, json={"bucket": BUCKET}, timeout=5).json() == {"registered": 2}


def test_a_sandbox_that_comes_back_knows_changes_and_deletions(tmp_path: Path) -> None:
    config = SandboxConfig(buckets=[BucketConfig(generate=DatasetConfig(count=4, dirt=0))])
    path = tmp_path / "state.ndjson"
    journal = Journal(path)
    world = World(config, journal)
    assert console.import_media(world, console.MediaImport(bucket=BUCKET)) == 4
    keys = [key for key, _ in world.bucket(BUCKET).scan("")]
    name = {"bucket": BUCKET, "key": keys[0]}
    console.change_media(world, console.MediaChange(**name, title="theirs", status="Blocked", cate_id=7))
    first = console.delete_media(world, console.MediaName(bucket=BUCKET, key=keys[1]))
    console.import_media(world, console.MediaImport(bucket=BUCKET))
    journal.close()
    journal = Journal(path)
    again = World(config, journal)
    for key in keys:
        asked = console.MediaName(bucket=BUCKET, key=key)
        assert console.show_media(again, asked) == console.show_media(world, asked)
    assert console.show_media(again, console.MediaName(**name))["status"] == "Blocked"
    assert console.show_media(again, console.MediaName(bucket=BUCKET, key=keys[1]))["media_id"] != first["media_id"]
    journal.close()
