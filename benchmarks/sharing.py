"""What is left for us when another application uses the account too, and what an outage of a minute costs.

Sharing: two migrations with two worker processes each, and a foreign caller that takes 20 of the account's 50 calls a second and
knows nothing of us: evenly, or ten at once twice a second. The rest is 50 less what the foreign caller was granted. Measured
over the seconds after the first 20 (the beginning is told separately), from the rows of `calls`.

Outage: VOD answers every call with 503 for a minute. Told are the calls made in it (probes and those that were under way), and how
long after it the pace is whole again: the first second from which on three seconds together have 95 % of 47 calls a second.

    python benchmarks/sharing.py [--seconds 60] [--outage 60] [--only steady|bursty|outage]

Target: at least 95 % of the rest with at most 1 % of our calls refused.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from baselines import RATE
from stage import Stage, stage, wait_for_runs

QUOTA = 50.0
FOREIGN = 20.0
BEGINNING_SECONDS = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long sharing is measured")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds of outage")
    parser.add_argument("--only", choices=["steady", "bursty", "outage"])
    options = parser.parse_args()
    for name, moments in (("steady", evenly), ("bursty", in_bursts)):
        if options.only in (None, name):
            with stage() as play:
                share(play, name, moments, seconds=options.seconds)
    if options.only in (None, "outage"):
        with stage() as play:
            outage(play, seconds=options.outage)


def evenly() -> Iterator[float]:
    """Seconds at which the foreign caller sends: one call every 50 ms."""
    number = 0
    while True:
        yield number / FOREIGN
        number += 1


def in_bursts() -> Iterator[float]:
    """Ten calls at once, twice a second."""
    for burst in evenly():
        for _ in range(10):
            yield burst * 10


def share(play: Stage, name: str, moments: Any, *, seconds: float) -> None:
    url = set_up(play, seconds=seconds + BEGINNING_SECONDS + 15)
    foreign = Foreign(play)
    time.sleep(5)
    with foreign.calling(moments()):
        began = time.time()
        time.sleep(BEGINNING_SECONDS + seconds)
    first = ours(url, began, began + BEGINNING_SECONDS)
    mine = ours(url, began + BEGINNING_SECONDS, began + BEGINNING_SECONDS + seconds)
    granted = foreign.granted(began + BEGINNING_SECONDS, began + BEGINNING_SECONDS + seconds) / seconds
    rest = QUOTA - granted
    rate = mine.accepted / seconds
    print(
        f"{name:7} foreign {granted:5.2f} calls/s granted, {foreign.refused(began + BEGINNING_SECONDS):.2%} of its calls refused; "
        f"ours {rate:5.2f} calls/s = {rate / rest:6.1%} of the rest ({rest:.2f}), {mine.refused:.2%} refused; "
        f"in the first {BEGINNING_SECONDS:.0f} s {first.refused:.1%} refused",
        flush=True,
    )


def outage(play: Stage, *, seconds: float) -> None:
    url = set_up(play, seconds=35)
    time.sleep(10)
    play.control("POST", "faults", {"kind": "http_503", "api": "RegisterMedia"})
    began = time.time()
    time.sleep(seconds)
    play.control("DELETE", "faults")
    over = time.time()
    time.sleep(15)
    with psycopg.connect(url) as connection:
        wasted = connection.execute(
            "select count(*), count(*) filter (where started_at > to_timestamp(%s)) from vod_migrate.calls where answer = 'transient'",
            (began + 1,),
        ).fetchone()
        answered = [
            float(row[0])
            for row in connection.execute(
                "select extract(epoch from started_at) from vod_migrate.calls where answer = 'ok' and started_at > to_timestamp(%s) "
                "order by started_at",
                (over - 1,),
            )
        ]
        attempts = connection.execute(
            "select count(*) from vod_migrate.events where what in ('retry', 'failed')"
        ).fetchone()
    whole = next(
        (at for at in answered if sum(at <= other < at + 3 for other in answered) >= 0.95 * 3 * RATE), float("inf")
    )
    assert wasted is not None  # noqa: S101 - a constant query
    assert attempts is not None  # noqa: S101 - a constant query
    print(
        f"outage of {seconds:.0f} s: {wasted[0]} calls without an answer, {wasted[1]} of them probes after its first second; "
        f"first answer {answered[0] - over:+.1f} s, full pace {whole - over:+.1f} s after its end; "
        f"{attempts[0]} objects lost an attempt to it",
        flush=True,
    )


def set_up(play: Stage, *, seconds: float) -> str:
    """Two migrations with two workers each, under way; returns the database's URL."""
    buckets = ["archive-one", "archive-two"]
    count = int(seconds * RATE * 10 / len(buckets)) + 1000
    play.sandbox(
        {
            "settings": {"latency_ms": 30},
            "buckets": [
                *({"name": bucket, "generate": {"count": count, "dirt": 0}} for bucket in buckets),
                {"name": "foreign", "generate": {"count": 1000, "dirt": 0}},
            ],
        }
    )
    url = play.database()
    files = [
        play.migration(bucket, source={"bucket": bucket}, register={"template_group_id": "VOD_NO_TRANSCODE"})
        for bucket in buckets
    ]
    for file in files:
        play.start("run", str(file), "--json")
    for run_id in wait_for_runs(url, len(files)):
        play.start("work", run_id, "--slot", "second")
    with psycopg.connect(url, autocommit=True) as connection:
        while not connection.execute("select count(*) from vod_migrate.calls").fetchone()[0] > RATE:  # type: ignore[index]
            time.sleep(0.1)
    return url


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """Our calls of a stretch of time."""

    accepted: int
    throttled: int

    @property
    def refused(self) -> float:
        """Share of our calls that were throttled."""
        return self.throttled / max(1, self.accepted + self.throttled)


def ours(url: str, since: float, until: float) -> Ours:
    with psycopg.connect(url) as connection:
        told = dict(
            connection.execute(
                "select answer, count(*) from vod_migrate.calls where started_at >= to_timestamp(%s) and started_at < to_timestamp(%s) "
                "group by answer",
                (since, until),
            ).fetchall()
        )
    return Ours(accepted=told.get("ok", 0), throttled=told.get("throttled", 0))


class Foreign:
    """Another application with the same account: the vendor's SDK, a pace of its own, and no retry."""

    def __init__(self, play: Stage) -> None:
        os.environ.update(play.environment)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            os.environ.pop(name, None)
        from alibabacloud_vod20170321 import models  # noqa: PLC0415 - after the environment is clean

        from vod_migrate.cloud.clients import open_vod  # noqa: PLC0415 - after the environment is clean
        from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - after the environment is clean

        self._client = open_vod(connection_from_environment()).sdk
        (key, *_) = (json.loads(line)["key"] for line in play.lines("expected?bucket=foreign"))
        url = f"https://foreign.oss-cn-shanghai.aliyuncs.com/{key}"
        self._request = models.RegisterMediaRequest(
            register_metadatas=json.dumps([{"FileURL": url, "Title": "foreign"}])
        )
        self._answers: list[tuple[float, bool]] = []
        self._stop = threading.Event()

    def calling(self, moments: Iterator[float]) -> _Calling:
        """While this is held calls leave at these seconds."""
        return _Calling(self, moments)

    def granted(self, since: float, until: float) -> int:
        """Calls of that stretch that were not throttled."""
        return sum(ok for at, ok in self._answers if since <= at < until)

    def refused(self, since: float) -> float:
        """Share of its calls that were throttled."""
        later = [ok for at, ok in self._answers if at >= since]
        return 1 - sum(later) / max(1, len(later))

    def call(self) -> None:
        """Makes one call and notes whether it was granted."""
        from Tea.exceptions import TeaException  # noqa: PLC0415 - after the environment is clean

        at = time.time()
        try:
            self._client.register_media(self._request)
        except TeaException:
            self._answers.append((at, False))
        else:
            self._answers.append((at, True))


class _Calling:
    def __init__(self, foreign: Foreign, moments: Iterator[float]) -> None:
        self._foreign = foreign
        self._moments = moments
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            for moment in self._moments:
                if self._ended.wait(max(0.0, began + moment - time.monotonic())):
                    return
                pool.submit(self._foreign.call)


if __name__ == "__main__":
    main()
