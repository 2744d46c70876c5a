"""The short form of `make chaos`: one seed for each way of running, each kind of process killed at least once."""

from __future__ import annotations

import pytest
from run import rehearse


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("way", "seed"), [("by hand", 101), ("as Airflow does it", 102)])
def test_after_random_kills_every_object_is_there_once_and_nothing_known_was_sent_again(way: str, seed: int) -> None:
    verdict = rehearse(seed, kills=9)
    print(way, verdict)
    assert verdict.kills.total() >= 9
    assert {"sandbox", "postgres", "backend"} <= set(verdict.kills)
