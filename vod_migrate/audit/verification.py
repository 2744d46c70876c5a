"""Whether VOD has what was registered, and can play it: every object of a run or a migration, or a random part of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from vod_migrate.audit.media_states import MOST_IDS, MediaState, MediaStates, Playback
from vod_migrate.results.registered import RegisteredObject
from vod_migrate.results.scan import SAMPLES

THREADS = 8
_AHEAD = 50
"""Calls that are prepared together: what is read from the database at once."""

WRONG = (Playback.FAILED, Playback.SOURCE_DELETED, Playback.MISSING, Playback.OTHER_FILE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """An example. detail: what VOD says about it, '' where its state says everything."""

    key: str
    media_id: str
    detail: str


_Look = tuple[Playback, Finding]


@dataclass(kw_only=True)
class Verification:
    """What was found. objects: how many were asked about; calls: of BatchGetMediaInfos; samples: up to five of each state that needs one."""

    objects: int = 0
    calls: int = 0
    counts: Counter[Playback] = field(default_factory=Counter)
    samples: dict[Playback, list[Finding]] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        """Objects whose media cannot be played, and will not be."""
        return sum(self.counts[state] for state in WRONG)

    def add(self, looks: Iterable[_Look]) -> None:
        """The objects of one call."""
        self.calls += 1
        for playback, example in looks:
            self.objects += 1
            self.counts[playback] += 1
            if playback in (*WRONG, Playback.PROCESSING) and self.counts[playback] <= SAMPLES:
                self.samples.setdefault(playback, []).append(example)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "objects": self.objects,
            "calls": self.calls,
            "counts": {state.value: self.counts[state] for state in Playback if self.counts[state]},
            "samples": {
                state.value: [{"key": one.key, "media_id": one.media_id, "detail": one.detail} for one in found]
                for state, found in self.samples.items()
            },
        }


def verify(
    states: MediaStates,
    objects: Iterator[RegisteredObject],
    *,
    processed: bool,
    stop: threading.Event,
) -> Verification:
    """Asks VOD about registered objects. processed: whether VOD was asked to transcode them, or to run a workflow.

    Raises:
        RegisterError: VOD cannot be asked. Interrupted. StoreUnreachable.
    """
    done = Verification()

    def look(part: list[RegisteredObject]) -> list[_Look]:
        known = states.of([one.media_id for one in part])
        return [_compared(one, known.get(one.media_id), processed=processed) for one in part]

    with ThreadPoolExecutor(THREADS) as pool:
        while not stop.is_set() and (parts := _parts(objects)):
            for looks in pool.map(look, parts):
                done.add(looks)
    done.samples = {
        state: [_explained(states, one) if state is Playback.FAILED else one for one in found]
        for state, found in done.samples.items()
    }
    return done


def _parts(objects: Iterator[RegisteredObject]) -> list[list[RegisteredObject]]:
    parts = (list(islice(objects, MOST_IDS)) for _ in range(_AHEAD))
    return [part for part in parts if part]


def _compared(one: RegisteredObject, state: MediaState | None, *, processed: bool) -> _Look:
    if state is None:
        return Playback.MISSING, Finding(key=one.key, media_id=one.media_id, detail="")
    playback = state.playback(one.key, one.size, processed=processed)
    detail = state.key if playback is Playback.OTHER_FILE else state.status
    return playback, Finding(key=one.key, media_id=one.media_id, detail=detail)


def _explained(states: MediaStates, one: Finding) -> Finding:
    reason = states.transcoding_error(one.media_id)
    return Finding(key=one.key, media_id=one.media_id, detail=f"{one.detail}: {reason}" if reason else one.detail)
