"""What VOD says about media now: twenty with one call of BatchGetMediaInfos, which also names the file behind each."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from vod_migrate.audit.vod_queries import VodQueries
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import service_host
from vod_migrate.errors import BrokenReply, Denied, RequestRefused
from vod_migrate.results.store import Store
from vod_migrate.results.verifications import Playback

MOST_IDS = 20
"""MediaIds in one call (BatchGetMediaInfos page)."""
BATCH_GET_MEDIA_INFOS = "BatchGetMediaInfos"
LIST_TRANSCODE_TASK, GET_TRANSCODE_TASK = "ListTranscodeTask", "GetTranscodeTask"
CALLS_PER_SECOND = {BATCH_GET_MEDIA_INFOS: 94.0, LIST_TRANSCODE_TASK: 14.0, GET_TRANSCODE_TASK: 14.0}
"""94 % of 100 calls/s an account, the limit of VOD's other queries, and of the 15 calls/s on the pages of the task APIs."""

_UNFINISHED = ("Uploading", "UploadSucc", "Transcoding", "Checking")
_WITHOUT_PROCESSING = "UploadSucc"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaState:
    """One media. status: VOD's word; size: bytes; duration: seconds, None until VOD has analysed the file; source: as status, of its file.

    made_at: when it was registered, None where VOD does not say.
    """

    media_id: str
    status: str
    title: str
    reference_id: str
    bucket: str
    key: str
    source: str
    size: int | None
    duration: float | None
    made_at: dt.datetime | None

    def playback(self, key: str, size: int | None, *, processed: bool) -> Playback:
        """What it is for the object that was registered. processed: whether VOD was asked to transcode it, or to run a workflow."""
        if self.key != key or (size is not None and self.size is not None and self.size != size):
            return Playback.OTHER_FILE
        if self.source == "Deleted":
            return Playback.SOURCE_DELETED
        if self.status == "Normal":
            return Playback.PLAYABLE
        if self.status == _WITHOUT_PROCESSING and not processed:
            return Playback.NOT_DECODED if self.duration is None else Playback.STORED
        return Playback.PROCESSING if self.status in _UNFINISHED else Playback.FAILED


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaAnswer:
    """One answer about some MediaIds. absent: those that do not exist; VOD may hide others, of an application that the caller may not see."""

    found: dict[str, MediaState]
    absent: frozenset[str]


class MediaStates:
    """Asks VOD about media; threads may share one. stop: ends every waiting."""

    def __init__(self, connection: Connection, store: Store, *, stop: threading.Event) -> None:
        self._queries = VodQueries(connection, store, CALLS_PER_SECOND, stop=stop)

    def of(self, media_ids: Sequence[str]) -> dict[str, MediaState]:
        """The media that VOD has, by MediaId. Takes and raises what `look` does."""
        return self.look(media_ids).found

    def look(self, media_ids: Sequence[str]) -> MediaAnswer:
        """What VOD says about some MediaIds, at most 20.

        Raises:
            RegisterError: VOD cannot be asked. Interrupted. StoreUnreachable.
        """
        states, body = self._infos(media_ids=",".join(media_ids))
        return MediaAnswer(
            found={state.media_id: state for state in states},
            absent=frozenset(map(str, body.get("NonExistMediaIds") or ())),
        )

    def holders(self, reference_ids: Sequence[str]) -> dict[str, MediaState]:
        """The media that have some ReferenceIds, by these. reference_ids: at most 20. Raises what `look` does."""
        states, _ = self._infos(reference_ids=",".join(reference_ids))
        return {state.reference_id: state for state in states}

    def _infos(self, **ids: str) -> tuple[list[MediaState], Mapping[str, Any]]:
        body = self._queries.call(BATCH_GET_MEDIA_INFOS, **ids)
        try:
            return list(map(_state, body.get("MediaInfos") or ())), body
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BrokenReply(f"VOD's response to {BATCH_GET_MEDIA_INFOS} cannot be read ({error!r})") from None

    def transcoding_error(self, media_id: str) -> str:
        """Why the newest transcoding of a media failed, in VOD's words; '' where VOD does not say; which permission is missing to ask."""
        try:
            tasks = self._queries.call(LIST_TRANSCODE_TASK, video_id=media_id).get("TranscodeTaskList") or []
            if not tasks:
                return ""
            newest = max(tasks, key=lambda task: str(task.get("CreationTime")))
            found = self._queries.call(GET_TRANSCODE_TASK, transcode_task_id=newest.get("TranscodeTaskId"))
        except RequestRefused:
            return ""
        except Denied as error:
            return str(error)
        jobs = (found.get("TranscodeTask") or {}).get("TranscodeJobInfoList") or []
        return next((f"{job['ErrorCode']}: {job.get('ErrorMessage')}" for job in jobs if job.get("ErrorCode")), "")


def _state(row: Mapping[str, Any]) -> MediaState:
    info, file = row.get("MediaInfo") or {}, row.get("MezzanineInfo") or {}
    size, duration, made = file.get("Size"), file.get("Duration"), info.get("CreationTime")
    address = urlsplit(str(file.get("FileURL") or ""))
    return MediaState(
        media_id=str(row["MediaId"]),
        status=str(info.get("Status")),
        title=str(info.get("Title") or ""),
        reference_id=str(info.get("ReferenceId") or ""),
        bucket=service_host(address.hostname or "") or "",
        key=unquote(address.path.removeprefix("/")),
        source=str(file.get("Status") or ""),
        size=None if size is None else int(size),
        duration=None if not duration else float(duration),
        made_at=None if not made else dt.datetime.fromisoformat(str(made)),
    )
