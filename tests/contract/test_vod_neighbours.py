from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from sdk_clients import BUCKET, HOST, Register, refusal_of, register_described, url_of

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP


def test_a_new_template_group_is_listed_and_can_be_named(sandbox: Sandbox, vod: Client, register: Register) -> None:
    added = vod.add_transcode_template_group(
        models.AddTranscodeTemplateGroupRequest(name="mobile", transcode_template_list="[]")
    ).body
    listed = vod.list_transcode_template_group(models.ListTranscodeTemplateGroupRequest()).body
    groups = {group.transcode_template_group_id: group for group in listed.transcode_template_group_list}
    assert groups[added.transcode_template_group_id].name == "mobile"
    assert groups[DEFAULT_GROUP].is_default == "Default"
    asked = models.GetTranscodeTemplateGroupRequest(transcode_template_group_id=added.transcode_template_group_id)
    assert vod.get_transcode_template_group(asked).body.transcode_template_group.name == "mobile"
    sandbox.put(BUCKET, "a.mp4")
    register("a.mp4", template_group_id=added.transcode_template_group_id)
    assert sandbox.truth(BUCKET)["a.mp4"].template_group_id == added.transcode_template_group_id


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, "MissingParameter"),
        ({"name": "n" * 129}, "InvalidParameter"),
        ({"name": "n", "transcode_template_list": "{}"}, "InvalidParameter"),
        ({"transcode_template_group_id": "0" * 32}, "InvalidTemplateGroupId.NotFound"),
    ],
)
def test_a_bad_template_group_is_refused(vod: Client, request_: dict[str, str], code: str) -> None:
    request = models.AddTranscodeTemplateGroupRequest(**request_)
    assert refusal_of(vod.add_transcode_template_group, request)[1] == code


def test_a_template_group_that_is_not_there_is_not_found(vod: Client) -> None:
    request = models.GetTranscodeTemplateGroupRequest(transcode_template_group_id="0" * 32)
    assert refusal_of(vod.get_transcode_template_group, request) == (404, "InvalidTranscodeTemplateGroup.NotFound")


def test_categories_form_a_tree_of_three_levels(vod: Client) -> None:
    parents: list[int] = []
    for level in range(3):
        parent = {"parent_id": parents[-1]} if parents else {}
        category = vod.add_category(models.AddCategoryRequest(cate_name=f"level {level}", **parent)).body.category
        assert (category.level, category.parent_id) == (level, parents[-1] if parents else -1)
        parents.append(category.cate_id)
    below = models.AddCategoryRequest(cate_name="too deep", parent_id=parents[-1])
    assert refusal_of(vod.add_category, below) == (400, "InvalidParameter")
    found = vod.get_categories(models.GetCategoriesRequest(cate_id=parents[0])).body
    assert found.category.cate_name == "level 0"
    assert [(child.cate_id, child.sub_total) for child in found.sub_categories.category] == [(parents[1], 1)]


def test_categories_are_paged_newest_first(sandbox: Sandbox, vod: Client) -> None:
    ids = [sandbox.add_category(f"c{number}") for number in range(100)]
    page = vod.get_categories(models.GetCategoriesRequest(page_no=2, page_size=30)).body
    assert page.sub_total == 100
    assert [child.cate_id for child in page.sub_categories.category] == ids[::-1][30:60]
    oldest = vod.get_categories(models.GetCategoriesRequest(sort_by="CreationTime:Asc")).body
    assert [child.cate_id for child in oldest.sub_categories.category] == ids[:10]
    assert refusal_of(vod.add_category, models.AddCategoryRequest(cate_name="101st"))[1] == "InvalidParameter"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (models.AddCategoryRequest(), "MissingParameter"),
        (models.AddCategoryRequest(cate_name="n" * 65), "InvalidParameter"),
        (models.AddCategoryRequest(cate_name="n", parent_id=7), "InvalidCateId.NotFound"),
        (models.AddCategoryRequest(cate_name="n", type="other"), "InvalidParameter"),
        (models.GetCategoriesRequest(cate_id=7), "InvalidCateId.NotFound"),
        (models.GetCategoriesRequest(page_size=101), "InvalidParameter"),
        (models.GetCategoriesRequest(page_no=0), "InvalidParameter"),
    ],
)
def test_bad_category_requests_are_refused(vod: Client, request_: Any, code: str) -> None:
    call = vod.add_category if isinstance(request_, models.AddCategoryRequest) else vod.get_categories
    assert refusal_of(call, request_)[1] == code


@pytest.fixture
def media(sandbox: Sandbox, register: Register) -> str:
    """The MediaId of one file with everything said about it."""
    sandbox.put(BUCKET, "视频 a.mp4", storage_class="IA")
    return register_described(sandbox, register, "视频 a.mp4")


def test_video_infos_say_what_was_registered(vod: Client, media: str) -> None:
    by_id = vod.get_video_infos(models.GetVideoInfosRequest(video_ids=f"{media},{'0' * 32}")).body
    assert by_id.non_exist_video_ids == ["0" * 32]
    by_reference = vod.get_video_infos(models.GetVideoInfosRequest(reference_ids="reference-1,nothing1")).body
    assert by_reference.non_exist_reference_ids == ["nothing1"]
    [video] = by_id.video_list
    assert by_reference.video_list[0].to_map() == video.to_map()
    assert (video.video_id, video.title, video.description, video.tags) == (media, "title", "words", "a,b")
    assert (video.cover_url, video.cate_name, video.reference_id) == ("https://c/1.jpg", "Interviews", "reference-1")
    assert (video.template_group_id, video.user_data) == ("VOD_NO_TRANSCODE", '{"Extend": {}}')
    assert (video.status, video.size, video.storage_class) == ("Normal", 40, "SourceIA")
    assert video.storage_location == HOST


def test_mezzanine_info_leads_back_to_the_source(vod: Client, media: str) -> None:
    found = vod.get_mezzanine_info(models.GetMezzanineInfoRequest(video_id=media, output_type="oss")).body.mezzanine
    same = vod.get_mezzanine_info(
        models.GetMezzanineInfoRequest(reference_id="reference-1", output_type="oss")
    ).body.mezzanine
    assert found.to_map() == same.to_map()
    assert (found.video_id, found.file_url, found.size) == (media, url_of("视频 a.mp4"), 40)
    assert (found.status, found.output_type) == ("Normal", "oss")


def test_without_a_choice_of_transcoding_a_file_is_only_uploaded(
    sandbox: Sandbox, vod: Client, register: Register
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    media_id = register("a.mp4").registered_media_list[0].media_id
    [video] = vod.get_video_infos(models.GetVideoInfosRequest(video_ids=media_id)).body.video_list
    assert video.status == "UploadSucc"


@pytest.mark.parametrize(
    ("call", "request_", "status", "code"),
    [
        ("get_video_infos", models.GetVideoInfosRequest(), 400, "MissingParameter"),
        ("get_video_infos", models.GetVideoInfosRequest(video_ids=",".join("x" * 21)), 400, "InvalidParameter"),
        ("get_video_infos", models.GetVideoInfosRequest(video_ids="nothing"), 404, "InvalidVideo.NotFound"),
        ("get_mezzanine_info", models.GetMezzanineInfoRequest(), 400, "MissingParameter"),
        ("get_mezzanine_info", models.GetMezzanineInfoRequest(video_id="nothing"), 404, "InvalidVideo.NotFound"),
    ],
)
def test_bad_questions_about_media_are_refused(vod: Client, call: str, request_: Any, status: int, code: str) -> None:
    assert refusal_of(getattr(vod, call), request_) == (status, code)


def test_an_id_registered_after_the_first_question_is_found(
    sandbox: Sandbox, vod: Client, register: Register, media: str
) -> None:
    vod.get_video_infos(models.GetVideoInfosRequest(video_ids=media))
    sandbox.put(BUCKET, "later.mp4")
    later = register("later.mp4").registered_media_list[0].media_id
    assert (
        vod.get_mezzanine_info(models.GetMezzanineInfoRequest(video_id=later)).body.mezzanine.file_name == "later.mp4"
    )
