"""The short form of `make chaos`: one seed, each kind of process killed at least once."""

from __future__ import annotations

import pytest
from run import rehearse

SEED = 102  # an even one: the tasks of Airflow; odd ones are commands
KILLS = 9


@pytest.mark.timeout(900)
def test_after_random_kills_every_object_is_there_once_and_nothing_known_was_sent_again() -> None:
    verdict = rehearse(SEED, kills=KILLS)
    print(verdict)
    assert verdict.kills.total() >= KILLS
    assert {"sandbox", "postgres", "backend"} <= set(verdict.kills)
