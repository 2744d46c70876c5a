"""UpdateVideoInfos: new titles, descriptions, tags, covers and categories, for at most 20 media."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.library import Changes, Extras
from vod_migrate.sandbox.vod.media import Media
from vod_migrate.sandbox.vod.metadata import MAX_TITLE_BYTES, MAX_URL_BYTES, no_emoji, read_extras, read_text
from vod_migrate.sandbox.vod.parameters import Parameters, invalid, required
from vod_migrate.sandbox.vod.videos import MAX_IDS, find

_KEYS: Final = frozenset({"VideoId", "ReferenceId", "Title", "Description", "Tags", "CoverURL", "CateId"})
_EXTRAS: Final = {
    "Description": "description", "Tags": "tags", "CoverURL": "cover_url", "CateId": "cate_id",
}  # fmt: skip


def update_video_infos(world: World, account: Account, parameters: Parameters) -> tuple[dict[str, Any], int]:
    """Returns the reply, and how many media changed. A call that breaks a rule changes nothing."""
    items = _read(required(parameters, "UpdateContent"))
    checked = [_check(place, item, account) for place, item in enumerate(items)]
    absent_videos: list[str] = []
    absent_references: list[str] = []
    changed = 0
    for item, (title, extras) in zip(items, checked, strict=True):
        video_id, reference_id = item.get("VideoId", ""), item.get("ReferenceId", "")
        media = find(world, account, video_id=video_id, reference_id=reference_id)
        if media is None:
            (absent_videos if video_id else absent_references).append(video_id or reference_id)
            continue
        _apply(world, account, media, item, title, extras)
        changed += 1
    reply = {
        "NonExistVideoIds": absent_videos,
        "NonExistReferenceIds": absent_references,
        "ForbiddenVideoIds": [],
    }
    return reply, changed


def _read(text: str) -> list[dict[str, Any]]:
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise invalid("UpdateContent", "it must be a JSON list of objects")
    if len(items) > MAX_IDS:
        raise VodError("CountExceededMax", 400, f"At most {MAX_IDS} videos can be updated, not {len(items)}.")
    return items


def _check(place: int, item: dict[str, Any], account: Account) -> tuple[str | None, Extras]:
    where = f"UpdateContent[{place}]"
    unknown = item.keys() - _KEYS
    if unknown:
        raise invalid(f"{where}.{min(unknown)}", f"unknown; known: {', '.join(sorted(_KEYS))}")
    if not (read_text(where, item, "VideoId", MAX_URL_BYTES) or read_text(where, item, "ReferenceId", MAX_URL_BYTES)):
        raise invalid(f"{where}.VideoId", "it is required")
    title = read_text(where, item, "Title", MAX_TITLE_BYTES)
    if title == "":
        raise invalid(f"{where}.Title", "it must not be empty")
    no_emoji(f"{where}.Title", title or "")
    described = {name: value for name, value in item.items() if name != "ReferenceId"}
    return title, read_extras(where, described, account.categories)


def _apply(
    world: World, account: Account, media: Media, item: dict[str, Any], title: str | None, extras: Extras
) -> None:
    registration = media.registration
    given = {name: getattr(extras, name) for label, name in _EXTRAS.items() if label in item}
    before = registration.changes or Changes(modified_at=0)
    bucket, key, _ = media.place
    account.library.change(
        bucket,
        key,
        title=registration.title if title is None else title,
        extras=replace(registration.extras, **given),
        changes=replace(before, modified_at=round(world.process_time(), 3)),
    )
    if world.journal is not None:
        world.journal.changed(account.uid, bucket, key, registration)
