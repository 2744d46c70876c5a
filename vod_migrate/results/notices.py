"""What was told about runs, so that nothing is told twice."""

from __future__ import annotations

from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session


class Notices(Session):
    """Remembers messages."""

    def claim_notice(self, run: Run, *, event: str, receiver: int) -> bool:
        """Whether a receiver is still to be told of an event; from now on it counts as told, however sending ends.

        receiver: its place in the run's file. A run that is reopened has each of its events anew.
        """
        claimed = self._do(lambda c: QUERIES.claim_notice(c, run_no=run.run_no, event=event, receiver=receiver))
        return claimed is not None
