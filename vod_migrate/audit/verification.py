"""Whether VOD has what was registered, and can play it: every object of a run or a migration, or a random part of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from vod_migrate.audit.media_states import MOST_IDS, MediaState, MediaStates
from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import Interrupted
from vod_migrate.results.facts import RegisteredObject
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.verifications import Finding, Look, Playback, Scope, Verification

THREADS = 8
_AHEAD = 50
"""Calls that are prepared together: what is read from the database at once."""
_ROUNDING = 1e-9


def verify_run(
    store: Store,
    connection: Connection,
    run: Run,
    scope: Scope,
    *,
    millionths: int,
    seed: int,
    stop: threading.Event,
) -> Verification:
    """Asks VOD about what a run registered, or all that its migration has, and keeps the answer with the run.

    millionths: how much of it, drawn by the seed.

    Raises:
        RegisterError: VOD cannot be asked. Interrupted: `stop` was set; nothing is kept. StoreUnreachable.
    """
    objects = store.registered_objects(run, whole=scope is Scope.MIGRATION, millionths=millionths, seed=seed)
    found = verify(
        MediaStates(connection, store, stop=stop), objects, processed=run.spec.register_.processes, stop=stop
    )
    store.keep_verification(run, scope, found, millionths=millionths, seed=seed)
    return found


def verify(
    states: MediaStates, objects: Iterator[RegisteredObject], *, processed: bool, stop: threading.Event
) -> Verification:
    """Asks VOD about registered objects. processed: whether VOD was asked to transcode them, or to run a workflow.

    Raises:
        RegisterError: VOD cannot be asked. Interrupted: `stop` was set. StoreUnreachable.
    """
    done = Verification()

    def look(part: list[RegisteredObject]) -> list[Look]:
        known = states.of([one.media_id for one in part])
        return [_compared(one, known.get(one.media_id), processed=processed) for one in part]

    with ThreadPoolExecutor(THREADS) as pool:
        while parts := [part for _ in range(_AHEAD) if (part := list(islice(objects, MOST_IDS)))]:
            for looks in pool.map(look, parts):
                done.add(looks)
            if stop.is_set():
                raise Interrupted("not every object was checked in VOD: run verify again", code="interrupted")
    done.samples = {
        state: [_explained(states, one) if state is Playback.FAILED else one for one in found]
        for state, found in done.samples.items()
    }
    return done


def is_ready(found: Verification, *, share: float, tolerate: float, first: bool) -> bool | None:
    """True: enough media can be played; False: too many never will be; None: wait, and look again.

    share: how much must be playable of what has not failed for good, 0 to 1; tolerate: how much may have failed, 0 to 1. Files that VOD was
    not asked to process count as playable. first: this is the first look, at which a media that VOD does not know may be a new one.
    """
    failed = found.wrong - (found.counts[Playback.MISSING] if first else 0)
    if failed > tolerate * found.objects + _ROUNDING:
        return False
    there = found.counts[Playback.PLAYABLE] + found.counts[Playback.STORED]
    return True if there >= share * (found.objects - failed) - _ROUNDING else None


def _compared(one: RegisteredObject, state: MediaState | None, *, processed: bool) -> Look:
    if state is None:
        return Playback.MISSING, Finding(key=one.key, media_id=one.media_id, detail="")
    key = one.key or state.key
    playback = state.playback(key, one.size, processed=processed)
    detail = state.key if playback is Playback.OTHER_FILE else state.status
    return playback, Finding(key=key, media_id=one.media_id, detail=detail)


def _explained(states: MediaStates, one: Finding) -> Finding:
    reason = states.transcoding_error(one.media_id)
    return Finding(key=one.key, media_id=one.media_id, detail=f"{one.detail}: {reason}" if reason else one.detail)
