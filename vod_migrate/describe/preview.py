"""What would be sent for a key, and why: `vod-migrate describe`. It asks nobody, so it works before anything is set up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vod_migrate.describe.describer import Describer
from vod_migrate.describe.metadata import fields_of
from vod_migrate.describe.rendering import Draft
from vod_migrate.discover.selection import Selection
from vod_migrate.media import MediaObject, Rejected
from vod_migrate.migration.model import Migration
from vod_migrate.report.diagnosis import diagnose_reason
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.terminal import padded


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A key, and what the migration makes of it: left out for a reason, refused, or sketched."""

    key: str
    left_out: str | None = None
    outcome: Draft | Rejected | None = None

    def as_json(self) -> dict[str, Any]:
        """One line of `vod-migrate describe --json`."""
        said: dict[str, Any] = {"key": _text(self.key), "sent": isinstance(self.outcome, Draft)}
        if self.left_out is not None:
            said["left_out"] = {"reason": self.left_out, "meaning": diagnose_reason(self.left_out).meaning}
        elif isinstance(self.outcome, Rejected):
            said["refusal"] = {"code": self.outcome.code, "message": self.outcome.message}
        elif self.outcome is not None:
            said |= {
                "metadata": _metadata(self.outcome),
                "category": "/".join(self.outcome.category) or None,
                "cover_if_exists": self.outcome.cover_key,
                "rule": self.outcome.rule,
                "notes": [{"field": note.field, "text": note.text} for note in self.outcome.notes],
            }
        return said

    def as_text(self, language: Language = ENGLISH) -> str:
        """The same for a person, a few lines."""
        return "\n".join([_shown(self.key), *(f"  {line}" for line in self.lines(language))])

    def lines(self, language: Language = ENGLISH) -> Iterator[str]:
        """What becomes of the key, without the key itself."""
        if self.left_out is not None:
            meaning = language.say(diagnose_reason(self.left_out).meaning)
            yield language.pair(language.say("left out ({reason})", reason=self.left_out), meaning)
        elif isinstance(self.outcome, Rejected):
            refused = language.say("refused ({code})", code=self.outcome.code)
            yield language.pair(refused, language.translate(self.outcome.message))
        elif self.outcome is not None:
            sketch = self.outcome
            rule = sketch.rule or language.say("none; the fields of describe itself")
            yield f"{padded(language.say('rule'), 12)} {rule}"
            yield from (f"{name:<12} {_shown(value)}" for name, value in _metadata(sketch).items())
            if sketch.category:
                category = language.say("that of the category {path}", path="/".join(sketch.category))
                yield f"{'CateId':<12} {category}"
            if sketch.cover_key is not None:
                cover = language.say(
                    "the CoverURL is sent only if the object {key} exists", key=_shown(sketch.cover_key)
                )
                yield f"{'':<12} {cover}"
            yield from (f"! {language.pair(note.field, language.translate(note.text))}" for note in sketch.notes)


def preview(
    migration: Migration, key: str, *, region: str, size: int | None = None, row: Mapping[str, str] | None = None
) -> Preview:
    """What the migration makes of a key, of the given size and modified inside the window.

    size: bytes; None is the smallest that the migration takes. row: columns of a manifest.
    """
    found = MediaObject(
        bucket=migration.source.bucket,
        key=key,
        size=max(1, migration.select.min_size) if size is None else size,
        etag="",
        last_modified=dt.datetime.now(dt.UTC),
        storage_class=migration.select.storage_classes[0],
        row=row or {},
    )
    window: dict[str, Any] = {"modified_after": None, "modified_before": None}
    reason = Selection(migration.select.model_copy(update=window), now=dt.datetime.now(dt.UTC)).reason(found)
    if reason is not None:
        return Preview(key=key, left_out=reason)
    describer = Describer(migration, storage_address=f"{found.bucket}.oss-{region}.aliyuncs.com")
    return Preview(key=key, outcome=describer.sketch(found))


def _metadata(sketch: Draft) -> dict[str, Any]:
    return {"FileURL": sketch.file_url, **fields_of(sketch.description)}


def _text(key: str) -> str:
    # A key from the command line may hold bytes that are no text.
    return key.encode(errors="replace").decode()


def _shown(value: Any) -> str:
    # A line feed would break the column.
    return _text(str(value)).replace("\n", "\\n")
