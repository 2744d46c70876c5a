"""The services of docker-compose.yml as they run: with Celery and Redis, over machines that fail, stop and join.

They need redis-server and curl: apt-get install redis-server curl.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.cluster.events import Outcome, play
from demo.console import DemoConsole
from vod_migrate.migration.loader import load_migration

FILES_A_CALL = 10
OBJECTS = 9_000
"""At the first rate of eighty files a second: two minutes for the third worker to start."""


@pytest.fixture(scope="module")
def outcome(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("cluster") / "files"
    return play(root, folder, DemoConsole(), objects=OBJECTS, told=lambda _outcome, _sign_in: None)


@pytest.mark.timeout(900)
def test_a_run_over_workers_that_are_killed_stopped_and_added_is_the_truth(outcome: Outcome) -> None:
    assert outcome.state == "success", outcome.tries
    assert outcome.agreement.differences == []
    assert outcome.agreement.compared == len(outcome.expected.registered) + len(outcome.expected.failed) > OBJECTS / 2


def test_only_what_was_under_way_on_the_killed_worker_is_sent_again(outcome: Outcome, root: Path) -> None:
    calls_at_a_time = load_migration(root / "dags" / "migrations" / "sandbox.yaml").register_.threads
    repeated = outcome.carried - len(outcome.expected.registered)
    assert 0 <= repeated <= calls_at_a_time * FILES_A_CALL


def test_every_worker_took_part_and_the_stopped_one_accepted_nothing_more(outcome: Outcome) -> None:
    assert (
        {outcome.killed, outcome.stopped, outcome.added} == outcome.machines() == {"worker-1", "worker-2", "worker-3"}
    )
    assert all(outcome.sent.values()), outcome.sent
    late = [one for one in outcome.tries if one.machine == outcome.stopped and one.began > outcome.stopped_at]
    assert late == []


def test_the_task_of_the_killed_worker_is_tried_again_on_another(outcome: Outcome) -> None:
    lost = next(one for one in outcome.tries if one.machine == outcome.killed and one.state == "failed")
    again = next(one for one in outcome.tries if one.task == lost.task and one.number == lost.number + 1)
    assert again.machine != outcome.killed
    assert again.state == "success"


def test_the_page_shows_the_run_where_the_api_server_does_not_share_the_reports(outcome: Outcome) -> None:
    assert outcome.page_shown
