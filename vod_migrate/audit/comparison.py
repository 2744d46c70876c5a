"""Judges one object by what OSS, the results and VOD say about it. Pure: what is asked is asked elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vod_migrate.audit.drift import Drift, Judgment
from vod_migrate.audit.media_states import MediaAnswer, MediaState
from vod_migrate.discover.selection import ARCHIVE_REASONS
from vod_migrate.media import MediaObject
from vod_migrate.results.books import Fact, LibraryMedia
from vod_migrate.results.verifications import Playback

_OF_TIME = ("not_modified_since", "too_old", "too_new", "time_unknown")
"""Why a run leaves an object out that another one takes: it says nothing about what is registered."""
_BLOCKED = "Blocked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A registered object about whose media VOD is to be asked. unasked: what is to be said if it is not; others: further media of its file."""

    object: MediaObject
    fact: Fact
    media_id: str
    unasked: Judgment
    others: Sequence[LibraryMedia] = ()


def listed(
    found: MediaObject, reason: str | None, fact: Fact | None, media: Sequence[LibraryMedia], *, queued: bool
) -> Iterator[Judgment | Question]:
    """What an object that OSS lists comes to. reason: why the selection leaves it out; media: of its file, unknown to the results."""
    if reason in _OF_TIME:
        reason = None if fact is not None else reason
    if fact is None:
        if reason is None:
            yield from _unrecorded(found, media, Drift.QUEUED if queued else Drift.NEW)
    elif not fact.own:
        if reason is None:
            yield _judgment(Drift.OWNED_ELSEWHERE, found, fact, fact.migration)
    elif not fact.registered or fact.media_id is None:
        yield from _unrecorded(found, media, Drift.FAILED, fact)
    else:
        yield from _registered(found, reason, fact, fact.media_id, media)


def not_listed(fact: Fact) -> Judgment:
    """What a fact comes to whose object OSS does not list."""
    if not fact.registered:
        return Judgment(drift=Drift.FAILED_AND_GONE, key=fact.key, detail=fact.code or "", settled_at=fact.settled_at)
    drift = Drift.KNOWN_GONE if fact.gone else Drift.GONE
    return Judgment(drift=drift, key=fact.key, media_id=fact.media_id, settled_at=fact.settled_at)


def without_file(media: LibraryMedia) -> Judgment:
    """What a media comes to whose file OSS does not list."""
    return Judgment(drift=Drift.MEDIA_WITHOUT_FILE, key=media.key, media_id=media.media_id)


def answered(question: Question, answer: MediaAnswer, *, processed: bool) -> Iterator[Judgment]:
    """What an object comes to by VOD's answer. processed: whether VOD was asked to process the media."""
    found, fact, others = question.object, question.fact, question.others
    state = answer.found.get(question.media_id)
    if state is None and question.media_id not in answer.absent:
        yield question.unasked if question.unasked.drift is not Drift.SAME else _judgment(Drift.HIDDEN, found, fact)
    elif state is None and fact.recent:
        yield _judgment(Drift.PROCESSING, found, fact)
    elif state is None:
        # The oldest of the others is what VOD will answer with when the object is registered again.
        yield _judgment(Drift.MEDIA_DELETED, found, fact)
        others = others[1:]
    else:
        drift, detail = _in_vod(found, state, processed=processed)
        by_vod = _judgment(drift, found, fact, detail)
        yield question.unasked if drift in _AFTER_OSS and question.unasked.drift is not Drift.SAME else by_vod
    for other in others:
        yield _second(found, other, question.media_id)


_AFTER_OSS = (Drift.SAME, Drift.PROCESSING, Drift.SIZE_IN_VOD)
"""What is said only where OSS and the results agree: a file that was replaced has another size in VOD, too."""


def _registered(
    found: MediaObject, reason: str | None, fact: Fact, media_id: str, media: Sequence[LibraryMedia]
) -> Iterator[Judgment | Question]:
    drift, detail = _in_oss(found, fact)
    unasked = _judgment(drift, found, fact, detail)
    if reason is None:
        yield Question(object=found, fact=fact, media_id=media_id, unasked=unasked, others=media)
        return
    if drift is not Drift.SAME:
        yield unasked
    elif reason in ARCHIVE_REASONS:
        yield _judgment(Drift.ARCHIVED, found, fact)
    else:
        yield _judgment(Drift.LEFT_OUT, found, fact, reason)
    for other in media:
        yield _second(found, other, media_id)


def _unrecorded(
    found: MediaObject, media: Sequence[LibraryMedia], otherwise: Drift, fact: Fact | None = None
) -> Iterator[Judgment]:
    """An object without a MediaId in the results: the oldest media of its file is the one with which VOD would answer."""
    if not media:
        yield _judgment(otherwise, found, fact, "" if fact is None else fact.code or "")
        return
    oldest = media[0]
    yield Judgment(
        drift=Drift.NOT_RECORDED if oldest.holder is None else Drift.MEDIA_ID_TAKEN,
        key=found.key,
        media_id=oldest.media_id,
        detail="" if oldest.holder is None else f"the results gave it to {oldest.holder}",
        object=found,
        settled_at=None if fact is None else fact.settled_at,
    )
    for other in media[1:]:
        yield _second(found, other, oldest.media_id)


def _in_oss(found: MediaObject, fact: Fact) -> tuple[Drift, str]:
    if fact.gone:
        return Drift.RETURNED, ""
    if fact.size is not None and found.size is not None and fact.size != found.size:
        return Drift.SIZE_CHANGED, f"{fact.size:,} bytes recorded, {found.size:,} in OSS"
    if fact.etag is not None and found.etag is not None and fact.etag != found.etag:
        return Drift.CONTENT_CHANGED, f"ETag {fact.etag} recorded, {found.etag} in OSS"
    return Drift.SAME, ""


def _in_vod(found: MediaObject, state: MediaState, *, processed: bool) -> tuple[Drift, str]:
    # A file at a custom domain names no bucket.
    if state.key != found.key or state.bucket not in (found.bucket, ""):
        return Drift.OTHER_FILE, f"VOD: {state.bucket or found.bucket}/{state.key}"
    playback = state.playback(found.key, None, processed=processed)
    if playback is Playback.FAILED:
        return Drift.MEDIA_BLOCKED if state.status == _BLOCKED else Drift.MEDIA_FAILED, state.status
    if playback is Playback.SOURCE_DELETED:
        return Drift.SOURCE_DELETED, ""
    if state.size is not None and found.size is not None and state.size != found.size:
        return Drift.SIZE_IN_VOD, f"{found.size:,} bytes in OSS, {state.size:,} in VOD"
    return (Drift.PROCESSING if playback is Playback.PROCESSING else Drift.SAME), ""


def _judgment(drift: Drift, found: MediaObject, fact: Fact | None, detail: str = "") -> Judgment:
    return Judgment(
        drift=drift,
        key=found.key,
        media_id=None if fact is None else fact.media_id,
        detail=detail,
        object=found,
        settled_at=None if fact is None else fact.settled_at,
    )


def _second(found: MediaObject, other: LibraryMedia, first: str) -> Judgment:
    return Judgment(
        drift=Drift.SECOND_MEDIA, key=found.key, media_id=other.media_id, detail=f"beside {first}", object=found
    )
