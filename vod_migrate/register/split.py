"""Halves a refused batch until the offending entries stand alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vod_migrate.errors import AllRefused, RequestRefused
from vod_migrate.media import Batch, Entry, Outcome, Reply, Verdict
from vod_migrate.register.recorder import settle_refused
from vod_migrate.register.registrar import Registrar
from vod_migrate.results.work import Settlement


class Split:
    """Halves a refused batch until the offending entries stand alone: at most 8 extra calls for one in ten."""

    def __init__(
        self,
        inner: Registrar,
        *,
        fail: Callable[[Sequence[Settlement]], None],
        proven: Callable[[], bool],
        probe: Callable[[Registrar], bool],
    ) -> None:
        """fail: records entries that were refused standing alone; proven: whether any call of the run succeeded.

        probe: sends a few files from elsewhere in the backlog and says whether one was accepted.
        """
        self._inner = inner
        self._probe = probe
        self._fail = fail
        self._proven = proven

    def register(self, batch: Batch) -> Reply:
        """Sends a batch and isolates what poisons it.

        Raises:
            AllRefused: every entry was refused with one code, no call of this run has succeeded, and files from elsewhere
                in the backlog fare no better.
        """
        alone: list[tuple[Entry, RequestRefused]] = []
        outcomes = self._send(batch, alone)
        if alone:
            codes = {refusal.code for _, refusal in alone}
            if len(alone) == len(batch) and len(codes) == 1 and not self._proven() and not self._probe(self._inner):
                code = codes.pop()
                raise AllRefused(
                    f"VOD refuses every single file with {code}, so the fault is in the settings and not in the files: "
                    f"{alone[0][1]}. Nothing was marked as failed; correct the migration file and run it again",
                    code="all_refused",
                )
            self._fail([settle_refused(entry, refusal) for entry, refusal in alone])
        return Reply(request_id=None, outcomes=tuple(outcomes))

    def _send(self, batch: Batch, alone: list[tuple[Entry, RequestRefused]]) -> list[Outcome]:
        try:
            return list(self._inner.register(batch).outcomes)
        except RequestRefused as refusal:
            if len(batch) == 1:
                entry = batch.entries[0]
                alone.append((entry, refusal))
                return [
                    Outcome(result_id=entry.result_id, verdict=Verdict.FAILED, code=refusal.code, message=str(refusal))
                ]
        first, second = batch.split()
        return self._send(first, alone) + self._send(second, alone)
