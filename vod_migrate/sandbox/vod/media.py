"""GetMezzanineInfo and GetVideoInfos: what became of a registration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.library import Registration, canonical_url
from vod_migrate.sandbox.vod.parameters import Parameters, invalid, missing
from vod_migrate.sandbox.vod.templates import NO_TRANSCODE

MAX_IDS: Final = 20
# What VOD_NO_TRANSCODE can play: CreateUploadVideo page.
_PLAYABLE: Final = frozenset({"mp4", "flv", "mp3", "m3u8", "webm"})
_SOURCE_CLASSES: Final = {
    "Standard": "Standard",
    "IA": "SourceIA",
    "Archive": "SourceArchive",
    "ColdArchive": "SourceColdArchive",
    "DeepColdArchive": "SourceColdArchive",
}


def video_infos(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """GetVideoInfos by VideoIds or by ReferenceIds, at most 20. Raises `VodError`."""
    by_video = bool(parameters.get("VideoIds"))
    name = "VideoIds" if by_video else "ReferenceIds"
    ids = [text for text in parameters.get(name, "").split(",") if text]
    if not ids:
        raise missing("VideoIds")
    if len(ids) > MAX_IDS:
        raise invalid(name, f"at most {MAX_IDS} ids are allowed, not {len(ids)}")
    found, absent = [], []
    for id_ in dict.fromkeys(ids):
        place = _place(world, account, **{"video_id" if by_video else "reference_id": id_})
        if place is None:
            absent.append(id_)
        else:
            found.append(_video(world, account, *place))
    if not found:
        raise VodError("InvalidVideo.NotFound", 404, "The video does not exist.")
    return {
        "VideoList": found,
        "NonExistVideoIds": absent if by_video else [],
        "NonExistReferenceIds": [] if by_video else absent,
    }


def mezzanine_info(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """GetMezzanineInfo by VideoId or ReferenceId. Nothing is decoded, so there are no streams and no duration."""
    video_id, reference_id = parameters.get("VideoId", ""), parameters.get("ReferenceId", "")
    if not video_id and not reference_id:
        raise missing("VideoId")
    place = _place(world, account, video_id=video_id, reference_id=reference_id)
    if place is None:
        raise VodError("InvalidVideo.NotFound", 404, "The video does not exist.")
    name, key, registration = place
    bucket = world.buckets.get(name)
    entry = bucket.find(key) if bucket else None
    return {
        "Mezzanine": {
            "VideoId": account.library.media_id(world.settings.seed, account.uid, name, key),
            "FileName": key,
            "FileURL": _file_url(bucket, key, registration),
            "OutputType": "oss",
            "Size": entry.size if entry else 0,
            "Status": "Normal" if entry else "Deleted",
            "StorageClass": _SOURCE_CLASSES[entry.storage_class if entry else "Standard"],
            "PreprocessStatus": "UnPreprocess",
            "CreationTime": _time(registration),
            "AudioStreamList": [],
            "VideoStreamList": [],
        }
    }


def _place(
    world: World,
    account: Account,
    *,
    video_id: str = "",
    reference_id: str = "",
) -> tuple[str, str, Registration] | None:
    library = account.library
    if video_id:
        place = library.by_media_id(video_id, world.settings.seed, account.uid)
    else:
        place = library.by_reference(reference_id)
    if place is None:
        return None
    registration = library.get(*place)
    if registration is None or world.now() - registration.at < world.settings.seen_after_ms / 1_000:
        return None
    return (*place, registration)


def _video(world: World, account: Account, name: str, key: str, registration: Registration) -> dict[str, Any]:
    bucket = world.buckets.get(name)
    entry = bucket.find(key) if bucket else None
    extras, options = registration.extras, registration.options
    row: dict[str, Any] = {
        "VideoId": account.library.media_id(world.settings.seed, account.uid, name, key),
        "Title": registration.title,
        "Description": extras.description,
        "Tags": extras.tags,
        "CoverURL": extras.cover_url,
        "CateId": extras.cate_id,
        "CateName": account.categories.name_of(extras.cate_id),
        "ReferenceId": extras.reference_id,
        "TemplateGroupId": options.template_group_id,
        "UserData": options.user_data,
        "Status": _status(key, registration),
        "Size": entry.size if entry else 0,
        "StorageClass": _SOURCE_CLASSES[entry.storage_class if entry else "Standard"],
        "StorageLocation": bucket.storage_address if bucket else name,
        "AppId": "app-1000000",
        "DownloadSwitch": "on",
        "CreationTime": _time(registration),
        "ModificationTime": _time(registration),
        "Snapshots": [],
    }
    return {label: value for label, value in row.items() if value is not None}


def _status(key: str, registration: Registration) -> str:
    options = registration.options
    if options.workflow_id or options.template_group_id not in {None, NO_TRANSCODE}:
        return "Normal"
    playable = key.rpartition(".")[2].lower() in _PLAYABLE
    return "Normal" if options.template_group_id == NO_TRANSCODE and playable else "UploadSucc"


def _file_url(bucket: Bucket | None, key: str, registration: Registration) -> str:
    if registration.file_url is not None or bucket is None:
        return registration.file_url or key
    return canonical_url(bucket.storage_address, key)


def _time(registration: Registration) -> str:
    return datetime.fromtimestamp(registration.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
