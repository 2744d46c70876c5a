"""What VOD says about media now: twenty with one call of BatchGetMediaInfos, which also names the file behind each.

The API has a quota row of its own, shared by everybody who asks; what may go away by itself is waited out.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from vod_migrate.cloud.clients import open_vod
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import service_host
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.errors import BrokenReply, Denied, RequestRefused, Throttled
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.results.store import Store
from vod_migrate.results.verifications import Playback
from vod_migrate.shutdown import StopClock

if TYPE_CHECKING:
    from vod_migrate.cloud.vod import VodClient

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
    """One media. status: VOD's word; size: bytes; duration: seconds, None until VOD has analysed the file; source: as status, of its file."""

    media_id: str
    status: str
    title: str
    bucket: str
    key: str
    source: str
    size: int | None
    duration: float | None

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


class MediaStates:
    """Asks VOD about media; threads may share one. stop: ends every waiting."""

    def __init__(self, connection: Connection, store: Store, *, stop: threading.Event) -> None:
        self._connection = connection
        self._clock = StopClock(stop)
        self._rates = {}
        for api, rate in CALLS_PER_SECOND.items():
            store.keep_quota(connection.account, api, rate)
            self._rates[api] = RateLimiter(store, account=connection.account, clock=self._clock, api=api)

    def of(self, media_ids: Sequence[str]) -> dict[str, MediaState]:
        """The media that VOD has, by MediaId. media_ids: at most 20.

        Raises:
            RegisterError: VOD cannot be asked. Interrupted. StoreUnreachable.
        """
        body = self._call(BATCH_GET_MEDIA_INFOS, media_ids=",".join(media_ids))
        listed = body.get("MediaInfos") or []
        try:
            return {state.media_id: state for state in map(_state, listed)}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BrokenReply(f"VOD's answer to {BATCH_GET_MEDIA_INFOS} cannot be read ({error!r})") from None

    def transcoding_error(self, media_id: str) -> str:
        """Why the newest transcoding of a media failed, in VOD's words; '' where VOD does not say; which permission is missing to ask."""
        try:
            tasks = self._call(LIST_TRANSCODE_TASK, video_id=media_id).get("TranscodeTaskList") or []
            if not tasks:
                return ""
            newest = max(tasks, key=lambda task: str(task.get("CreationTime")))
            found = self._call(GET_TRANSCODE_TASK, transcode_task_id=newest.get("TranscodeTaskId"))
        except RequestRefused:
            return ""
        except Denied as error:
            return str(error)
        jobs = (found.get("TranscodeTask") or {}).get("TranscodeJobInfoList") or []
        return next((f"{job['ErrorCode']}: {job.get('ErrorMessage')}" for job in jobs if job.get("ErrorCode")), "")

    @cached_property
    def _client(self) -> VodClient:
        return open_vod(self._connection)

    def _call(self, api: str, **fields: Any) -> Mapping[str, Any]:
        return patiently(lambda: self._call_once(api, **fields), sleep=self._clock.sleep, tries=TRIES)

    def _call_once(self, api: str, **fields: Any) -> Mapping[str, Any]:
        rate = self._rates[api]
        rate.wait()
        try:
            return self._client.call(api, **fields)
        except Throttled as error:
            rate.throttled(retry_after=error.retry_after)
            raise


def _state(row: Mapping[str, Any]) -> MediaState:
    info, file = row.get("MediaInfo") or {}, row.get("MezzanineInfo") or {}
    size, duration = file.get("Size"), file.get("Duration")
    address = urlsplit(str(file.get("FileURL") or ""))
    return MediaState(
        media_id=str(row["MediaId"]),
        status=str(info.get("Status")),
        title=str(info.get("Title") or ""),
        bucket=service_host(address.hostname or "") or "",
        key=unquote(address.path.removeprefix("/")),
        source=str(file.get("Status") or ""),
        size=None if size is None else int(size),
        duration=None if not duration else float(duration),
    )
