"""The value objects that travel from OSS to VOD: frozen, keyword-only, no behaviour beyond their own shape.

==============  =====================================================  =======================
MediaObject     a file in OSS, as listed                               discover → select
RestoredCopy    the readable copy of an archived object                discover → select
BrokenRow       a row of a manifest that cannot be used                discover → record
Description     its RegisterMetadata                                   describe → batch
Rejected        what cannot be used, as a code and a sentence          raised, or returned
Entry           a claimed object with its description and URL          batch → register
Batch           up to 10 entries of one storage address                one RegisterMedia call
Outcome         what a call meant for one entry                        register → record
Reply           a call's RequestId and its outcomes, one per entry     register → record
==============  =====================================================  =======================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

FILES_PER_CALL = 10
"""RegisterMedia takes up to 10 files a call (RegisterMedia page, 2025-12)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoredCopy:
    """The readable copy of an archived object. ready: False while it is being made; expires: None until then."""

    ready: bool
    expires: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaObject:
    """A file in OSS: size in bytes, etag without quotes, last_modified with its time zone; None: a manifest did not say.

    restored: of an archived object, None where it has no copy or the source does not say. row: what a manifest says about it besides, by column;
    where: its place in a manifest, as a person finds it. same_as: a registered key with the same size and ETag, '' for none.
    """

    bucket: str
    key: str
    size: int | None
    etag: str | None
    last_modified: datetime | None
    storage_class: str | None = "Standard"
    restored: RestoredCopy | None = None
    row: Mapping[str, Any] = field(default_factory=dict, hash=False)
    where: str = field(default="", compare=False)
    same_as: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenRow:
    """A row of a manifest or inventory that names an object and cannot be used: a failed result of its own.

    key: as far as the row tells it; code: ours, beginning with row_; message: names the row, the value and the fix.
    """

    key: str
    code: str
    message: str


class Rejected(Exception):
    """A row, an object or a value that cannot be used. Raised where that is found, and returned to whoever counts it.

    code: ours, in snake_case; message: names the value and the fix.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """The RegisterMetadata of an object but for its FileURL; every text within the documented bytes."""

    title: str
    description: str | None = None
    tags: tuple[str, ...] = ()
    cover_url: str | None = None
    cate_id: int | None = None
    reference_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A claimed object, described and ready to send; its key names it within its run.

    attempts: answers about this object so far that were a refusal; no_answers: replies that did not name it.
    """

    key: str
    file_url: str
    description: Description
    attempts: int = 0
    no_answers: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Up to 10 entries of one storage address: one RegisterMedia call."""

    storage_address: str
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def split(self) -> tuple[Batch, Batch]:
        """Two halves, the larger first; for a call that was refused as a whole."""
        middle = (len(self.entries) + 1) // 2
        return replace(self, entries=self.entries[:middle]), replace(self, entries=self.entries[middle:])


class Verdict(StrEnum):
    """What a call meant for one object."""

    REGISTERED = "registered"
    ALREADY_REGISTERED = "already_registered"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a call meant for the entry with that key; media_id where it is registered, code and message where it is not."""

    key: str
    verdict: Verdict
    media_id: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A call that was answered: exactly one outcome for every entry of its batch."""

    request_id: str | None
    outcomes: tuple[Outcome, ...]
