"""What a scan notes besides the number of objects for each reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Notes:
    """What stands beside the counts of a scan.

    hints: objects that are kept, by what is odd about them; expires: the first end of a restored copy, by reason or hint. to_restore: archived
    objects without a copy that nobody has registered, and to_restore_bytes: how large they are together.
    """

    hints: Mapping[str, int] = field(default_factory=dict)
    expires: Mapping[str, dt.datetime] = field(default_factory=dict)
    to_restore: int = 0
    to_restore_bytes: int = 0

    def joined(self, more: Notes) -> Notes:
        """Both together."""
        return Notes(
            hints={name: self.hints.get(name, 0) + more.hints.get(name, 0) for name in {*self.hints, *more.hints}},
            expires={
                name: min(one.expires[name] for one in (self, more) if name in one.expires)
                for name in {*self.expires, *more.expires}
            },
            to_restore=self.to_restore + more.to_restore,
            to_restore_bytes=self.to_restore_bytes + more.to_restore_bytes,
        )

    @classmethod
    def total(cls, many: Iterable[Notes]) -> Notes:
        """All together."""
        return reduce(Notes.joined, many, cls())

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """As it is stored."""
        expires = {name: dt.datetime.fromisoformat(moment) for name, moment in body.get("expires", {}).items()}
        return cls(**{**body, "expires": expires})

    def as_json(self) -> dict[str, Any]:
        """JSON types: times in ISO 8601; without empty parts."""
        body = {
            "hints": dict(self.hints),
            "expires": {name: moment.isoformat() for name, moment in self.expires.items()},
            "to_restore": self.to_restore,
            "to_restore_bytes": self.to_restore_bytes,
        }
        return {name: part for name, part in body.items() if part}
