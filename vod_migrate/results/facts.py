"""What is known about objects, whatever run found it out."""

from __future__ import annotations

from collections.abc import Iterable

from vod_migrate.results.session import QUERIES, Session, storable


class Facts(Session):
    """What can be asked about objects."""

    def registered_among(self, account: str, bucket: str, keys: Iterable[str]) -> set[str]:
        """Those of some keys that have been registered, by whatever migration."""
        asked = [storable(key) for key in keys]
        rows = self._do(lambda c: list(QUERIES.registered_among(c, account=account, bucket=bucket, keys=asked)))
        return {row["key"] for row in rows}
