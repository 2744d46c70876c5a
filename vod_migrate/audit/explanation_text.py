"""The story of an object as text, in the order in which things happened, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from vod_migrate.audit.explanation import NotAsked, Story, Taken
from vod_migrate.audit.media_states import MediaState
from vod_migrate.migration.patterns import matcher
from vod_migrate.report.browse.history import ObjectEvent, ObjectHistory
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.terminal import Line, padded, wrapped
from vod_migrate.report.text_format import moment, visible, volume
from vod_migrate.results.scan import Scan, ScanKind

_LABEL = 12
OUTCOMES = {
    "registered": "registered", "already_registered": "already registered", "failed": "failed",
    "retry": "refused, to be sent once more alone", "unknown": "no clear reply", "late": "the reply came too late",
    "gone": "no longer in the bucket", "returned": "back in the bucket", "transferred": "transferred to another migration",
    "imported": "imported, because VOD had its media", "forgotten": "forgotten, to be treated as new",
    "updated": "description corrected in VOD",
}  # fmt: skip
"""What each outcome is called."""
ANSWERS = {
    "ok": "call successful", "throttled": "call throttled", "refused": "call refused as a whole", "transient": "call without reply",
    "stopped": "call denied",
}  # fmt: skip
"""What each kind of reply to a call is called."""


def story_lines(story: Story, language: Language = ENGLISH) -> Iterator[Line]:
    """For a terminal."""
    zone = story.taken[0].run.spec.zone if story.taken else ZoneInfo("UTC")
    yield from wrapped(visible(story.name.key), style="bold cyan")
    yield from _row(language.say("bucket"), story.name.bucket)
    if story.name.media_id:
        yield from _row("MediaId", story.name.media_id)
    if not story.histories:
        yield "", ""
        yield from wrapped(_never_seen(story, language), style="bold")
    if story.alike is not None:
        other = story.alike
        alike = (
            language.say("moved? {key} has the same size and ETag and is no longer in the bucket", key=other.key)
            if other.gone
            else language.say("duplicate? {key} has the same size and ETag and is registered", key=other.key)
        )
        yield from _row(language.say("similar"), alike)
    for taken in story.taken:
        yield from _migration(taken, story, language)
    for history in story.histories:
        yield from _history(history, zone, language)
    yield "", ""
    yield language.say("Now"), "bold"
    yield from _row(language.say("in OSS"), _in_oss(story, zone, language))
    yield from _row(language.say("in VOD"), _in_vod(story, language))


def _never_seen(story: Story, language: Language) -> str:
    if not story.taken:
        return language.say("No migration in this database has had a run on this bucket.")
    return language.say("No result: no run has registered the object or tried to, and none has it in its queue.")


def _migration(taken: Taken, story: Story, language: Language) -> Iterator[Line]:
    run, made = taken.run, taken.preview
    settled = any(history.run_id == run.run_id for history in story.histories)
    heading = (
        language.say("Migration {name} (the run that settled the object)", name=run.migration)
        if settled
        else language.say("Migration {name} (its latest run)", name=run.migration)
    )
    yield "", ""
    yield from wrapped(heading, style="bold")
    yield from _row(language.say("run"), run.run_id)
    if not taken.under:
        yield from _row(language.say("listing"), language.say("the key is not under any prefix of the run"))
    for scan in taken.scans:
        yield from _row(language.say("listing"), _listing(scan, language))
    if made.left_out is None and not taken.under:
        return
    for line in made.lines(language):
        yield from wrapped(line, first="  ")
    if made.left_out == "excluded":
        matching = next(pattern for pattern in run.spec.select.exclude if matcher(pattern)(made.key))
        yield from _row(language.say("pattern"), matching)


def _listing(scan: Scan, language: Language) -> str:
    what = (
        language.say("the source file")
        if scan.kind is ScanKind.ROWS
        else language.say("prefix {prefix!r}", prefix=scan.prefix)
        if scan.prefix
        else language.say("the whole bucket")
    )
    told = language.pair(what, language.say(scan.state))
    return told + (f" ({language.translate(scan.error)})" if scan.error else "")


def _why_failed(history: ObjectHistory, language: Language) -> Iterator[Line]:
    diagnosis = history.diagnosis
    if diagnosis is None:
        return
    label = (
        language.say("cause")
        if history.certain
        else language.say("likely cause")
        if history.cause
        else language.say("meaning")
    )
    yield from _row(label, language.say(diagnosis.meaning))
    if history.evidence:
        yield from _row(language.say("evidence"), language.translate(history.evidence))
    if history.cause == "" and history.ruled_out:
        causes = language.say(", ").join(map(language.say, history.not_due_to))
        yield from _row(language.say("ruled out"), causes)
    if history.message:
        yield from _row(language.say("message"), language.translate(history.message))
    yield from _row(language.say("to do"), language.say(diagnosis.fix))
    for check in diagnosis.checks:
        yield from _row(language.say("check"), language.say(check))


def _history(history: ObjectHistory, zone: ZoneInfo, language: Language) -> Iterator[Line]:
    line = history.line
    code = f" ({line.code})" if line.code and line.state == "failed" else ""
    state = f"{language.say(line.state)}{code}"
    heading = language.say(
        "{state}, by migration {name}; times in {zone}", state=state, name=line.migration, zone=zone.key
    )
    yield "", ""
    yield from wrapped(heading, style="bold")
    yield from _why_failed(history, language)
    if history.unsure:
        told = language.say("the reply to its last call was lost, so it is sent again")
        yield from _row(language.say("uncertain"), told)
    for event in reversed(history.events):
        yield from _row(moment(event.at, zone), _event(event, language), width=len("2026-11-22 01:00:00"))
    if history.older:
        yield from _row("", language.say("Only the newest events are shown."))
    if line.state in ("registered", "failed") and not any(event.request_id for event in history.events):
        yield from _row("", language.say("The audit of its call was deleted by `vod-migrate db prune`."))
    for name, value in history.description.items():
        yield from _row(language.say("sent {field}", field=name), str(value), width=18)


def _event(event: ObjectEvent, language: Language) -> str:
    told = [language.say(OUTCOMES.get(event.outcome, event.outcome))] if event.outcome else []
    if event.code:
        told.append(event.code)
    if event.answer:
        status = f" (HTTP {event.http_status})" if event.http_status else ""
        told.append(f"{language.say(ANSWERS.get(event.answer, event.answer))}{status}")
    if message := event.message or event.call_message:
        told.append(language.translate(message))
    if event.request_id:
        told.append(f"RequestId {event.request_id}")
    if event.run_id:
        told.append(language.say("run {run_id}", run_id=event.run_id))
    return language.say(", ").join(told)


def _in_oss(story: Story, zone: ZoneInfo, language: Language) -> str:
    now = story.oss
    if isinstance(now, NotAsked):
        return language.translate(now.why)
    if now is None:
        missing = language.say("the object does not exist in the bucket")
        other = language.say("the bucket has one that looks the same, in {form}", form=story.form)
        return missing + language.say("; ") + other if story.form else missing
    told = [volume(now.size), now.storage_class]
    if now.restored is not None:
        told.append(language.say("with a readable copy") if now.restored.ready else language.say("being restored"))
    told.append(language.say("last modified {time}", time=moment(now.last_modified, zone)))
    known = [history.etag for history in story.histories if history.etag]
    if known and now.etag and all(etag.strip('"').upper() != now.etag.upper() for etag in known):
        told.append(language.say("content changed since (different ETag)"))
    return language.say(", ").join(told)


def _in_vod(story: Story, language: Language) -> str:
    now = story.vod
    if isinstance(now, NotAsked):
        return language.translate(now.why)
    if now is None:
        if not story.name.media_id:
            return language.say("no MediaId")
        return language.say("the media {media_id} does not exist", media_id=story.name.media_id)
    told = [now.status]
    if now.duration:
        told.append(f"{now.duration:g} {language.say('s')}")
    told.append(language.say("title {title!r}", title=now.title))
    if now.key != story.name.key:
        told.append(language.say("but of another file: {key}", key=now.key))
    if now.source == "Deleted":
        told.append(language.say("source file deleted"))
    return language.say(", ").join(told)


def _row(label: str, text: str, *, width: int = _LABEL) -> Iterator[Line]:
    yield from wrapped(visible(text), first=f"  {padded(label, width)} ")


def story_json(story: Story) -> dict[str, Any]:
    """For scripts."""
    return {
        "bucket": story.name.bucket,
        "key": story.name.key,
        "media_id": story.name.media_id or None,
        "exists_in_form": story.form or None,
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
