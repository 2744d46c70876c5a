"""What is known about objects, whatever run found it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vod_migrate.media import MediaObject
from vod_migrate.results.session import QUERIES, Session, storable

LEAST_ALIKE = 65_536
"""Bytes from which files count as alike: the index objects_by_content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alike:
    """A registered key with the size and ETag of another. gone: it is known to have left the bucket."""

    key: str
    gone: bool


class Facts(Session):
    """What can be asked about objects."""

    def alike_among(self, source_id: int, found: Iterable[MediaObject]) -> dict[str, Alike]:
        """Those of some objects that nobody has settled and that have size and ETag of a registered one: that one by their keys."""
        asked = [one for one in found if one.etag is not None and (one.size or 0) >= LEAST_ALIKE]
        if not asked:
            return {}
        rows = self._do(
            lambda c: list(
                QUERIES.alike_among(
                    c,
                    source_id=source_id,
                    keys=[one.key for one in asked],
                    sizes=[one.size for one in asked],
                    etags=[one.etag for one in asked],
                )
            )
        )
        return {row["key"]: Alike(key=row["other"], gone=row["gone"]) for row in rows}

    def registered_among(self, account: str, bucket: str, keys: Iterable[str]) -> set[str]:
        """Those of some keys that have been registered, by whatever migration."""
        asked = [storable(key) for key in keys]
        rows = self._do(lambda c: list(QUERIES.registered_among(c, account=account, bucket=bucket, keys=asked)))
        return {row["key"] for row in rows}
