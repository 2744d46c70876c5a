"""GetVideoInfo, GetVideoInfos, BatchGetMediaInfos, GetMezzanineInfo and GetPlayInfo."""

from __future__ import annotations

from typing import Any, Final

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.library import LibraryEntry
from vod_migrate.sandbox.vod.media import APP_ID, BITRATE_KBPS, FPS, HEIGHT, WIDTH, Media, Stream, given
from vod_migrate.sandbox.vod.parameters import Parameters, invalid, missing, one_of, several_of, whole_number

MAX_IDS: Final = 20
# For the user's own bucket: GetMezzanineInfo page.
_MAX_AUTH_S: Final = 129_600
_MAX_LONG: Final = 2**63 - 1
_FORMATS: Final = ("mp4", "m3u8", "mp3", "flv", "mpd", "webm")
_DEFINITIONS: Final = ("FD", "LD", "SD", "HD", "OD", "2K", "4K", "SQ", "HQ", "AUTO")


def find(world: World, account: Account, *, video_id: str = "", reference_id: str = "") -> Media | None:
    """The media with this VideoId or ReferenceId, if queries find it yet."""
    library = account.library
    place = (
        library.by_media_id(video_id, world.settings.seed, account.uid)
        if video_id
        else library.by_reference(reference_id)
    )
    registration = library.get(*place) if place is not None else None
    if place is None or registration is None:
        return None
    media = Media(world, account, LibraryEntry(*place, registration))
    return media if media.visible else None


def one_media(world: World, account: Account, parameters: Parameters) -> Media:
    """The media that a call names by VideoId or ReferenceId."""
    video_id, reference_id = parameters.get("VideoId", ""), parameters.get("ReferenceId", "")
    if not video_id and not reference_id:
        raise missing("VideoId")
    media = find(world, account, video_id=video_id, reference_id=reference_id)
    if media is None:
        raise not_found()
    return media


def not_found() -> VodError:
    """The refusal of a media that does not exist."""
    return VodError("InvalidVideo.NotFound", 404, "The video does not exist.")


def ids_of(parameters: Parameters, name: str) -> list[str]:
    """The IDs in a parameter, at most 20, each once."""
    ids = [text for text in parameters.get(name, "").split(",") if text]
    if len(ids) > MAX_IDS:
        raise invalid(name, f"at most {MAX_IDS} IDs are allowed, not {len(ids)}")
    return list(dict.fromkeys(ids))


def video_info(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """GetVideoInfo."""
    media = one_media(world, account, parameters)
    row = {**base_row(media), **_own_row(media), "RegionId": media.region, "Snapshots": {"Snapshot": []}}
    return {"Video": row}


def video_infos(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """GetVideoInfos by VideoIds or by ReferenceIds, at most 20."""
    by_video = bool(parameters.get("VideoIds"))
    name = "VideoIds" if by_video else "ReferenceIds"
    ids = ids_of(parameters, name)
    if not ids:
        raise missing("VideoIds")
    found, absent = [], []
    for id_ in ids:
        media = find(world, account, **{"video_id" if by_video else "reference_id": id_})
        if media is None:
            absent.append(id_)
        else:
            found.append({**base_row(media), **_own_row(media), "Snapshots": []})
    if not found:
        raise not_found()
    return {
        "VideoList": found,
        "NonExistVideoIds": absent if by_video else [],
        "NonExistReferenceIds": [] if by_video else absent,
    }


def media_infos(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """BatchGetMediaInfos by MediaIds and ReferenceIds, at most 20 of each."""
    media_ids, reference_ids = ids_of(parameters, "MediaIds"), ids_of(parameters, "ReferenceIds")
    if not media_ids and not reference_ids:
        raise missing("MediaIds")
    by_id = {id_: find(world, account, video_id=id_) for id_ in media_ids}
    by_reference = {id_: find(world, account, reference_id=id_) for id_ in reference_ids}
    found = {media.id: media for media in (*by_id.values(), *by_reference.values()) if media is not None}
    return {
        "MediaInfos": [_media_info(media) for media in found.values()],
        "NonExistMediaIds": [id_ for id_, media in by_id.items() if media is None],
        "NonExistReferenceIds": [id_ for id_, media in by_reference.items() if media is None],
        "ForbiddenMediaIds": [],
    }


def mezzanine_info(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """GetMezzanineInfo. It lists streams only if AdditionType names their type."""
    output = one_of(parameters, "OutputType", ("cdn", "oss"))
    whole_number(parameters, "AuthTimeout", 3_600, least=1, most=_MAX_AUTH_S if output == "oss" else _MAX_LONG)
    wanted = several_of(parameters, "AdditionType", ("video", "audio"))
    media = one_media(world, account, parameters)
    row = {
        **_mezzanine_row(media),
        "VideoId": media.id,
        "OutputType": output,
        "StorageClass": media.storage_class,
        "PreprocessStatus": "UnPreprocess",
        "VideoStreamList": _video_streams(media) if "video" in wanted else [],
        "AudioStreamList": _audio_streams(media) if "audio" in wanted else [],
    }
    return {"Mezzanine": row}


def play_info(world: World, account: Account, parameters: Parameters) -> dict[str, Any]:
    """GetPlayInfo: the streams of a media that is Normal."""
    output = one_of(parameters, "OutputType", ("cdn", "oss"))
    one_of(parameters, "ResultType", ("Single", "Multiple"))
    whole_number(parameters, "AuthTimeout", 3_600, least=1, most=_MAX_AUTH_S if output == "oss" else _MAX_LONG)
    formats = several_of(parameters, "Formats", _FORMATS)
    definitions = several_of(parameters, "Definition", _DEFINITIONS)
    kinds = several_of(parameters, "StreamType", ("video", "audio"))
    media = one_media(world, account, parameters)
    if media.status != "Normal":
        raise VodError(
            "Forbidden.IllegalStatus", 403, f"Status of the video is illegal. Current Status is {media.status}."
        )
    streams = [
        stream for stream in media.streams
        if (not formats or stream.format in formats)
        and (not definitions or stream.definition in definitions)
        and (not kinds or media.kind in kinds)
    ]  # fmt: skip
    if not streams:
        raise VodError(
            "InvalidVideo.NoneStream", 404,
            "The video has no stream to play for the request parameter "
            f"'Formats: {','.join(formats)}, Definition: {','.join(definitions)}, StreamType: {','.join(kinds)}'.",
        )  # fmt: skip
    base = {
        "VideoId": media.id,
        "Title": media.registration.title,
        "CoverURL": media.registration.extras.cover_url,
        "CreationTime": media.created,
        "Duration": _text(media.duration_s),
        "MediaType": media.kind,
        "Status": media.status,
        "StorageClass": media.storage_class,
    }
    return {"VideoBase": given(base), "PlayInfoList": {"PlayInfo": [_play_row(media, stream) for stream in streams]}}


def base_row(media: Media) -> dict[str, Any]:
    """The fields that all replies about a video share."""
    registration = media.registration
    extras = registration.extras
    row = {
        "VideoId": media.id,
        "Title": registration.title,
        "Description": extras.description,
        "Tags": extras.tags,
        "CoverURL": extras.cover_url,
        "CateId": extras.cate_id,
        "CateName": media.cate_name,
        "ReferenceId": extras.reference_id,
        "Status": media.status,
        "Size": media.size,
        "Duration": media.duration_s,
        "StorageClass": media.storage_class,
        "StorageLocation": media.storage_location,
        "AppId": APP_ID,
        "CreationTime": media.created,
        "ModificationTime": media.modified,
    }
    return given(row)


def _own_row(media: Media) -> dict[str, Any]:
    options = media.registration.options
    return given({
        "TemplateGroupId": options.template_group_id, "UserData": options.user_data, "DownloadSwitch": "on",
    })  # fmt: skip


def _media_info(media: Media) -> dict[str, Any]:
    info = {**base_row(media), **_own_row(media), "MediaId": media.id, "Snapshots": []}
    # This reply has them elsewhere: the ID as MediaId, the others in MezzanineInfo.
    for name in ("VideoId", "Size", "Duration"):
        info.pop(name, None)
    mezzanine = {
        **_mezzanine_row(media),
        "MediaId": media.id,
        "VideoStreamList": _video_streams(media),
        "AudioStreamList": _audio_streams(media),
    }
    plays = [
        given({**_play_row(media, stream), "TemplateGroupId": media.registration.options.template_group_id})
        for stream in media.streams
    ]
    return {"MediaId": media.id, "MediaInfo": info, "MezzanineInfo": mezzanine, "PlayInfoList": plays}


def _mezzanine_row(media: Media) -> dict[str, Any]:
    picture = media.analysed and media.kind == "video"
    return given({
        "FileName": media.key,
        "FileURL": media.file_url,
        "Size": media.size,
        "Status": "Normal" if media.source else "Deleted",
        "CreationTime": media.created,
        "Duration": _text(media.duration_s),
        "Bitrate": BITRATE_KBPS if media.analysed else None,
        "Fps": FPS if picture else None,
        "Width": WIDTH if picture else None,
        "Height": HEIGHT if picture else None,
    })  # fmt: skip


def _video_streams(media: Media) -> list[dict[str, Any]]:
    if not media.analysed or media.kind != "video":
        return []
    return [{
        "Index": "0", "CodecName": "h264", "Width": str(WIDTH), "Height": str(HEIGHT), "Fps": FPS,
        "Bitrate": BITRATE_KBPS, "Duration": _text(media.duration_s),
    }]  # fmt: skip


def _audio_streams(media: Media) -> list[dict[str, Any]]:
    if not media.analysed:
        return []
    return [{
        "Index": "1" if media.kind == "video" else "0", "CodecName": "aac", "Channels": "2",
        "ChannelLayout": "stereo", "SampleRate": "44100", "Bitrate": "128", "Duration": _text(media.duration_s),
    }]  # fmt: skip


def _play_row(media: Media, stream: Stream) -> dict[str, Any]:
    picture = media.kind == "video"
    return given({
        "JobId": stream.job_id,
        "Format": stream.format,
        "Definition": stream.definition,
        "PlayURL": stream.url,
        "Status": "Normal",
        "StreamType": media.kind,
        "Encrypt": 0,
        "NarrowBandType": "0",
        "Bitrate": BITRATE_KBPS,
        "Duration": _text(media.duration_s),
        "Size": media.size,
        "Fps": FPS if picture else None,
        "Width": WIDTH if picture else None,
        "Height": HEIGHT if picture else None,
        "CreationTime": media.created,
        "ModificationTime": media.modified,
    })  # fmt: skip


def _text(number: float | None) -> str | None:
    return None if number is None else f"{number:.4f}"
