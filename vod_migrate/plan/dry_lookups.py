"""Lookups that change nothing: a category that does not exist is noted instead of made, and few covers are looked for."""

from __future__ import annotations

from vod_migrate.describe.describer import Lookups
from vod_migrate.media import Rejected
from vod_migrate.plan.model import LookupCounts
from vod_migrate.results.scan import SAMPLES

COVERS = 500
"""Covers looked for in a plan: one request each, so 15 s at 30 ms; the others count as there."""

_STAND_IN = 9_000_000_000
"""A CateId that no real one is near, with as many digits, so that calls have their real length."""
_MOST_PATHS = 10_000


class DryLookups:
    """The lookups of a plan."""

    def __init__(self, inner: Lookups, *, makes: bool, most_covers: int = COVERS) -> None:
        """inner: finds categories without making them; makes: whether the run would make them."""
        self._inner = inner
        self._makes = makes
        self._most_covers = most_covers
        self._to_make: dict[tuple[str, ...], int] = {}
        self._beyond = 0
        self._checked = self._missing = self._trusted = 0

    def category(self, path: tuple[str, ...]) -> int | Rejected:
        """The CateId of a path, or a stand-in for one that the run would make."""
        if path in self._to_make:
            return self._to_make[path]
        found = self._inner.category(path)
        if isinstance(found, int) or not self._makes or found.code != "category_missing":
            return found
        for depth in range(1, len(path) + 1):
            part = path[:depth]
            if part not in self._to_make and (depth == len(path) or isinstance(self._inner.category(part), Rejected)):
                self._note(part)
        return self._to_make.get(path, _STAND_IN)

    def exists(self, key: str) -> bool:
        """Whether a cover is there; beyond the first ones it is taken on trust."""
        if self._checked >= self._most_covers:
            self._trusted += 1
            return True
        self._checked += 1
        found = self._inner.exists(key)
        self._missing += not found
        return found

    def to_be_made(self, cate_id: int | None) -> str | None:
        """The path that a stand-in stands for; None for a real CateId."""
        if cate_id is None or cate_id < _STAND_IN:
            return None
        return next(("/".join(path) for path, number in self._to_make.items() if number == cate_id), "a new category")

    def told(self) -> LookupCounts:
        """What was asked for."""
        return LookupCounts(
            categories_to_make=len(self._to_make) + self._beyond,
            category_samples=tuple("/".join(path) for path in list(self._to_make)[:SAMPLES]),
            covers_checked=self._checked,
            covers_missing=self._missing,
            covers_trusted=self._trusted,
        )

    def _note(self, path: tuple[str, ...]) -> None:
        if len(self._to_make) < _MOST_PATHS:
            self._to_make[path] = _STAND_IN + len(self._to_make) + 1
        else:
            # Not remembered, so a path may be counted again: more than anybody makes on purpose.
            self._beyond += 1
