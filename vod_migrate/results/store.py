"""The results store: one method per thing that may happen to a run, a scan, a claim, a result or a pace.

Every method is one transaction and may be repeated: a lost connection is waited out for `patience` seconds, and a commit
whose answer was lost is simply done again. Times are the database's own, so that workers on different machines agree.
"""

from __future__ import annotations

from vod_migrate.results.claims import Claims
from vod_migrate.results.numbers import Numbers
from vod_migrate.results.paces import Paces
from vod_migrate.results.plans import Plans
from vod_migrate.results.recording import Recording
from vod_migrate.results.scans import Scans

__all__ = ["Store"]


class Store(Plans, Scans, Claims, Recording, Numbers, Paces):
    """Results, runs, scans, claims, calls and quotas in one Postgres database."""
