"""What must be true after the last run, said exactly.

*An effect* is a RegisterMedia call that registered something, as the sandbox's journal has it. It is *told* for a file when
a row of `calls` has its RequestId and the row's outcome for that file says registered. An effect that no row tells of is
*lost*: its answer never arrived (a fault hit it), or a process was killed between the sending and the commit.

1. Every registered result is in the truth with its MediaId, and the other way round. Excepted is a file whose effects are all
   lost, or named in no clear reply, and which the migration file excluded before it could be sent again: nobody can know of it,
   and nobody may send it.
2. Every object of the bucket is a fact exactly once, or was left out by name; nothing is left to send. Nothing is gone that is there, and
   nothing was registered by a run whose file excludes it.
3. No file is sent again once it is told, by the time of the commit and the time of the sending. So every repeated call goes
   back to an effect that was lost, untold, or not yet committed. (Not where the database forgot its last second, or a lease lapsed.)
4. Lost effects without a fault are at most the calls that were under way at a kill: one for each sending thread that the
   kill cut off (all threads of all workers, for the sandbox).
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg
from rehearsal import BUCKET, EXCLUDED, Rehearsal

_TOLD = """
    select c.request_id, o.key, extract(epoch from o.settled_at)::float8
    from vod_migrate.objects o join vod_migrate.calls c using (call_id) where o.registered
    union all
    select c.request_id, e.key, extract(epoch from e.at)::float8
    from vod_migrate.events e join vod_migrate.calls c using (call_id) where e.what = 'registered'
"""
_WITHOUT_AN_ANSWER = ("reset", "timeout", "http_500", "http_503", "html_502", "empty_200", "malformed_200", "error")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The figures of a rehearsal that passed."""

    seed: int
    kills: Counter[str]
    objects: int
    failed: int
    calls: int
    repeated_files: int
    lost: int
    lost_to_faults: int
    in_flight: int

    def __str__(self) -> str:
        killed = ", ".join(f"{what} {count}" for what, count in sorted(self.kills.items()))
        return (
            f"seed {self.seed}: {self.kills.total()} kills ({killed}); {self.objects:,} objects, {self.failed} failed; "
            f"{self.calls:,} calls with an effect, {self.repeated_files:,} files sent again; effects nobody was told of: "
            f"{self.lost} at kills (of {self.in_flight} possible), {self.lost_to_faults} to faults"
        )


def judge(rehearsal: Rehearsal) -> Verdict:
    """Holds the results against the truth; raises AssertionError naming the first thing that is not so."""
    truth = [json.loads(line) for line in rehearsal.control("GET", f"truth?bucket={BUCKET}").splitlines()]
    expected = {json.loads(line)["key"] for line in rehearsal.control("GET", f"expected?bucket={BUCKET}").splitlines()}
    effects = [json.loads(line) for line in rehearsal.journal.read_text(encoding="utf-8").splitlines()]
    with psycopg.connect(rehearsal.cluster.url) as connection:
        results = connection.execute(
            "select key, case when gone then 'gone' when registered then 'registered' else 'failed' end, media_id, run_no "
            "from vod_migrate.objects"
        ).fetchall()
        left = connection.execute("select count(*) from vod_migrate.work").fetchone()
        told = connection.execute(_TOLD).fetchall()
        recorded = dict(
            connection.execute(
                "select request_id, extract(epoch from started_at)::float8 from vod_migrate.calls where answer = 'ok'"
            ).fetchall()
        )
        unclear = set(
            connection.execute(
                "select request_id, key from vod_migrate.events join vod_migrate.calls using (call_id) where what = 'unknown'"
            ).fetchall()
        )
        last = connection.execute(
            "select state, summary from vod_migrate.runs order by created_at desc limit 1"
        ).fetchone()
        excluding = {
            row[0]
            for row in connection.execute(
                "select run_no from vod_migrate.runs where spec #>> '{select,exclude}' like %s", (f"%{EXCLUDED}%",)
            ).fetchall()
        }
    assert left == (0,), "something is still to be sent"
    wrong = [
        key
        for key, state, _, run_no in results
        if key.startswith(EXCLUDED) and run_no in excluding and state == "registered"
    ]
    assert not wrong, f"registered by a run whose file excludes it: {wrong[:5]}"
    answered = {
        file["key"]
        for effect in effects
        if effect["request_id"] in recorded
        for file in effect["effects"]
        if (effect["request_id"], file["key"]) not in unclear
    }
    _same_as_the_truth(
        results,
        [row for row in truth if not (excluding and row["key"].startswith(EXCLUDED) and row["key"] not in answered)],
    )
    failed = _complete(results, expected, last)
    if any(kill.what in ("failover", "stall") for kill in rehearsal.kills):
        # What the database has forgotten it cannot know; what a lapsed lease gave away may be on its way.
        told = []
    repeated = _nothing_told_is_sent_again(
        effects, told={(request_id, key): at for request_id, key, at in told}, sent=recorded
    )
    lost = [effect for effect in effects if effect["request_id"] not in recorded]
    by_kills = sum(effect["fault"] not in _WITHOUT_AN_ANSWER for effect in lost)
    in_flight = sum(kill.in_flight for kill in rehearsal.kills)
    assert by_kills <= in_flight, f"{by_kills} effects were lost, but only {in_flight} calls were cut off"
    _owned_under_another_name(rehearsal, registered=sum(state == "registered" for _, state, _, _ in results), last=last)
    return Verdict(
        seed=rehearsal.seed,
        kills=Counter(kill.what for kill in rehearsal.kills),
        objects=len(results),
        failed=failed,
        calls=len(effects),
        repeated_files=repeated,
        lost=by_kills,
        lost_to_faults=len(lost) - by_kills,
        in_flight=in_flight,
    )


def _owned_under_another_name(rehearsal: Rehearsal, *, registered: int, last: Any) -> None:
    counts = rehearsal.rename()
    before = last[1]["counts"]
    assert counts["owned_elsewhere"] == counts["gone"] == counts["registered"] == counts["already_registered"] == 0, (
        counts
    )
    assert counts["left_out"] == before["left_out"], (counts, before)
    assert counts["unchanged"] + counts["left_out"].get("excluded", 0) >= registered, (counts, registered)


def _same_as_the_truth(results: list[Any], truth: list[Any]) -> None:
    ours = {key: media_id for key, state, media_id, _ in results if state == "registered"}
    theirs = {row["key"]: row["media_id"] for row in truth}
    assert len(truth) > 0
    wrong = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    assert not wrong, [(key, ours.get(key), theirs.get(key)) for key in wrong[:5]]


def _complete(results: list[Any], expected: set[str], last: Any) -> int:
    states = Counter(state for _, state, _, _ in results)
    assert set(states) <= {"registered", "failed"}, states
    keys = [key for key, _, _, _ in results]
    assert len(keys) == len(set(keys))
    assert set(keys) <= expected
    state, summary = last
    counts = summary["counts"]
    assert (state, counts["pending"], counts["unknown"]) == ("succeeded", 0, 0), last
    assert counts["discovered"] == len(expected), (counts, len(expected))
    registered_before = sum(key.startswith(EXCLUDED) for key in keys) if counts["left_out"].get("excluded") else 0
    assert len(keys) - registered_before + sum(counts["left_out"].values()) == len(expected), counts
    return states["failed"]


def _nothing_told_is_sent_again(
    effects: list[Any], *, told: dict[tuple[str, str], float], sent: dict[str, float]
) -> int:
    """Returns how many files were registered again."""
    before: dict[str, str] = {}
    repeated = 0
    for effect in effects:
        # A lost call has no row with its time of sending, but it is signed with it, in whole seconds.
        signed = dt.datetime.fromisoformat(effect["signed"]).timestamp()
        at = sent.get(effect["request_id"], signed)
        for file in effect["effects"]:
            key = file["key"]
            if key in before:
                repeated += 1
                known_at = told.get((before[key], key), float("inf"))
                assert known_at >= at, (
                    f"{key!r} was sent again {at - known_at:.3f} s after {before[key]} was recorded, by {effect['request_id']}, "
                    f"{'recorded' if effect['request_id'] in sent else 'lost'}, fault {effect['fault']}"
                )
            before[key] = effect["request_id"]
    return repeated
