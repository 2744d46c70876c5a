"""What VOD says about registered media: GetVideoInfo(s), BatchGetMediaInfos, GetMezzanineInfo, GetPlayInfo."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from sdk_clients import BUCKET, HOST, Register, refusal_of, register_described, url_of

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import DEFAULT_QUOTAS
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP, HLS_GROUP

SIZE = 1_000_000
FILM = b"\0\0\0\x20ftypisom".ljust(SIZE, b"\0")
NOTHING = "0" * 32


def register_one(register: Register, key: str = "a.mp4", **options: Any) -> str:
    media_id: str = register(key, **options).registered_media_list[0].media_id
    return media_id


@pytest.fixture
def played(sandbox: Sandbox, register: Register) -> str:
    """The MediaId of a film that can be played as it is, with everything said about it."""
    sandbox.put(BUCKET, "a.mp4", FILM)
    return register_described(sandbox, register, "a.mp4")


@pytest.mark.parametrize(
    ("call", "request_of"),
    [
        ("get_video_info", lambda id_: models.GetVideoInfoRequest(video_id=id_)),
        ("get_video_infos", lambda id_: models.GetVideoInfosRequest(video_ids=f"{id_},{NOTHING}")),
        ("batch_get_media_infos", lambda id_: models.BatchGetMediaInfosRequest(media_ids=f"{id_},{NOTHING}")),
        (
            "get_mezzanine_info",
            lambda id_: models.GetMezzanineInfoRequest(video_id=id_, addition_type="video,audio", output_type="oss"),
        ),
        ("get_play_info", lambda id_: models.GetPlayInfoRequest(video_id=id_)),
        ("get_video_list", lambda _: models.GetVideoListRequest()),
        (
            "search_media",
            lambda _: models.SearchMediaRequest(fields="Title,Description,Tags,CoverURL,CateId,CateName,Size,Duration"),
        ),
        ("list_transcode_task", lambda id_: models.ListTranscodeTaskRequest(video_id=id_)),
        (
            "get_transcode_task",
            lambda id_: models.GetTranscodeTaskRequest(transcode_task_id=id_[16:] + id_[:16]),
        ),
        ("update_video_infos", lambda id_: models.UpdateVideoInfosRequest(update_content=f'[{{"VideoId": "{id_}"}}]')),
    ],
)
def test_the_sdk_knows_every_field_of_a_reply(
    vod: Client, register: Register, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, call: str, request_of: Any
) -> None:
    """Its models drop fields that they do not have, so what comes out of them must be what went in."""
    sandbox.put(BUCKET, "a.mp4", FILM)
    media_id = register_one(register, template_group_id=DEFAULT_GROUP)
    raw: list[Any] = []
    original = Client.call_api

    def recorded(self: Client, *arguments: Any) -> Any:
        reply = original(self, *arguments)
        raw.append(reply["body"])
        return reply

    monkeypatch.setattr(Client, "call_api", recorded)
    body = getattr(vod, call)(request_of(media_id)).body
    assert filled(body.to_map()) == filled(raw[0])


def filled(value: Any) -> Any:
    """Without empty lists, which models add where a reply has none."""
    if isinstance(value, dict):
        return {name: filled(part) for name, part in value.items() if part not in ([], {})}
    return [filled(part) for part in value] if isinstance(value, list) else value


def test_one_video_is_described_with_its_region_and_duration(vod: Client, played: str) -> None:
    video = vod.get_video_info(models.GetVideoInfoRequest(video_id=played)).body.video
    same = vod.get_video_info(models.GetVideoInfoRequest(reference_id="reference-1")).body.video
    assert video.to_map() == same.to_map()
    assert (video.video_id, video.title, video.description, video.tags) == (played, "title", "words", "a,b")
    assert (video.status, video.size, video.duration, video.region_id) == ("Normal", SIZE, 8.0, "cn-shanghai")
    assert (video.cate_name, video.storage_location, video.user_data) == ("Interviews", HOST, '{"Extend": {}}')


def test_a_batch_leads_from_media_ids_to_source_files(vod: Client, played: str) -> None:
    request = models.BatchGetMediaInfosRequest(media_ids=f"{played},{NOTHING}", reference_ids="reference-1,nothing1")
    body = vod.batch_get_media_infos(request).body
    assert (body.non_exist_media_ids, body.non_exist_reference_ids) == ([NOTHING], ["nothing1"])
    [found] = body.media_infos
    assert (found.media_id, found.media_info.title, found.media_info.reference_id) == (played, "title", "reference-1")
    assert (found.mezzanine_info.file_url, found.mezzanine_info.size) == (url_of("a.mp4"), SIZE)
    assert (found.mezzanine_info.duration, found.mezzanine_info.width) == ("8.0000", 1280)
    assert [stream.codec_name for stream in found.mezzanine_info.video_stream_list] == ["h264"]
    assert [play.play_url for play in found.play_info_list] == [url_of("a.mp4")]


def test_a_batch_of_nothing_known_is_no_error(vod: Client) -> None:
    body = vod.batch_get_media_infos(models.BatchGetMediaInfosRequest(media_ids=NOTHING)).body
    assert (body.media_infos, body.non_exist_media_ids) == ([], [NOTHING])


def test_a_source_is_played_as_it_is_without_transcoding(vod: Client, played: str) -> None:
    body = vod.get_play_info(models.GetPlayInfoRequest(video_id=played)).body
    [play] = body.play_info_list.play_info
    assert (play.format, play.definition, play.play_url, play.status) == ("mp4", "OD", url_of("a.mp4"), "Normal")
    assert (body.video_base.video_id, body.video_base.media_type, body.video_base.status) == (played, "video", "Normal")


@pytest.mark.parametrize(
    ("key", "group", "streams"),
    [
        ("a.mp4", DEFAULT_GROUP, [("mp4", "LD"), ("mp4", "SD")]),
        ("a.mov", HLS_GROUP, [("m3u8", "HD")]),
        ("a.wav", DEFAULT_GROUP, [("mp3", "SQ")]),
    ],
)
def test_transcoding_makes_the_streams_of_its_template_group(
    sandbox: Sandbox, vod: Client, register: Register, key: str, group: str, streams: list[tuple[str, str]]
) -> None:
    sandbox.put(BUCKET, key)
    media_id = register_one(register, key, template_group_id=group)
    plays = vod.get_play_info(models.GetPlayInfoRequest(video_id=media_id)).body.play_info_list.play_info
    assert [(play.format, play.definition) for play in plays] == streams
    [stream, *_] = streams
    one = models.GetPlayInfoRequest(video_id=media_id, formats=stream[0], definition=stream[1])
    assert len(vod.get_play_info(one).body.play_info_list.play_info) == 1
    none = models.GetPlayInfoRequest(video_id=media_id, definition="4K")
    assert refusal_of(vod.get_play_info, none) == (404, "InvalidVideo.NoneStream")


def test_a_file_that_is_not_media_has_no_duration_and_cannot_be_played(
    sandbox: Sandbox, vod: Client, register: Register
) -> None:
    sandbox.put(BUCKET, "a.mp4", b"<html>404</html>")
    media_id = register_one(register, template_group_id="VOD_NO_TRANSCODE")
    video = vod.get_video_info(models.GetVideoInfoRequest(video_id=media_id)).body.video
    assert (video.status, video.size, video.duration) == ("UploadSucc", 16, None)
    request = models.GetMezzanineInfoRequest(video_id=media_id, addition_type="video,audio")
    mezzanine = vod.get_mezzanine_info(request).body.mezzanine
    assert (mezzanine.duration, mezzanine.video_stream_list, mezzanine.audio_stream_list) == (None, [], [])
    with pytest.raises(ClientException, match="Current Status is UploadSucc") as refused:
        vod.get_play_info(models.GetPlayInfoRequest(video_id=media_id))
    assert (refused.value.status_code, refused.value.code) == (403, "Forbidden.IllegalStatus")


def test_the_size_is_that_of_registration(sandbox: Sandbox, vod: Client, played: str) -> None:
    sandbox.put(BUCKET, "a.mp4", b"shorter")
    assert vod.get_video_info(models.GetVideoInfoRequest(video_id=played)).body.video.size == SIZE
    sandbox.delete(BUCKET, "a.mp4")
    mezzanine = vod.get_mezzanine_info(models.GetMezzanineInfoRequest(video_id=played)).body.mezzanine
    assert (mezzanine.status, mezzanine.size) == ("Deleted", SIZE)


TOO_MANY = ",".join(f"{number:032x}" for number in range(21))


@pytest.mark.parametrize(
    ("call", "request_", "status", "code"),
    [
        ("get_video_info", models.GetVideoInfoRequest(), 400, "MissingParameter"),
        ("get_video_info", models.GetVideoInfoRequest(video_id=NOTHING), 404, "InvalidVideo.NotFound"),
        ("batch_get_media_infos", models.BatchGetMediaInfosRequest(), 400, "MissingParameter"),
        ("batch_get_media_infos", models.BatchGetMediaInfosRequest(media_ids=TOO_MANY), 400, "InvalidParameter"),
        ("batch_get_media_infos", models.BatchGetMediaInfosRequest(reference_ids=TOO_MANY), 400, "InvalidParameter"),
        ("get_video_infos", models.GetVideoInfosRequest(video_ids=TOO_MANY), 400, "InvalidParameter"),
        ("get_play_info", models.GetPlayInfoRequest(), 400, "MissingParameter"),
        ("get_play_info", models.GetPlayInfoRequest(video_id=NOTHING), 404, "InvalidVideo.NotFound"),
        ("get_play_info", models.GetPlayInfoRequest(video_id=NOTHING, formats="avi"), 400, "InvalidParameter"),
        ("get_play_info", models.GetPlayInfoRequest(video_id=NOTHING, result_type="All"), 400, "InvalidParameter"),
        (
            "get_mezzanine_info",
            models.GetMezzanineInfoRequest(video_id=NOTHING, output_type="oss", auth_timeout=129_601),
            400,
            "InvalidParameter",
        ),
    ],
)
def test_a_bad_question_is_refused(vod: Client, call: str, request_: Any, status: int, code: str) -> None:
    assert refusal_of(getattr(vod, call), request_) == (status, code)


def test_a_media_is_known_only_after_a_while(sandbox: Sandbox, vod: Client, played: str) -> None:
    sandbox.settings(seen_after_ms=60_000)
    assert refusal_of(vod.get_video_info, models.GetVideoInfoRequest(video_id=played))[0] == 404
    assert vod.search_media(models.SearchMediaRequest()).body.total == 0
    sandbox.settings(fast_forward_s=61)
    assert vod.get_video_info(models.GetVideoInfoRequest(video_id=played)).body.video.video_id == played
    assert vod.search_media(models.SearchMediaRequest()).body.total == 1


@pytest.mark.parametrize("api", sorted(DEFAULT_QUOTAS))
def test_each_api_has_a_quota_of_its_own(sandbox: Sandbox, vod: Client, api: str) -> None:
    sandbox.settings(quotas={**dict.fromkeys(DEFAULT_QUOTAS, 100), api: 0})
    other = "GetCategories" if api != "GetCategories" else "GetVideoInfo"
    requests = {
        "GetCategories": (vod.get_categories, models.GetCategoriesRequest()),
        "GetVideoInfo": (vod.get_video_info, models.GetVideoInfoRequest()),
        "RegisterMedia": (vod.register_media, models.RegisterMediaRequest(register_metadatas="[]")),
        "AddCategory": (vod.add_category, models.AddCategoryRequest()),
        "GetTranscodeTemplateGroup": (vod.get_transcode_template_group, models.GetTranscodeTemplateGroupRequest()),
        "ListTranscodeTemplateGroup": (vod.list_transcode_template_group, models.ListTranscodeTemplateGroupRequest()),
        "AddTranscodeTemplateGroup": (vod.add_transcode_template_group, models.AddTranscodeTemplateGroupRequest()),
        "GetMezzanineInfo": (vod.get_mezzanine_info, models.GetMezzanineInfoRequest()),
        "GetVideoInfos": (vod.get_video_infos, models.GetVideoInfosRequest()),
        "BatchGetMediaInfos": (vod.batch_get_media_infos, models.BatchGetMediaInfosRequest()),
        "GetVideoList": (vod.get_video_list, models.GetVideoListRequest()),
        "SearchMedia": (vod.search_media, models.SearchMediaRequest()),
        "GetPlayInfo": (vod.get_play_info, models.GetPlayInfoRequest()),
        "UpdateVideoInfos": (vod.update_video_infos, models.UpdateVideoInfosRequest()),
        "ListTranscodeTask": (vod.list_transcode_task, models.ListTranscodeTaskRequest()),
        "GetTranscodeTask": (vod.get_transcode_task, models.GetTranscodeTaskRequest()),
    }
    assert refusal_of(*requests[api])[1] == "Throttling.User"
    assert code_of(*requests[other]) != "Throttling.User"


def code_of(call: Any, request: Any) -> str:
    try:
        call(request)
    except ClientException as refused:
        return str(refused.code)
    return ""


def test_a_file_that_is_listed_and_that_vod_does_not_find_is_deleted_to_it(
    sandbox: Sandbox, vod: Client, played: str
) -> None:
    sandbox.generate(BUCKET, 1, dirt=0, missing=1)
    (lost,) = [row.key for row in sandbox.expected(BUCKET).values() if row.missing]
    sandbox.change_media(BUCKET, "a.mp4", file_key=lost)
    mezzanine = vod.get_mezzanine_info(models.GetMezzanineInfoRequest(video_id=played)).body.mezzanine
    assert (mezzanine.status, mezzanine.file_name) == ("Deleted", lost)
