"""Whether media are ready, as far as somebody who waits for them is concerned. Pure."""

from __future__ import annotations

from vod_migrate.results.verifications import Playback, Verification

_ROUNDING = 1e-9


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
