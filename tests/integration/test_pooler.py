"""The core of this suite once more, through PgBouncer in transaction mode; `make full` sends all of it through one (--pooled)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from databases import Databases
from pgbouncer import PgBouncer, pgbouncer
from rigging import Rig, put
from test_browse_objects import test_an_object_tells_what_was_sent_and_every_call_that_carried_it  # noqa: F401
from test_processes import test_a_killed_run_loses_nothing_and_repeats_at_most_what_was_in_flight  # noqa: F401
from test_rate_in_sql import test_slots_lie_an_interval_apart_and_end_two_seconds_ahead  # noqa: F401
from test_runs import (  # noqa: F401
    test_a_dirty_bucket_ends_with_results_equal_to_the_truth,
    test_a_second_run_over_an_unchanged_bucket_sends_no_call,
    test_an_object_that_left_the_bucket_is_gone_keeps_its_media_id_and_comes_back,
)
from test_store_costs import test_calls_of_many_threads_share_commits  # noqa: F401
from test_store_facts import (  # noqa: F401
    test_a_lister_that_lost_its_lease_merges_nothing_and_the_next_one_goes_on_where_it_stood,
    test_prune_deletes_old_audit_and_keeps_every_media_id_and_the_run_of_every_object,
)
from test_store_trouble import test_connections_that_are_cut_in_mid_transaction_cost_nothing  # noqa: F401

from vod_migrate.doctor.checklist import CheckStatus
from vod_migrate.doctor.database import database_checks
from vod_migrate.errors import StoreUnusable
from vod_migrate.results.database import refuse_too_few, upgrade_schema
from vod_migrate.results.session import RATE_CONNECTIONS, RUN_CONNECTIONS
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox


@pytest.fixture(scope="module")
def pooler(databases: Databases) -> Iterator[PgBouncer]:
    with pgbouncer(databases.url) as running:
        yield running


def test_an_upgrade_goes_through_a_pooler_and_the_doctor_finds_it_well(databases: Databases, pooler: PgBouncer) -> None:
    url = pooler.of(empty := databases.create(migrated=False))
    assert upgrade_schema(url) == upgrade_schema(url)
    checks = [one for one in database_checks(lambda: url, None) if one.name != "quota"]
    assert {one.verdict for one in checks} == {CheckStatus.OK}, checks
    databases.drop(empty)


def test_the_next_client_of_a_pooled_connection_finds_no_setting_of_ours(
    rig: Rig, sandbox: Sandbox, database_url: str, databases: Databases
) -> None:
    # One server connection, so that all clients take turns on it.
    with (
        pgbouncer(databases.url, size=1) as narrow,
        psycopg.connect(narrow.of(database_url), autocommit=True) as client,
    ):
        name = client.info.dbname
        client.execute(f"alter database \"{name}\" set datestyle = 'German'".encode())
        # PgBouncer 1.18 itself leaves the name of another client on a connection whose client gives none.
        settings = "select name, setting from pg_settings where name <> 'application_name' order by name"
        before = client.execute(settings).fetchall()
        with Store.open(narrow.of(database_url), connections=4) as store:
            put(sandbox, 30)
            assert Rig(store, rig.connection, sandbox).run().counts.registered == 30
            assert client.execute(settings).fetchall() == before
        assert client.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_a_pooler_of_sessions_that_is_too_small_is_named(databases: Databases, database_url: str) -> None:
    with (
        pgbouncer(databases.url, mode="session", size=3) as small,
        pytest.raises(StoreUnusable, match=r"serves 3 of the 16 .* pool_mode = transaction"),
    ):
        refuse_too_few(small.of(database_url), 16, seconds=1.0)


def test_a_pooler_of_sessions_that_is_large_enough_serves_a_run(
    rig: Rig, sandbox: Sandbox, databases: Databases, database_url: str
) -> None:
    put(sandbox, 30)
    with pgbouncer(databases.url, mode="session", size=RUN_CONNECTIONS + RATE_CONNECTIONS) as large:
        url = large.of(database_url)
        assert {one.verdict for one in database_checks(lambda: url, None) if one.name != "quota"} == {CheckStatus.OK}
        with Store.open(url, connections=RUN_CONNECTIONS) as store:
            assert Rig(store, rig.connection, sandbox).run().counts.registered == 30


def test_a_pooler_that_refuses_options_says_to_remove_them(
    database_url: str,
) -> None:
    url = f"{database_url}&options=-c%20statement_timeout%3D0"
    named = {one.name: one for one in database_checks(lambda: url, None)}
    assert named["database"].error is not None
    assert (named["database"].error.exit_code, "remove `options`" in named["database"].answer) == (2, True)
