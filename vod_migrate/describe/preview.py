"""What would be sent for a key, and why: `vod-migrate describe`. It asks nobody, so it works before anything is set up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vod_migrate.describe.describer import Describer
from vod_migrate.describe.metadata import metadata
from vod_migrate.describe.rendering import Draft
from vod_migrate.discover.selection import Selection
from vod_migrate.media import Entry, MediaObject, Rejected
from vod_migrate.migration.model import Migration
from vod_migrate.report.diagnosis import diagnose_left_out


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
            said["left_out"] = {"reason": self.left_out, "meaning": diagnose_left_out(self.left_out).meaning}
        elif isinstance(self.outcome, Rejected):
            said["refusal"] = {"code": self.outcome.code, "message": self.outcome.message}
        elif self.outcome is not None:
            said |= {
                "metadata": _metadata(self.key, self.outcome),
                "category": "/".join(self.outcome.category) or None,
                "cover_if_exists": self.outcome.cover_key,
                "rule": self.outcome.rule,
                "notes": [{"field": note.field, "text": note.text} for note in self.outcome.notes],
            }
        return said

    def as_text(self) -> str:
        """The same for a person, a few lines."""
        if self.left_out is not None:
            return f"{_shown(self.key)}\n  left out ({self.left_out}): {diagnose_left_out(self.left_out).meaning}"
        if isinstance(self.outcome, Rejected):
            return f"{_shown(self.key)}\n  refused ({self.outcome.code}): {self.outcome.message}"
        if self.outcome is None:
            return _shown(self.key)
        sketch = self.outcome
        lines = [_shown(self.key), f"  rule         {sketch.rule or 'none; the fields of describe itself'}"]
        lines += [f"  {name:<12} {_shown(value)}" for name, value in _metadata(self.key, sketch).items()]
        if sketch.category:
            lines.append(f"  {'CateId':<12} of the category {'/'.join(sketch.category)}")
        if sketch.cover_key is not None:
            lines.append(f"  {'':<12} the CoverURL is sent only if the object {_shown(sketch.cover_key)} exists")
        lines += [f"  ! {note.field}: {note.text}" for note in sketch.notes]
        return "\n".join(lines)


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
    )
    window: dict[str, Any] = {"modified_after": None, "modified_before": None}
    reason = Selection(migration.select.model_copy(update=window), now=dt.datetime.now(dt.UTC)).reason(found)
    if reason is not None:
        return Preview(key=key, left_out=reason)
    describer = Describer(migration, storage_address=f"{found.bucket}.oss-{region}.aliyuncs.com")
    return Preview(key=key, outcome=describer.sketch(found, row=row))


def _metadata(key: str, sketch: Draft) -> dict[str, Any]:
    return metadata(Entry(bucket="", key=key, file_url=sketch.file_url, description=sketch.description))


def _text(key: str) -> str:
    # A key from the command line may hold bytes that are no text.
    return key.encode(errors="replace").decode()


def _shown(value: Any) -> str:
    # A line feed would break the column.
    return _text(str(value)).replace("\n", "\\n")
