"""What somebody does in the VOD console behind the client's back: register, change and delete media."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from pydantic import Field, model_validator

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.errors import BadRequest
from vod_migrate.sandbox.model import Strict
from vod_migrate.sandbox.objects.content import extension_of
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.library import NO_EXTRAS, CallOptions, Changes, LibraryEntry
from vod_migrate.sandbox.vod.media import STATUSES, Media
from vod_migrate.sandbox.vod.metadata import MAX_TITLE_BYTES
from vod_migrate.sandbox.vod.register import EXTENSIONS, new_registration


class MediaName(Strict):
    """One media of an account, by bucket and key or by MediaId."""

    account: str | None = None
    bucket: str | None = None
    key: str | None = None
    media_id: str | None = None

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.media_id is None) == (self.bucket is None or self.key is None):
            raise ValueError("name the media by bucket and key, or by media_id")
        return self


class MediaChange(MediaName):
    """Changes of one media; fields that are not given stay as they are."""

    title: str | None = None
    description: str | None = None
    tags: str | None = None
    cover_url: str | None = None
    cate_id: int | None = None
    reference_id: str | None = None
    status: str | None = Field(default=None, description="a Status that overrides the processing; null removes it")
    size: int | None = Field(default=None, ge=0, description="the size that VOD reports")
    file_key: str | None = Field(default=None, description="another object of the bucket as its source file")

    @model_validator(mode="after")
    def _known_status(self) -> Self:
        if self.status not in {None, *STATUSES}:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}")
        return self


class MediaImport(Strict):
    """Objects to register: those of a bucket with this prefix and an extension that VOD supports."""

    account: str | None = None
    bucket: str
    prefix: str = ""
    template_group_id: str | None = "VOD_NO_TRANSCODE"


def import_media(world: World, order: MediaImport) -> int:
    """Register the objects that are not registered yet. Returns how many."""
    account, bucket = world.account(order.account), world.bucket(order.bucket)
    library, count, now = account.library, 0, round(world.process_time(), 3)
    options = CallOptions(template_group_id=order.template_group_id)
    for key, entry in bucket.scan(order.prefix):
        if not key.startswith(order.prefix):
            break
        if entry is None or extension_of(key) not in EXTENSIONS or library.get(bucket.name, key) is not None:
            continue
        title = key.rpartition("/")[2].encode()[:MAX_TITLE_BYTES].decode(errors="ignore")
        registration = new_registration(
            bucket, entry, title=title, extras=NO_EXTRAS, options=options, file_url=None, now=now
        )
        library.add(
            bucket.name, key, registration, library.media_id(world.settings.seed, account.uid, bucket.name, key)
        )
        count += 1
        if world.journal is not None:
            world.journal.effect(account.uid, bucket.name, key, registration)
    _keep(world)
    return count


def change_media(world: World, change: MediaChange) -> dict[str, Any]:
    """Change one media. Returns its new state."""
    account, media = _find(world, change)
    bucket, key, registration = media.place
    given = change.model_dump(exclude_unset=True)
    extras = {name: given[name] for name in type(registration.extras).__dataclass_fields__ if name in given}
    state = {name: given[name] for name in ("status", "size", "file_key") if name in given}
    before = registration.changes or Changes(modified_at=0)
    account.library.change(
        bucket,
        key,
        title=registration.title if change.title is None else change.title,
        extras=replace(registration.extras, **extras),
        changes=replace(before, modified_at=round(world.process_time(), 3), **state),
    )
    if world.journal is not None:
        world.journal.changed(account.uid, bucket, key, registration)
    _keep(world)
    return describe(media)


def delete_media(world: World, name: MediaName) -> dict[str, Any]:
    """Delete one media, but not its source file. Returns its last state."""
    account, media = _find(world, name)
    was = describe(media)
    bucket, key, _ = media.place
    account.library.remove(bucket, key, media.id)
    if world.journal is not None:
        world.journal.deleted(account.uid, bucket, key)
    _keep(world)
    return was


def describe(media: Media) -> dict[str, Any]:
    """One media as the control API shows it."""
    return {
        "bucket": media.place.bucket,
        "key": media.place.key,
        "media_id": media.id,
        "title": media.registration.title,
        "status": media.status,
        "size": media.size,
        "source": media.registration.source,
        "file_url": media.file_url,
    }


def show_media(world: World, name: MediaName) -> dict[str, Any]:
    """One media."""
    return describe(_find(world, name)[1])


def _find(world: World, name: MediaName) -> tuple[Account, Media]:
    account = world.account(name.account)
    place = (
        (name.bucket or "", name.key or "")
        if name.media_id is None
        else account.library.by_media_id(name.media_id, world.settings.seed, account.uid)
    )
    registration = account.library.get(*place) if place is not None else None
    if place is None or registration is None:
        raise BadRequest(f"There is no media {name.media_id or f'of {name.bucket}/{name.key}'}.", status=404)
    return account, Media(world, account, LibraryEntry(*place, registration))


def _keep(world: World) -> None:
    if world.journal is not None:
        world.journal.call("", signed="", fault=None)
