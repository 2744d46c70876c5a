"""ListTranscodeTask and GetTranscodeTask: how the transcoding of a registered file went, and why it failed."""

from __future__ import annotations

import re
from typing import Any, Final

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.media import BITRATE_KBPS, FPS, HEIGHT, WIDTH, Media, given, utc
from vod_migrate.sandbox.vod.parameters import Parameters, page_of, required, time_range
from vod_migrate.sandbox.vod.videos import find, not_found

_MAX_PAGE: Final = 50
_TASK_ID: Final = re.compile(r"[0-9a-f]{32}")
_BAD: Final = ("InvalidParameter.ResourceContentBad", 'The resource operated "InputFile" is bad')
_ARCHIVED: Final = ("InvalidParameter.ResourceAccessDenied", 'The resource operated "InputFile" cannot be read')


def list_transcode_tasks(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """ListTranscodeTask: a registered file has one task, once its transcoding has started."""
    media = find(world, account, video_id=required(parameters, "VideoId"))
    start, end = time_range(parameters)
    number, size = page_of(parameters, _MAX_PAGE)
    if media is None:
        raise not_found()
    tasks = [_task(world, media)] if _has_started(world, media) else []
    shown = [task for task in tasks if start <= task["CreationTime"] <= end]
    return {"TranscodeTaskList": shown[(number - 1) * size : number * size]}


def transcode_task(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """GetTranscodeTask by TranscodeTaskId, with its jobs."""
    task_id = required(parameters, "TranscodeTaskId")
    media = find(world, account, video_id=_swapped(task_id)) if _TASK_ID.fullmatch(task_id) else None
    if media is None or not _has_started(world, media):
        raise VodError("InvalidTranscodeTask.NotFound", 404, "The transcode task does not exist.")
    jobs = [_job(world, media, *job) for job in media.jobs]
    return {"TranscodeTask": {**_task(world, media), "TranscodeJobInfoList": jobs}}


def _has_started(world: World, media: Media) -> bool:
    return media.template_group_id is not None and world.process_time() >= media.transcode_starts


def _has_ended(world: World, media: Media) -> bool:
    return world.process_time() >= media.transcode_ends


def _task(world: World, media: Media) -> dict[str, Any]:
    ended = _has_ended(world, media)
    outcome = "CompleteAllFail" if media.transcode_failed else "CompleteAllSucc"
    return given({
        "TranscodeTaskId": _swapped(media.id),
        "VideoId": media.id,
        "TranscodeTemplateGroupId": media.template_group_id,
        "TaskStatus": outcome if ended else "Processing",
        "Trigger": "Auto",
        "CreationTime": utc(media.transcode_starts),
        "CompleteTime": utc(media.transcode_ends) if ended else None,
    })  # fmt: skip


def _job(world: World, media: Media, job_id: str, form: str, definition: str) -> dict[str, Any]:
    ended, failed = _has_ended(world, media), media.transcode_failed
    code, message = (
        (_ARCHIVED if media.registration.source == "archived" else _BAD) if ended and failed else (None, None)
    )
    output = {
        "OutputFileUrl": f"http://{media.storage_location}/{media.id}/{job_id}-{definition.lower()}.{form}",
        "Format": form,
        "Filesize": media.size,
        "Duration": f"{media.duration_s or 0:.4f}",
        "Bitrate": BITRATE_KBPS,
        "Fps": FPS,
        "Width": str(WIDTH),
        "Height": str(HEIGHT),
    }
    return given({
        "TranscodeJobId": job_id,
        "TranscodeJobStatus": ("TranscodeFail" if failed else "TranscodeSuccess") if ended else "Transcoding",
        "TranscodeProgress": 100 if ended and not failed else 0,
        "Definition": definition,
        "InputFileUrl": media.file_url,
        "ErrorCode": code,
        "ErrorMessage": message,
        "Priority": "6",
        "CreationTime": utc(media.transcode_starts),
        "CompleteTime": utc(media.transcode_ends) if ended else None,
        "OutputFile": output if ended and not failed else None,
    })  # fmt: skip


def _swapped(media_id: str) -> str:
    """A MediaId as a TranscodeTaskId, and back: its halves change places."""
    return media_id[16:] + media_id[:16]
