"""What the three books can say about an object: they agree, or differ in one of some named ways."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from vod_migrate.media import MediaObject


class Mark(StrEnum):
    """Where an object stands: agreed, new in OSS, gone from it, different, or not compared."""

    AGREES = "agrees"
    NEW = "new"
    GONE = "gone"
    DIFFERS = "differs"
    UNCHECKED = "unchecked"

    @property
    def sign(self) -> str:
        """One character for a terminal."""
        return {"agrees": "=", "new": "+", "gone": "-", "differs": "!", "unchecked": "?"}[self.value]


class Repair(StrEnum):
    """What can be done about a drift."""

    REGISTER = "register"
    MARK_GONE = "mark_gone"
    TAKE_BACK = "take_back"
    FORGET = "forget"
    FORGET_AND_REGISTER = "forget_and_register"
    IMPORT = "import"


class Drift(StrEnum):
    """One way in which the books agree or differ."""

    SAME = "same"
    KNOWN_GONE = "known_gone"
    NEW = "new"
    GONE = "gone"
    FAILED_AND_GONE = "failed_and_gone"
    MEDIA_WITHOUT_FILE = "media_without_file"
    MEDIA_DELETED = "media_deleted"
    OTHER_FILE = "other_file"
    MEDIA_BLOCKED = "media_blocked"
    MEDIA_FAILED = "media_failed"
    SOURCE_DELETED = "source_deleted"
    RETURNED = "returned"
    SIZE_CHANGED = "size_changed"
    CONTENT_CHANGED = "content_changed"
    SIZE_IN_VOD = "size_in_vod"
    FAILED = "failed"
    NOT_RECORDED = "not_recorded"
    SECOND_MEDIA = "second_media"
    MEDIA_ID_TAKEN = "media_id_taken"
    OWNED_ELSEWHERE = "owned_elsewhere"
    LEFT_OUT = "left_out"
    ARCHIVED = "archived"
    QUEUED = "queued"
    PROCESSING = "processing"
    HIDDEN = "hidden"
    NOT_SAMPLED = "not_sampled"
    NOT_ASKED = "not_asked"

    @property
    def mark(self) -> Mark:
        """Where an object of this kind stands."""
        return KINDS[self].mark

    @property
    def differs(self) -> bool:
        """Whether the books say different things."""
        return self.mark not in (Mark.AGREES, Mark.UNCHECKED)


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftKind:
    """A drift in words. meaning: one sentence; fix: what to do, '' where there is nothing; repair: None where no command can do it.

    deletes: whether the fix may be to delete a media whose file is still wanted.
    """

    meaning: str
    mark: Mark = Mark.DIFFERS
    fix: str = ""
    repair: Repair | None = None
    deletes: bool = False


KINDS: dict[Drift, DriftKind] = {
    Drift.SAME: DriftKind(mark=Mark.AGREES, meaning="OSS, the results and VOD agree."),
    Drift.KNOWN_GONE: DriftKind(mark=Mark.AGREES, meaning="The object is no longer in OSS, as the results record."),
    Drift.NEW: DriftKind(
        mark=Mark.NEW,
        meaning="OSS lists an object that the migration selects, and it has no result.",
        fix="Register it: `vod-migrate run FILE`.",
        repair=Repair.REGISTER,
    ),
    Drift.GONE: DriftKind(
        mark=Mark.GONE,
        meaning="A registered object is no longer in OSS.",
        fix="Record that it is gone; its media in VOD can no longer be played from the bucket.",
        repair=Repair.MARK_GONE,
    ),
    Drift.FAILED_AND_GONE: DriftKind(
        mark=Mark.GONE,
        meaning="An object that could not be registered is no longer in OSS.",
        fix="Forget its failure.",
        repair=Repair.FORGET,
    ),
    Drift.MEDIA_WITHOUT_FILE: DriftKind(
        mark=Mark.GONE,
        meaning="VOD has a media of a file that is no longer in OSS, and the results have no record of it.",
        fix="Delete the media in VOD, or put the file back.",
    ),
    Drift.MEDIA_DELETED: DriftKind(
        meaning="The MediaId does not exist in VOD: somebody deleted the media.",
        fix="Forget the MediaId and register the object again.",
        repair=Repair.FORGET_AND_REGISTER,
    ),
    Drift.OTHER_FILE: DriftKind(
        meaning="In VOD, the media has the address of another file.",
        fix="Find out who changed it (`vod-migrate explain MEDIA_ID`); delete the media in VOD to have both registered again.",
        deletes=True,
    ),
    Drift.MEDIA_BLOCKED: DriftKind(
        meaning="VOD has blocked the media.",
        fix="See its review in the VOD console, and unblock or delete it there.",
        deletes=True,
    ),
    Drift.MEDIA_FAILED: DriftKind(
        meaning="VOD could not process the media.",
        fix="See why with `vod-migrate verify`; correct the file, delete the media in VOD, then reconcile again.",
        deletes=True,
    ),
    Drift.SOURCE_DELETED: DriftKind(
        meaning="VOD reports the source file as deleted, but OSS lists the object.",
        fix="Check that VOD may read the bucket, then verify again.",
    ),
    Drift.RETURNED: DriftKind(
        meaning="The results record the object as gone, but OSS lists it.",
        fix="Record that it is back.",
        repair=Repair.TAKE_BACK,
    ),
    Drift.SIZE_CHANGED: DriftKind(
        meaning="The size of the object has changed since it was registered.",
        fix="To have VOD process the new content, delete the media in VOD, then reconcile again.",
        deletes=True,
    ),
    Drift.CONTENT_CHANGED: DriftKind(
        meaning="The ETag of the object has changed since it was registered: its content was replaced.",
        fix="To have VOD process the new content, delete the media in VOD, then reconcile again.",
        deletes=True,
    ),
    Drift.SIZE_IN_VOD: DriftKind(
        meaning="The size in VOD differs from that in OSS, although the object has not changed since it was registered.",
        fix="Compare both with `vod-migrate explain`; delete the media in VOD to have it registered again.",
        deletes=True,
    ),
    Drift.FAILED: DriftKind(
        meaning="The object could not be registered.",
        fix="See why with `vod-migrate report`, then `vod-migrate run FILE --mode failed`.",
    ),
    Drift.NOT_RECORDED: DriftKind(
        meaning="VOD has a media of the object, registered by somebody else, and the results have no record of it.",
        fix="Import it: it becomes a result without a call.",
        repair=Repair.IMPORT,
    ),
    Drift.SECOND_MEDIA: DriftKind(
        meaning="VOD has another media of the same file; the one in the results is used, otherwise the oldest.",
        fix="Delete the unused media in VOD.",
        deletes=True,
    ),
    Drift.MEDIA_ID_TAKEN: DriftKind(
        meaning="VOD has a media of the object under a MediaId that belongs to another object in the results.",
        fix="Look at both with `vod-migrate explain`; delete the media in VOD to have both registered again.",
        deletes=True,
    ),
    Drift.OWNED_ELSEWHERE: DriftKind(
        meaning="The result of an object that this migration selects belongs to another migration.",
        fix="Narrow one of the two, or hand the results over: `vod-migrate transfer`.",
    ),
    Drift.LEFT_OUT: DriftKind(
        meaning="A registered object is in OSS, but the migration no longer selects it.",
        fix="Widen `select`, or delete its media in VOD.",
        deletes=True,
    ),
    Drift.ARCHIVED: DriftKind(
        mark=Mark.UNCHECKED,
        meaning="The object was archived after its registration, so VOD cannot read it and it was not looked up.",
    ),
    Drift.QUEUED: DriftKind(mark=Mark.UNCHECKED, meaning="An active run has the object in its queue."),
    Drift.PROCESSING: DriftKind(
        mark=Mark.UNCHECKED,
        meaning="VOD is still processing the media, or does not show it yet: compare again later.",
    ),
    Drift.HIDDEN: DriftKind(
        mark=Mark.UNCHECKED,
        meaning="VOD returns neither the media nor a report that it does not exist: the credentials may lack access to its application.",
    ),
    Drift.NOT_SAMPLED: DriftKind(
        mark=Mark.UNCHECKED, meaning="OSS and the results agree; the object was not in the sample for VOD."
    ),
    Drift.NOT_ASKED: DriftKind(
        mark=Mark.UNCHECKED, meaning="OSS and the results agree; the lookup in VOD was not possible."
    ),
}

REPAIRABLE = tuple(drift for drift, kind in KINDS.items() if kind.repair is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgment:
    """What the books say about one object, or about one more media of its file.

    detail: what differs, in words, '' where the kind says everything. object: as OSS lists it, None where it does not. settled_at: of its fact,
    None where there is none.
    """

    drift: Drift
    key: str
    media_id: str | None = None
    detail: str = ""
    object: MediaObject | None = None
    settled_at: dt.datetime | None = None
