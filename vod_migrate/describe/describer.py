"""Object → description and FileURL, by the migration's templates and rules, within the documented limits.

A draft is what follows from the object alone; a description also holds what had to be looked up (the number of a category,
whether a cover exists). An object that cannot be described is rejected with a code: it has a result of its own, and no call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from vod_migrate.describe.file_url import derived_id, file_url
from vod_migrate.describe.rendering import (
    Draft,
    Rendering,
    RenderingRules,
    RuleTemplates,
    facts,
    wordings_of,
)
from vod_migrate.media import Description, Entry, MediaObject, Rejected
from vod_migrate.migration.model import Migration
from vod_migrate.migration.patterns import KeyPattern
from vod_migrate.migration.vod_limits import URL_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookups:
    """What has to be asked for. Either may wait for the network, and be called by several threads.

    category: the CateId of a path, or why there is none; exists: whether the migration's bucket holds an object of that key.
    """

    category: Callable[[tuple[str, ...]], int | Rejected]
    exists: Callable[[str], bool]


class Describer:
    """The description rules of one migration, for one storage address."""

    def __init__(self, migration: Migration, *, storage_address: str, lookups: Lookups | None = None) -> None:
        """lookups: needed where the rules name categories by path, or covers only if they exist."""
        self.storage_address = storage_address
        self._encoding = migration.register_.url_encoding
        describe, manifest = migration.describe, migration.source.manifest
        self._lookups = lookups
        self._pattern = KeyPattern(describe.pattern) if describe.pattern else None
        top = describe.templates()
        self._top = wordings_of(top)
        self._cases = [RuleTemplates(rule, top) for rule in describe.rules]
        parts = (describe, *describe.rules)
        self._derives = any(
            "derived_id" in text for part in parts for given in part.templates().values() for text in given
        )
        self._rules = RenderingRules(
            policies=describe.policies,
            storage_address=storage_address,
            cover_if_exists=describe.cover_if_exists,
            mapped=frozenset() if manifest is None else frozenset(manifest.columns.named()),
        )
        self.waits = describe.cover_if_exists
        """Whether each object costs a request, so that many should be described at once."""

    def describe(self, found: MediaObject, *, attempts: int = 0, no_answers: int = 0) -> Entry | Rejected:
        """An entry ready to send, or why there is none.

        Raises:
            What the lookups raise; the object is as it was.
        """
        sketch = self.sketch(found)
        if isinstance(sketch, Rejected):
            return sketch
        described = self._looked_up(sketch)
        if isinstance(described, Rejected):
            return described
        return Entry(
            key=found.key,
            file_url=sketch.file_url,
            description=described,
            attempts=attempts,
            no_answers=no_answers,
        )

    def sketch(self, found: MediaObject) -> Draft | Rejected:
        """What can be said about an object without asking anybody."""
        url = file_url(self.storage_address, found.key, encoding=self._encoding)
        length = len(url.encode())
        if length > URL_BYTES:
            return Rejected(
                "url_too_long",
                f"the FileURL has {length} bytes, RegisterMedia accepts {URL_BYTES}: rename the object to a shorter key",
            )
        known = facts(found)
        known["match"] = (self._pattern.groups(found.key) or {}) if self._pattern else {}
        if self._derives:
            known["derived_id"] = derived_id(found)
        wordings, rule = self._top, None
        for case in self._cases:
            groups = case.groups(found.key)
            if groups is not None:
                wordings, rule = case.wordings, case.rule.called
                known["match"] = {**known["match"], **groups}
                break
        try:
            return Rendering(self._rules, wordings, known).sketch(url, rule)
        except Rejected as rejected:
            return rejected

    def _looked_up(self, sketch: Draft) -> Description | Rejected:
        described = sketch.description
        changes: dict[str, Any] = {}
        if sketch.category:
            cate_id = self._lookup().category(sketch.category)
            if isinstance(cate_id, int):
                changes["cate_id"] = cate_id
            elif self._rules.policies.category == "fail":
                return cate_id
        if sketch.cover_key is not None and not self._lookup().exists(sketch.cover_key):
            changes["cover_url"] = None
        if not changes:
            return described
        return replace(described, **changes)

    def _lookup(self) -> Lookups:
        if self._lookups is None:
            raise AssertionError("categories by path and covers that may be missing need lookups")
        return self._lookups
