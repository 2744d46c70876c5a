"""The totals that triggers keep are those of the rows, whatever happens to them and however many write at once."""

from __future__ import annotations

import random
import threading

import psycopg
from rigging import BUCKET, Rig

# Each pair: the tally, and the rows that it stands for.
RESULTS = (
    """select account, migration, state, code, run_id, unsure, sum(objects) from result_tallies
       group by 1, 2, 3, 4, 5, 6 having sum(objects) <> 0""",
    """select account, migration, state, case when state = 'failed' then coalesce(code, 'no_code') else '' end,
              case when state = 'pending' then coalesce(queued_run, '') else '' end, state = 'pending' and unsure, count(*)
       from results group by 1, 2, 3, 4, 5, 6""",
)
OUTCOMES = (
    "select run_id, outcome, code, sum(objects) from outcome_tallies group by 1, 2, 3 having sum(objects) <> 0",
    """select run_id, outcome, case when outcome = 'failed' then coalesce(code, 'no_code') else '' end, count(*)
       from outcomes group by 1, 2, 3""",
)
CALLS = (
    "select run_id, stretch, answer, sum(calls), sum(files) from call_tallies group by 1, 2, 3",
    "select run_id, floor(extract(epoch from started_at) / 5), answer, count(*), sum(files) from calls group by 1, 2, 3",
)
INSERT = """
    insert into results (account, bucket, key, migration, state, code)
    select 'default', 'b', %s || i, 'nightly', 'pending', null from generate_series(1, 5) i returning result_id
"""


def assert_tallied(rig: Rig) -> None:
    for tally, rows in (RESULTS, OUTCOMES, CALLS):
        assert sorted(rig.rows(tally)) == sorted(rig.rows(rows)) != []


def test_totals_follow_objects_that_fail_are_sent_again_disappear_and_return(rig: Rig) -> None:
    for number in range(25):
        rig.sandbox.put(BUCKET, f"films/{number:02}.mp4")
    rig.sandbox.put(BUCKET, "films/refused.mp4")
    rig.sandbox.fault("fail_files", key="films/refused.mp4")
    rig.run()
    assert_tallied(rig)
    rig.sandbox.clear_faults()
    rig.run(mode="failed")
    rig.sandbox.delete(BUCKET, "films/07.mp4")
    rig.run()
    assert dict(rig.rows("select state, sum(objects)::int from result_tallies group by 1 having sum(objects) > 0")) == {
        "registered": 25,
        "gone": 1,
    }
    rig.sandbox.put(BUCKET, "films/07.mp4")
    rig.run(mode="all")
    assert_tallied(rig)
    run = rig.prepare()
    rig.discover(run)
    rig.sandbox.put(BUCKET, "films/new.mp4")
    assert_tallied(rig)


def test_totals_are_exact_while_many_write_fold_and_roll_back_at_once(rig: Rig) -> None:
    troubles: list[psycopg.Error] = []

    def work(number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - a repeatable order
        mine: list[int] = []
        with psycopg.connect(rig.store.url, autocommit=True) as connection:
            for turn in range(60):
                with connection.transaction(force_rollback=dice.random() < 0.2):
                    rows = connection.execute(INSERT.encode(), (f"{number}-{turn}-",)).fetchall()
                    mine += [row[0] for row in rows]
                    some = dice.choices(mine, k=3)
                    state = dice.choice(["pending", "registered", "failed", "gone"])
                    connection.execute(
                        "update results set state = %s, code = %s, unsure = %s where result_id = any(%s)",
                        (state, dice.choice(["A", "B", None]), dice.random() < 0.5, some),
                    )
                    if dice.random() < 0.2:
                        connection.execute("delete from results where result_id = any(%s)", (some[:1],))

    def watched(number: int) -> None:
        try:
            work(number)
        except psycopg.Error as error:  # a deadlock, say: no two of them touch the same result
            troubles.append(error)

    threads = [threading.Thread(target=watched, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    tally, rows = RESULTS
    assert sorted(rig.rows(tally)) == sorted(rig.rows(rows)) != []


def test_what_is_folded_stays_small_however_long_a_migration_works(rig: Rig) -> None:
    with psycopg.connect(rig.store.url, autocommit=True) as connection:
        for number in range(600):
            connection.execute(INSERT.encode(), (f"{number}-",))
    [(count, objects)] = rig.rows("select count(*), sum(objects) from result_tallies")
    assert objects == 3_000
    assert count < 400


def test_a_finished_run_has_one_row_for_each_number(rig: Rig) -> None:
    for number in range(40):
        rig.sandbox.put(BUCKET, f"films/{number:02}.mp4")
    rig.run()
    [(count, kinds)] = rig.rows("select count(*), count(distinct outcome) from outcome_tallies")
    assert count == kinds == 1
    [(fresh,)] = rig.rows("select count(*) from call_tallies where not folded")
    assert fresh == 0


def test_a_call_without_outcomes_is_remembered_with_the_objects_that_it_carried(rig: Rig) -> None:
    for number in range(4):
        rig.sandbox.put(BUCKET, f"films/{number}.mp4")
    rig.sandbox.fault("http_503", api="RegisterMedia", count=1)
    rig.run()
    assert rig.rows("select answer, cardinality(carried) from calls order by started_at") == [
        ("transient", 4),
        ("ok", None),
    ]
