"""The story of an object as text, in the order in which things happened, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from vod_migrate.audit.explanation import NotAsked, Story, Taken
from vod_migrate.audit.media_states import MediaState
from vod_migrate.migration.patterns import matcher
from vod_migrate.report.browse.history import ObjectEvent, ObjectHistory
from vod_migrate.report.terminal import Line, wrapped
from vod_migrate.report.text_format import moment, visible, volume
from vod_migrate.results.scan import ScanKind

_LABEL = 12
_OUTCOMES = {
    "registered": "registered", "already_registered": "was registered already", "failed": "failed",
    "retry": "refused, to be tried again alone", "unknown": "no clear reply", "late": "a reply that came too late",
    "gone": "no longer in the bucket", "returned": "back in the bucket", "transferred": "transferred to another migration",
    "imported": "imported, since VOD had its media", "forgotten": "forgotten, to be taken as new",
    "updated": "description corrected in VOD",
}  # fmt: skip
_ANSWERS = {
    "ok": "answered", "throttled": "throttled", "refused": "refused as a whole", "transient": "no answer",
    "stopped": "denied",
}  # fmt: skip


def story_lines(story: Story) -> Iterator[Line]:
    """For a terminal."""
    zone = story.taken[0].run.spec.zone if story.taken else ZoneInfo("UTC")
    yield from wrapped(visible(story.name.key), style="bold cyan")
    yield from _row("bucket", story.name.bucket)
    if story.name.media_id:
        yield from _row("MediaId", story.name.media_id)
    if not story.histories:
        yield "", ""
        yield from wrapped(_never_seen(story), style="bold")
    if story.alike is not None:
        other = story.alike
        told = "is no longer in the bucket: moved?" if other.gone else "is registered and still there: duplicate?"
        yield from _row("alike", f"size and ETag are those of {other.key}, which {told}")
    for taken in story.taken:
        yield from _migration(taken, story)
    for history in story.histories:
        yield from _history(history, zone)
    yield "", ""
    yield "Now", "bold"
    yield from _row("in OSS", _in_oss(story, zone))
    yield from _row("in VOD", _in_vod(story))


def _never_seen(story: Story) -> str:
    if not story.taken:
        return "No migration in this database has had a run over this bucket."
    return "It has no result: no run has registered it, tried to, or has it in its queue."


def _migration(taken: Taken, story: Story) -> Iterator[Line]:
    run, made = taken.run, taken.preview
    settled = any(history.run_id == run.run_id for history in story.histories)
    yield "", ""
    yield from wrapped(
        f"Migration {run.migration} ({'the run that settled it' if settled else 'its latest run'})", style="bold"
    )
    yield from _row("run", run.run_id)
    if not taken.under:
        yield from _row("listing", "it is under none of the run's prefixes")
    for scan in taken.scans:
        what = (
            "the source file"
            if scan.kind is ScanKind.ROWS
            else f"prefix {scan.prefix!r}"
            if scan.prefix
            else "the bucket"
        )
        yield from _row("listing", f"{what}: {scan.state}" + (f" ({scan.error})" if scan.error else ""))
    if made.left_out is None and not taken.under:
        return
    for line in made.as_text().splitlines()[1:]:
        yield from wrapped(line.strip(), first="  ")
    if made.left_out == "excluded":
        matching = next(pattern for pattern in run.spec.select.exclude if matcher(pattern)(made.key))
        yield from _row("pattern", matching)


def _why_failed(history: ObjectHistory) -> Iterator[Line]:
    diagnosis = history.diagnosis
    if diagnosis is None:
        return
    yield from _row("why" if history.certain else "likely", diagnosis.meaning)
    if history.evidence:
        yield from _row("seen", history.evidence)
    if history.cause == "" and history.ruled_out:
        yield from _row("ruled out", ", ".join(history.not_due_to))
    if history.message:
        yield from _row("VOD says", history.message)
    yield from _row("what to do", diagnosis.fix)
    for check in diagnosis.checks:
        yield from _row("check", check)


def _history(history: ObjectHistory, zone: ZoneInfo) -> Iterator[Line]:
    line = history.line
    yield "", ""
    code = f" ({line.code})" if line.code and line.state == "failed" else ""
    yield from wrapped(f"{line.state}{code}, by migration {line.migration}; times in {zone.key}", style="bold")
    yield from _why_failed(history)
    if history.unsure:
        yield from _row("unsure", "the reply to its last call was lost; it is sent again")
    for event in reversed(history.events):
        yield from _row(moment(event.at, zone), _event(event), width=len("2026-11-22 01:00:00"))
    if history.older:
        yield from _row("", "Only the newest events are shown.")
    if line.state in ("registered", "failed") and not any(event.request_id for event in history.events):
        yield from _row("", "The audit of its call was pruned (`vod-migrate db prune`).")
    for name, value in history.description.items():
        yield from _row(f"sent {name}", str(value), width=18)


def _event(event: ObjectEvent) -> str:
    said = [_OUTCOMES.get(event.outcome, event.outcome)] if event.outcome else []
    if event.code:
        said.append(event.code)
    if event.answer:
        status = f" (HTTP {event.http_status})" if event.http_status else ""
        said.append(f"call {_ANSWERS.get(event.answer, event.answer)}{status}")
    if message := event.message or event.call_message:
        said.append(message)
    if event.request_id:
        said.append(f"RequestId {event.request_id}")
    if event.run_id:
        said.append(f"run {event.run_id}")
    return ", ".join(said)


def _in_oss(story: Story, zone: ZoneInfo) -> str:
    now = story.oss
    if isinstance(now, NotAsked):
        return now.why
    if now is None:
        return "there is no such object in the bucket"
    copy = ""
    if now.restored is not None:
        copy = ", with a readable copy" if now.restored.ready else ", being restored"
    said = f"{volume(now.size)}, {now.storage_class}{copy}, last modified {moment(now.last_modified, zone)}"
    known = [history.etag for history in story.histories if history.etag]
    if known and now.etag and all(etag.strip('"').upper() != now.etag.upper() for etag in known):
        said += "; its content has changed since (another ETag)"
    return said


def _in_vod(story: Story) -> str:
    now = story.vod
    if isinstance(now, NotAsked):
        return now.why
    if now is None:
        return f"there is no media {story.name.media_id}" if story.name.media_id else "it has no MediaId"
    length = f", {now.duration:g} s" if now.duration else ""
    other = "" if now.key == story.name.key else f"; it is of another file: {now.key}"
    source = "; its source file is deleted" if now.source == "Deleted" else ""
    return f"{now.status}{length}, title {now.title!r}{other}{source}"


def _row(label: str, text: str, *, width: int = _LABEL) -> Iterator[Line]:
    yield from wrapped(visible(text), first=f"  {label:<{width}} ")


def story_json(story: Story) -> dict[str, Any]:
    """For scripts."""
    return {
        "bucket": story.name.bucket,
        "key": story.name.key,
        "media_id": story.name.media_id or None,
        "alike": None if story.alike is None else {"key": story.alike.key, "gone": story.alike.gone},
        "results": [
            {
                "migration": one.line.migration,
                "account": one.line.account,
                "state": one.line.state,
                "code": one.line.code,
                "message": one.message,
                "run_id": one.run_id,
                "sent": dict(one.description),
                "events": [
                    {"at": event.at.isoformat(), "outcome": event.outcome, "answer": event.answer,
                     "request_id": event.request_id, "run_id": event.run_id, "code": event.code}
                    for event in reversed(one.events)
                ],
            }
            for one in story.histories
        ],
        "migrations": [
            {
                "migration": one.run.migration,
                "run_id": one.run.run_id,
                "under_a_prefix": one.under,
                "listings": [{"prefix": scan.prefix, "state": scan.state} for scan in one.scans],
                **one.preview.as_json(),
            }
            for one in story.taken
        ],
        "oss": _service(story.oss),
        "vod": _service(story.vod),
    }  # fmt: skip


def _service(now: Any) -> dict[str, Any] | None:
    if now is None:
        return None
    if isinstance(now, NotAsked):
        return {"not_asked": now.why}
    if isinstance(now, MediaState):
        return {"status": now.status, "title": now.title, "key": now.key, "size": now.size, "duration": now.duration}
    return {
        "size": now.size,
        "etag": now.etag,
        "storage_class": now.storage_class,
        "last_modified": now.last_modified.isoformat(),
    }
