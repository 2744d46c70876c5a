"""Processing takes time and fails: the Status of a media, and its transcoding task."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from sdk_clients import BUCKET, Register, refusal_of

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP, DEFAULT_WORKFLOW


def status_of(vod: Client, media_id: str) -> str:
    status: str = vod.get_video_info(models.GetVideoInfoRequest(video_id=media_id)).body.video.status
    return status


def tasks_of(vod: Client, media_id: str, **request: Any) -> Any:
    return vod.list_transcode_task(
        models.ListTranscodeTaskRequest(video_id=media_id, **request)
    ).body.transcode_task_list


def task_of(vod: Client, media_id: str) -> Any:
    [task] = tasks_of(vod, media_id)
    request = models.GetTranscodeTaskRequest(transcode_task_id=task.transcode_task_id)
    return vod.get_transcode_task(request).body.transcode_task


def registered(register: Register, **options: Any) -> str:
    media_id: str = register("a.mov", **options).registered_media_list[0].media_id
    return media_id


@pytest.mark.parametrize(
    ("body", "end", "task_end"),
    [(None, "Normal", "CompleteAllSucc"), (b"not a film", "TranscodeFail", "CompleteAllFail")],
)
@pytest.mark.parametrize("options", [{"template_group_id": DEFAULT_GROUP}, {"workflow_id": DEFAULT_WORKFLOW}])
def test_a_media_passes_through_its_states(
    sandbox: Sandbox,
    vod: Client,
    register: Register,
    body: bytes | None,
    end: str,
    task_end: str,
    options: dict[str, str],
) -> None:
    sandbox.put(BUCKET, "a.mov", body)
    sandbox.settings(analysis_s=100, queue_s=100, transcode_s=100)
    media_id = registered(register, **options)
    seen = []
    for seconds in (0, 110, 210, 310):
        sandbox.settings(fast_forward_s=seconds)
        tasks = tasks_of(vod, media_id)
        seen.append((status_of(vod, media_id), [task.task_status for task in tasks]))
    assert seen == [("Uploading", []), ("UploadSucc", []), ("Transcoding", ["Processing"]), (end, [task_end])]


@pytest.mark.parametrize(
    ("body", "storage_class", "code"),
    [
        (b"not a film", "Standard", "InvalidParameter.ResourceContentBad"),
        (b"", "Standard", "InvalidParameter.ResourceContentBad"),
        (None, "Archive", "InvalidParameter.ResourceAccessDenied"),
    ],
)
def test_a_failed_task_says_why(
    sandbox: Sandbox, vod: Client, register: Register, body: bytes | None, storage_class: str, code: str
) -> None:
    sandbox.put(BUCKET, "a.mov", body, storage_class=storage_class)
    media_id = registered(register, template_group_id=DEFAULT_GROUP)
    task = task_of(vod, media_id)
    assert (task.task_status, task.video_id, task.trigger) == ("CompleteAllFail", media_id, "Auto")
    assert {(job.transcode_job_status, job.error_code) for job in task.transcode_job_info_list} == {
        ("TranscodeFail", code)
    }
    assert all(job.error_message and job.output_file is None for job in task.transcode_job_info_list)


def test_a_successful_task_has_output_files(sandbox: Sandbox, vod: Client, register: Register) -> None:
    sandbox.put(BUCKET, "a.mov")
    media_id = registered(register, template_group_id=DEFAULT_GROUP)
    jobs = task_of(vod, media_id).transcode_job_info_list
    plays = vod.get_play_info(models.GetPlayInfoRequest(video_id=media_id)).body.play_info_list.play_info
    assert [job.transcode_job_id for job in jobs] == [play.job_id for play in plays]
    assert [job.output_file.output_file_url for job in jobs] == [play.play_url for play in plays]
    assert {(job.transcode_job_status, job.transcode_progress, job.error_code) for job in jobs} == {
        ("TranscodeSuccess", 100, None)
    }


def test_without_a_template_group_nothing_is_transcoded(sandbox: Sandbox, vod: Client, register: Register) -> None:
    sandbox.put(BUCKET, "a.mov")
    for options in ({}, {"template_group_id": "VOD_NO_TRANSCODE"}):
        media_id = registered(register, **options)
        assert tasks_of(vod, media_id) == []
        assert status_of(vod, media_id) == "UploadSucc"


def test_a_media_registered_later_is_not_older_for_it(sandbox: Sandbox, vod: Client, register: Register) -> None:
    sandbox.settings(transcode_s=100, fast_forward_s=1_000)
    sandbox.put(BUCKET, "a.mov")
    assert status_of(vod, registered(register, template_group_id=DEFAULT_GROUP)) == "Transcoding"


def test_tasks_are_found_by_time_and_page(sandbox: Sandbox, vod: Client, register: Register) -> None:
    sandbox.put(BUCKET, "a.mov")
    media_id = registered(register, template_group_id=DEFAULT_GROUP)
    assert tasks_of(vod, media_id, page_no=2) == []
    assert tasks_of(vod, media_id, end_time="2000-01-01T00:00:00Z") == []
    assert len(tasks_of(vod, media_id, start_time="2000-01-01T00:00:00Z")) == 1


@pytest.mark.parametrize(
    ("call", "request_", "status", "code"),
    [
        ("list_transcode_task", models.ListTranscodeTaskRequest(), 400, "MissingParameter"),
        ("list_transcode_task", models.ListTranscodeTaskRequest(video_id="0" * 32), 404, "InvalidVideo.NotFound"),
        ("list_transcode_task", models.ListTranscodeTaskRequest(video_id="0", page_size=51), 400, "InvalidParameter"),
        (
            "list_transcode_task",
            models.ListTranscodeTaskRequest(video_id="0", start_time="now"),
            400,
            "InvalidParameter",
        ),
        ("get_transcode_task", models.GetTranscodeTaskRequest(), 400, "MissingParameter"),
        (
            "get_transcode_task",
            models.GetTranscodeTaskRequest(transcode_task_id="0" * 32),
            404,
            "InvalidTranscodeTask.NotFound",
        ),
    ],
)
def test_a_bad_question_about_tasks_is_refused(vod: Client, call: str, request_: Any, status: int, code: str) -> None:
    assert refusal_of(getattr(vod, call), request_) == (status, code)
