"""What is registered: the truth of the sandbox. It is kept small, because a rehearsal may register millions of files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What a RegisterMedia call says about all its files. Only the template group or the workflow that applies is set."""

    template_group_id: str | None = None
    workflow_id: str | None = None
    user_data: str | None = None
    enable_first_frame_cover: bool | None = None
    generate_thumbnail: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """The metadata that few files have."""

    description: str | None = None
    tags: str | None = None
    cover_url: str | None = None
    cate_id: int | None = None
    reference_id: str | None = None


NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed after the registration, and when. A value overrides what follows from the registration."""

    modified_at: float
    status: str | None = None
    size: int | None = None
    file_key: str | None = None


class Registration:
    """One registered file. The MediaId is not stored: it is computed from seed, account, bucket and key.

    `size` (bytes) and `source` describe the object when it was registered. `source` is the format of its content, or
    `archived`.
    """

    __slots__ = ("at", "changes", "extras", "file_url", "options", "registrations", "size", "source", "title")

    def __init__(
        self,
        *,
        title: str,
        extras: Extras,
        options: CallOptions,
        file_url: str | None,
        at: float,
        size: int,
        source: str,
        changes: Changes | None = None,
    ) -> None:
        self.title = title
        self.extras = extras
        self.options = options
        self.file_url = file_url
        self.at = at
        self.size = size
        self.source = source
        self.changes = changes
        self.registrations = 1


class LibraryEntry(NamedTuple):
    """Where a media is in its library, and what it is."""

    bucket: str
    key: str
    registration: Registration


class Library:
    """The media of one account, by bucket and key. `version` grows with every change."""

    def __init__(self) -> None:
        self._media: dict[str, dict[str, Registration]] = {}
        self._references: dict[str, tuple[str, str]] = {}
        self._options: dict[CallOptions, CallOptions] = {}
        self._by_id: dict[str, tuple[str, str]] | None = None
        self._in_order: list[LibraryEntry] | None = None
        self._deletions: Counter[tuple[str, str]] = Counter()
        self._seed = 0
        self.version = 0

    def media_id(self, seed: int, uid: str, bucket: str, key: str) -> str:
        """32 lower-case hex digits, always the same for a file until its media is deleted."""
        deletions = self._deletions.get((bucket, key))
        text = f"{seed}\0{uid}\0{bucket}\0{key}" + (f"\0{deletions}" if deletions else "")
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def get(self, bucket: str, key: str) -> Registration | None:
        """What is registered under that key."""
        return self._media.get(bucket, {}).get(key)

    def add(self, bucket: str, key: str, registration: Registration, media_id: str) -> None:
        """Register a file. Calls with the same options share them."""
        registration.options = self._options.setdefault(registration.options, registration.options)
        self._media.setdefault(bucket, {})[key] = registration
        self._refer(bucket, key, registration.extras.reference_id)
        if self._by_id is not None:
            self._by_id[media_id] = bucket, key
        if self._in_order is not None:
            self._in_order.append(LibraryEntry(bucket, key, registration))
        self.version += 1

    def change(self, bucket: str, key: str, *, title: str, extras: Extras, changes: Changes) -> None:
        """Replace the metadata and the changes of a media."""
        registration = self._media[bucket][key]
        if registration.extras.reference_id != extras.reference_id:
            self._references.pop(registration.extras.reference_id or "", None)
            self._refer(bucket, key, extras.reference_id)
        registration.title, registration.extras, registration.changes = title, extras, changes
        self.version += 1

    def remove(self, bucket: str, key: str, media_id: str) -> None:
        """Delete a media. Registering its file again makes another media with another MediaId."""
        registration = self._media[bucket].pop(key)
        self._references.pop(registration.extras.reference_id or "", None)
        if self._by_id is not None:
            self._by_id.pop(media_id, None)
        self._deletions[bucket, key] += 1
        self.version += 1

    def by_reference(self, reference_id: str) -> tuple[str, str] | None:
        """Bucket and key of a ReferenceId."""
        return self._references.get(reference_id)

    def by_media_id(self, media_id: str, seed: int, uid: str) -> tuple[str, str] | None:
        """Bucket and key of a MediaId. The index is built at the first call, because most rehearsals need none."""
        if self._by_id is None or self._seed != seed:
            self._seed = seed
            self._by_id = {
                self.media_id(seed, uid, bucket, key): (bucket, key)
                for bucket, media in self._media.items()
                for key in media
            }
        return self._by_id.get(media_id)

    def in_order(self) -> Sequence[LibraryEntry]:
        """Every media in the order of registration, including deleted ones (see `exists`). Built at the first call."""
        if self._in_order is None:
            self._build_order()
        return self._in_order or []

    def exists(self, place: LibraryEntry) -> bool:
        """Whether a media of `in_order` has not been deleted."""
        return self.get(place.bucket, place.key) is place.registration

    def truth(self, seed: int, uid: str, bucket: str, address: str) -> Iterator[dict[str, Any]]:
        """Everything registered from a bucket, in the order of registration."""
        for key, registration in list(self._media.get(bucket, {}).items()):
            extras, options = registration.extras, registration.options
            yield {
                "bucket": bucket,
                "key": key,
                "media_id": self.media_id(seed, uid, bucket, key),
                "title": registration.title,
                "description": extras.description,
                "tags": extras.tags,
                "cate_id": extras.cate_id,
                "cover_url": extras.cover_url,
                "reference_id": extras.reference_id,
                "template_group_id": options.template_group_id,
                "workflow_id": options.workflow_id,
                "user_data": options.user_data,
                "enable_first_frame_cover": options.enable_first_frame_cover,
                "generate_thumbnail": options.generate_thumbnail,
                "file_url": registration.file_url or canonical_url(address, key),
                "registrations": registration.registrations,
                "registered_at": registration.at,
            }

    def _refer(self, bucket: str, key: str, reference_id: str | None) -> None:
        if reference_id:
            self._references[reference_id] = bucket, key

    def _build_order(self) -> None:
        places = [
            LibraryEntry(bucket, key, found) for bucket, media in self._media.items() for key, found in media.items()
        ]
        # The sort is stable: files of one call have the same time and keep their order.
        places.sort(key=lambda place: place.registration.at)
        self._in_order = places


def canonical_url(address: str, key: str) -> str:
    """The FileURL that most clients send: https, percent-encoded."""
    return f"https://{address}/{quote(key, safe='/~')}"
