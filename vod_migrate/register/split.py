"""Halves a refused batch until the refused files stand alone, and tells files at fault from settings at fault."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Protocol

from vod_migrate.errors import AllRefused, RequestRefused
from vod_migrate.media import Batch, Entry, Outcome, Reply, Verdict
from vod_migrate.register.recorder import settle_refused
from vod_migrate.register.registrar import Registrar
from vod_migrate.results.work import Settlement


class Proof(Protocol):
    """Whether the settings are right while files are refused. What was accepted before proves nothing: settings break, too."""

    def accepted_since(self, moment: dt.datetime) -> bool:
        """Whether VOD accepted a call of the run that began after a moment."""
        ...

    def probe(self, registrar: Registrar) -> bool:
        """Sends some other files, and says whether one was accepted."""
        ...


class Split:
    """Halves a refused batch until the refused files stand alone: at most 8 extra calls for one in ten."""

    def __init__(self, inner: Registrar, *, fail: Callable[[Sequence[Settlement]], None], proof: Proof) -> None:
        """fail: records files that were refused although each was alone in its call."""
        self._inner = inner
        self._fail = fail
        self._proof = proof

    def register(self, batch: Batch) -> Reply:
        """Sends a batch and isolates what it is refused for.

        Raises:
            AllRefused: every file was refused with one code, VOD accepted nothing of this run since, and other files that
                were tried fare no better.
        """
        alone: list[tuple[Entry, RequestRefused]] = []
        began: list[dt.datetime] = []
        outcomes = self._send(batch, alone, began)
        if alone:
            codes = {refusal.code for _, refusal in alone}
            if len(alone) == len(batch) and len(codes) == 1 and not self._settings_work(began[0]):
                code = codes.pop()
                raise AllRefused(
                    f"VOD refuses every file with {code}, so the settings are at fault, not the files: {alone[0][1]}. "
                    "No file was marked as failed; correct the migration file and run it again",
                    code="all_refused",
                )
            self._fail([settle_refused(entry, refusal) for entry, refusal in alone])
        return Reply(request_id=None, outcomes=tuple(outcomes))

    def _settings_work(self, began: dt.datetime) -> bool:
        return self._proof.accepted_since(began) or self._proof.probe(self._inner)

    def _send(self, batch: Batch, alone: list[tuple[Entry, RequestRefused]], began: list[dt.datetime]) -> list[Outcome]:
        try:
            return list(self._inner.register(batch).outcomes)
        except RequestRefused as refusal:
            began.append(dt.datetime.now(dt.UTC))
            if len(batch) == 1:
                entry = batch.entries[0]
                alone.append((entry, refusal))
                return [Outcome(key=entry.key, verdict=Verdict.FAILED, code=refusal.code, message=str(refusal))]
        first, second = batch.split()
        return self._send(first, alone, began) + self._send(second, alone, began)
