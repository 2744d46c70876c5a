"""One media as the query APIs see it: its status at this moment, its source file, its streams."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.objects.content import extension_of, is_media
from vod_migrate.sandbox.objects.object import StoredObject
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.library import LibraryEntry, Registration, canonical_url
from vod_migrate.sandbox.vod.templates import HLS_GROUP, NO_TRANSCODE

APP_ID: Final = "app-1000000"
STATUSES: Final = (
    "Uploading", "UploadFail", "UploadSucc", "Transcoding", "TranscodeFail", "Checking", "Blocked", "Normal",
    "ProduceFail",
)  # fmt: skip
# What VOD_NO_TRANSCODE can play: CreateUploadVideo page.
_PLAYABLE: Final = frozenset({"mp4", "flv", "mp3", "m3u8", "webm"})
# Supported audio formats: "Media uploader" page of the VOD user guide.
_AUDIO: Final = frozenset({"mp3", "wma", "wav", "aac", "ra", "m4a", "flac", "ape", "ac3", "amr", "caf", "acm"})
_SOURCE_CLASSES: Final = {
    "Standard": "Standard",
    "IA": "SourceIA",
    "Archive": "SourceArchive",
    "ColdArchive": "SourceColdArchive",
    "DeepColdArchive": "SourceColdArchive",
}
# Nothing is decoded: a duration is computed from the size, at one megabit per second.
_BYTES_PER_S: Final = 125_000
BITRATE_KBPS: Final = "1000"
FPS: Final = "25"
WIDTH: Final = 1_280
HEIGHT: Final = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One playable stream: `job_id` names the transcoding job that made it, or the source itself."""

    job_id: str
    format: str
    definition: str
    url: str


class Media:
    """One media of an account, at the moment of one reply."""

    __slots__ = ("_account", "_place", "_world")

    def __init__(self, world: World, account: Account, place: LibraryEntry) -> None:
        self._world = world
        self._account = account
        self._place = place

    @property
    def registration(self) -> Registration:
        """What was registered."""
        return self._place.registration

    @property
    def place(self) -> LibraryEntry:
        """Where it is in the library."""
        return self._place

    @property
    def id(self) -> str:
        """Its MediaId, which is its VideoId."""
        bucket, key, _ = self._place
        return self._account.library.media_id(self._world.settings.seed, self._account.uid, bucket, key)

    @property
    def key(self) -> str:
        """The key of its source file."""
        changes = self.registration.changes
        return (changes.file_key if changes else None) or self._place.key

    @property
    def kind(self) -> Literal["video", "audio"]:
        """Its media type, by the extension of its file."""
        return "audio" if extension_of(self.key) in _AUDIO else "video"

    @property
    def bucket(self) -> Bucket | None:
        """The bucket of its source file, None once that is gone."""
        return self._world.buckets.get(self._place.bucket)

    @property
    def source(self) -> StoredObject | None:
        """Its source file in OSS, None once that is gone, or where VOD does not find it."""
        found = self.bucket.find(self.key) if self.bucket else None
        return None if found is None or found.missing else found

    @property
    def storage_location(self) -> str:
        """The storage address of its bucket."""
        return self.bucket.storage_address if self.bucket else self._place.bucket

    @property
    def storage_class(self) -> str:
        """The storage class, as VOD names it."""
        source = self.source
        return _SOURCE_CLASSES[source.storage_class if source else "Standard"]

    @property
    def region(self) -> str:
        """The region of its bucket."""
        return self.bucket.region if self.bucket else self._account.config.regions[0]

    @property
    def cate_name(self) -> str | None:
        """The name of its category."""
        return self._account.categories.name_of(self.registration.extras.cate_id)

    @property
    def size(self) -> int:
        """The size of its source file, as VOD knows it."""
        changes = self.registration.changes
        return self.registration.size if changes is None or changes.size is None else changes.size

    @property
    def created(self) -> str:
        """When it was registered."""
        return utc(self.registration.at)

    @property
    def modified(self) -> str:
        """When it was last changed."""
        changes = self.registration.changes
        return utc(changes.modified_at if changes else self.registration.at)

    @property
    def file_url(self) -> str:
        """The URL of its source file."""
        registration, moved = self.registration, self.key != self._place.key
        if registration.file_url is not None and not moved:
            return registration.file_url
        return canonical_url(self.bucket.storage_address, self.key) if self.bucket else self.key

    @property
    def visible(self) -> bool:
        """Whether queries find it yet."""
        return self._age_s >= self._world.settings.seen_after_ms / 1_000

    @property
    def analysed(self) -> bool:
        """Whether VOD has read its source file and found media in it."""
        return self._age_s >= self._world.settings.analysis_s and is_media(self.registration.source)

    @property
    def duration_s(self) -> float | None:
        """Its length, known once its source file is analysed."""
        return max(0.04, round(self.size / _BYTES_PER_S, 4)) if self.analysed else None

    @property
    def template_group_id(self) -> str | None:
        """The template group or workflow that transcodes it, None if it is not transcoded."""
        options = self.registration.options
        group = options.workflow_id or options.template_group_id
        return None if group == NO_TRANSCODE else group

    @property
    def transcode_starts(self) -> float:
        """When its transcoding starts, in seconds since 1970."""
        settings = self._world.settings
        return self.registration.at + settings.analysis_s + settings.queue_s

    @property
    def transcode_ends(self) -> float:
        """When its transcoding ends, whether it succeeds or not."""
        return self.transcode_starts + self._world.settings.transcode_s

    @property
    def transcode_failed(self) -> bool:
        """Whether its transcoding fails: its source file was archived, or is not media."""
        return not is_media(self.registration.source)

    @property
    def status(self) -> str:
        """Its Status at this moment."""
        changes, now = self.registration.changes, self._world.process_time()
        if changes is not None and changes.status is not None:
            return changes.status
        if self._age_s < self._world.settings.analysis_s:
            return "Uploading"
        if self.template_group_id is None:
            untouched = self.registration.options.template_group_id == NO_TRANSCODE
            playable = extension_of(self.key) in _PLAYABLE and self.analysed
            return "Normal" if untouched and playable else "UploadSucc"
        if now < self.transcode_starts:
            return "UploadSucc"
        if now < self.transcode_ends:
            return "Transcoding"
        return "TranscodeFail" if self.transcode_failed else "Normal"

    @property
    def streams(self) -> list[Stream]:
        """What can be played: the source as it is, or what transcoding made of it."""
        if self.status != "Normal":
            return []
        if self.template_group_id is None:
            form = extension_of(self.key)
            return [Stream(job_id=self.id[::-1], format=form, definition="OD", url=self.file_url)]
        head = f"http://{self.storage_location}/{self.id}"
        return [
            Stream(
                job_id=job_id, format=form, definition=definition, url=f"{head}/{job_id}-{definition.lower()}.{form}"
            )
            for job_id, form, definition in self.jobs
        ]

    @property
    def jobs(self) -> list[tuple[str, str, str]]:
        """Its transcoding jobs: id, format, definition."""
        if self.template_group_id is None:
            return []
        wanted = [("mp4", "LD"), ("mp4", "SD")]
        if self.kind == "audio":
            wanted = [("mp3", "SQ")]
        elif self.template_group_id == HLS_GROUP:
            wanted = [("m3u8", "HD")]
        return [(_job_id(self.id, definition), form, definition) for form, definition in wanted]

    @property
    def _age_s(self) -> float:
        return self._world.process_time() - self.registration.at


def utc(at: float) -> str:
    """A time as VOD writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def given(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the fields that have no value; VOD omits them."""
    return {label: value for label, value in row.items() if value is not None}


def _job_id(media_id: str, definition: str) -> str:
    return hashlib.md5(f"{media_id}:{definition}".encode(), usedforsecurity=False).hexdigest()
