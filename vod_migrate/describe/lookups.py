"""What a description has to ask the services for, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from vod_migrate.describe.categories import Categories
from vod_migrate.describe.covers import Covers
from vod_migrate.media import Rejected


@dataclass(frozen=True, kw_only=True)
class LiveLookups:
    """The lookups of a worker."""

    categories: Categories
    covers: Covers

    def category(self, path: tuple[str, ...]) -> int | Rejected:
        """The CateId of a path, or why there is none."""
        return self.categories.find(path)

    def exists(self, key: str) -> bool:
        """Whether the migration's bucket holds an object."""
        return self.covers.exists(key)
