"""When somebody who waits for media may go on, and when waiting is of no use."""

from __future__ import annotations

from collections import Counter

import pytest

from vod_migrate.audit.verification import is_ready
from vod_migrate.results.verifications import Playback, Verification

N = Playback.NOT_DECODED
P, S, W, F, M = Playback.PLAYABLE, Playback.STORED, Playback.PROCESSING, Playback.FAILED, Playback.MISSING


@pytest.mark.parametrize(
    ("counts", "share", "tolerate", "first", "ready"),
    [
        ({}, 1.0, 0.0, True, True),
        ({P: 100}, 1.0, 0.0, True, True),
        ({P: 99, S: 1}, 1.0, 0.0, True, True),
        ({P: 99, W: 1}, 1.0, 0.0, True, None),
        ({P: 99, N: 1}, 1.0, 0.0, True, None),
        ({P: 99, W: 1}, 0.99, 0.0, True, True),
        ({P: 89, W: 11}, 0.9, 0.0, True, None),
        ({P: 1, F: 1, W: 98}, 1.0, 0.0, True, False),
        ({P: 1, F: 1, W: 98}, 0.5, 0.0, True, False),
        ({P: 97, F: 2, W: 1}, 1.0, 0.02, True, None),
        ({P: 98, F: 2}, 1.0, 0.02, True, True),
        ({P: 97, F: 3}, 1.0, 0.02, True, False),
        ({F: 100}, 1.0, 1.0, True, True),
        # A new media may not be found at the first look.
        ({P: 99, M: 1}, 1.0, 0.0, True, None),
        ({P: 99, M: 1}, 1.0, 0.0, False, False),
        ({P: 29, F: 1}, 1.0, 1 / 30, False, True),
    ],
)
def test_readiness(counts: dict[Playback, int], share: float, tolerate: float, first: bool, ready: bool | None) -> None:
    found = Verification(objects=sum(counts.values()), counts=Counter(counts))
    assert is_ready(found, share=share, tolerate=tolerate, first=first) is ready
