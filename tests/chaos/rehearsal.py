"""A migration whose processes are killed again and again, by a plan that follows from a seed.

Two ways of running take turns. As Airflow does it: one discover task and three register tasks of one run, each started
again in its place when it dies. By hand: `vod-migrate run` with two `vod-migrate work` beside it; a `run` that dies is
followed by a new one. Faults are on all the time. When all kills are spent the rest is let through, the faults are
taken away, and a last run ends what is left.

A seed fixes the plan (what is killed after what time, which faults are drawn), not the moments of a shared machine: a
failing seed is likely to fail again, not certain to.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import psycopg
import yaml
from cluster import Cluster
from nursery import Nursery

from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import StoreUnreachable, VodMigrateError
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.rate.limiter import API
from vod_migrate.results.database import upgrade_schema
from vod_migrate.results.store import Store
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin
from vod_migrate.run.settle import finish

BUCKET = "media-archive"
THREADS = 8
PACE = 40.0
DRAINING_PACE = 300.0
OBJECTS_PER_KILL = 250
PREFIXES = 10
GAP_SECONDS = 0.6
"""Mean time between two kills."""
AGAIN_SECONDS = 0.2
"""A part that ended is started again after this; Airflow and people take longer."""
PATIENCE_SECONDS = 180.0

FAULTS: list[dict[str, Any]] = [
    {"kind": "reset", "api": "RegisterMedia", "rate": 0.02},
    {"kind": "reset", "api": "RegisterMedia", "rate": 0.02, "when": "after"},
    {"kind": "html_502", "api": "RegisterMedia", "rate": 0.02, "when": "after"},
    {"kind": "http_500", "api": "RegisterMedia", "rate": 0.01, "when": "after"},
    {"kind": "http_503", "api": "RegisterMedia", "rate": 0.02},
    {"kind": "timeout", "api": "RegisterMedia", "rate": 0.01, "when": "after", "seconds": 0.5},
    {"kind": "throttle", "api": "RegisterMedia", "rate": 0.02},
    # The same files each time: refused twice at random, a file that is registered already would be told as failed.
    {"kind": "fail_files", "rate": 0.005},
    {"kind": "omit_files", "rate": 0.005, "sticky": False},
    {"kind": "omit_files", "rate": 0.005, "sticky": False, "when": "after"},
    {"kind": "empty_200", "api": "RegisterMedia", "rate": 0.005, "when": "after"},
    {"kind": "malformed_200", "api": "RegisterMedia", "rate": 0.005, "when": "after"},
    {"kind": "reset", "api": "RegisterMedia", "rate": 0.005, "at_byte": "any"},
    {"kind": "error", "code": "SignatureNonceUsed", "api": "RegisterMedia", "rate": 0.005},
    {"kind": "latency", "api": "RegisterMedia", "rate": 0.05, "seconds": 0.1, "shape": "lognormal"},
    {"kind": "url_form", "form": "https", "rate": 0.02},
    {"kind": "failed_form", "form": "one_json", "rate": 0.05},
    {"kind": "foreign_file", "rate": 0.01},
    {"kind": "both_lists", "rate": 0.003, "sticky": False},
    {"kind": "repeat_page", "rate": 0.02},
    {"kind": "end_early", "rate": 0.05},
    {"kind": "http_503", "api": "ListObjects", "rate": 0.1},
    {"kind": "reset", "api": "ListObjects", "rate": 0.05},
]
LEASE_SECONDS = 2.0
STALL_SECONDS = 3.0
LOST_SECONDS = 1.0
EXCLUDED = "archive/2026-11-03/"
"""What the file leaves out from the middle of a rehearsal by hand on."""
TARGETS = {
    "worker": 10, "discoverer": 4, "sandbox": 3, "postgres": 2, "backend": 2, "workers": 1, "everything": 1, "stall": 2, "failover": 1,
}  # fmt: skip
ALWAYS = ("worker", "worker", "discoverer", "sandbox", "postgres", "backend", "stall", "failover")
"""What is killed, by weight. backend: one of Postgres's own processes, such as the lister's; workers: all of them at once; stall: one stands
still until its lease has lapsed; failover: the database loses what it committed last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    """One process that was killed, and how many calls it can have cut off on the way."""

    what: str
    in_flight: int


@dataclass(kw_only=True, slots=True)
class Part:
    """A process that is kept alive until it says that it is done."""

    name: str
    command: Callable[[], list[str] | None]
    pid: int | None = None
    start_at: float = 0.0
    done: bool = False
    codes: Counter[int] = field(default_factory=Counter)

    @property
    def sends(self) -> bool:
        """Whether it makes RegisterMedia calls."""
        return self.name != "discoverer"


class Rehearsal:
    """One seed: set the stage, kill by plan, let the rest through, look at what came out."""

    def __init__(self, folder: Path, *, seed: int, kills: int) -> None:
        self.folder, self.seed, self.planned = folder, seed, kills
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.deck = self._shuffled()
        self.kills: list[Kill] = []
        self.by_hand = seed % 2 == 1
        self.journal = folder / "state.ndjson"
        self.parts: list[Part] = []
        self.helped: dict[str, str] = {}
        self.changed = False
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("VOD_MIGRATE_", "ALIBABA_CLOUD_"))
        }
        self.environment |= {
            "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true", "NO_COLOR": "1", "VOD_MIGRATE_LEASE_SECONDS": str(LEASE_SECONDS),
        }  # fmt: skip
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "PYTHONDONTWRITEBYTECODE"):
            self.environment.pop(name, None)
        self.nursery = Nursery()
        self.cluster = Cluster(folder / "postgres")
        self.environment["VOD_MIGRATE_DATABASE_URL"] = self.cluster.url
        upgrade_schema(self.cluster.url)
        self.port = 0
        self.sandbox = 0
        self._write_files()
        self._start_sandbox()

    def close(self) -> None:
        """Leaves no process behind."""
        self.nursery.close()
        self.cluster.stop()

    def run(self) -> None:
        """The whole rehearsal; raises AssertionError where it does not end."""
        with self._store(2) as store:
            store.set_quota("default", API, PACE)
        self.parts = self._parts_by_hand() if self.by_hand else self._parts_of_airflow()
        next_kill = time.monotonic() + 1.0
        until = time.monotonic() + PATIENCE_SECONDS
        while not all(part.done for part in self.parts):
            assert time.monotonic() < until, f"it does not end: {self.state()}"
            self._look_after_parts()
            if self.deck and time.monotonic() >= next_kill:
                if self._kill(self.deck[-1]):
                    self.deck.pop()
                    until = time.monotonic() + PATIENCE_SECONDS
                    if self.by_hand and len(self.deck) == self.planned // 2:
                        self._change_the_file()
                    if not self.deck:
                        self._let_the_rest_through()
                next_kill = time.monotonic() + self.random.expovariate(1 / GAP_SECONDS)
            time.sleep(0.02)
        self.control("DELETE", "faults")
        self._run_to_its_end()

    def _store(self, connections: int) -> Store:
        """The results store; a database whose backend was killed a moment ago is waited for."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return Store.open(self.cluster.url, connections=connections)
            except StoreUnreachable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    # What runs

    def _parts_of_airflow(self) -> list[Part]:
        with self._store(2) as store:
            prepared = prepare(
                store=store,
                connection=connection_from_environment(self.environment),
                migration=load_migration(self.folder / "migration.yaml"),
                options=RunOptions(),
                origin=Origin(kind="airflow", dag_id="vod", dag_run_id=f"seed-{self.seed}"),
            )
        run_id = prepared.run_id
        return [
            Part(name="discoverer", command=lambda: ["task", "discover", run_id]),
            *(
                Part(name=slot, command=lambda slot=slot: ["task", "register", run_id, slot])  # type: ignore[misc]
                for slot in ("one", "two", "three")
            ),
        ]

    def _parts_by_hand(self) -> list[Part]:
        file = str(self.folder / "migration.yaml")
        return [
            Part(name="run", command=lambda: ["run", file, "--json"]),
            *(
                Part(name=slot, command=lambda slot=slot: self._help(slot))  # type: ignore[misc]
                for slot in ("helper-one", "helper-two")
            ),
        ]

    def _help(self, slot: str) -> list[str] | None:
        if self.parts[0].done:
            return None
        with suppress(psycopg.OperationalError), psycopg.connect(self.cluster.url, connect_timeout=5) as connection:
            row = connection.execute(
                "select run_id from vod_migrate.runs where state = 'running' order by run_id = %s desc, created_at desc limit 1",
                (self.helped.get(slot, ""),),
            ).fetchone()
            if row is not None:
                # Started again in its place, so that nobody waits for the lease of what it held.
                self.helped[slot] = row[0]
                return ["work", row[0], "--slot", slot]
        return []

    def _look_after_parts(self) -> None:
        for ended in self.nursery.ended():
            for part in self.parts:
                if part.pid == ended.pid:
                    part.pid, part.start_at = None, time.monotonic() + AGAIN_SECONDS
                    part.codes[ended.code] += 1
                    # A helper is done when there is nothing left to help; `run` decides that.
                    part.done = ended.code == 0 and not part.name.startswith("helper")
        for part in self.parts:
            if not part.done and part.pid is None and time.monotonic() >= part.start_at:
                command = part.command()
                if command is None:
                    part.done = True
                elif command:
                    part.pid = self._start(part.name, *command)
                else:
                    part.start_at = time.monotonic() + AGAIN_SECONDS

    def _start(self, name: str, *command: str) -> int:
        return self.nursery.start(*command, environment=self.environment, log=self.folder / f"{name}.log")

    def _let_the_rest_through(self) -> None:
        with self._store(2) as store:
            store.set_quota("default", API, DRAINING_PACE)

    def _run_to_its_end(self) -> None:
        """The last run, which nothing disturbs; an Airflow run is first given its verdict."""
        with self._store(12) as store:
            if not self.by_hand and store.runs(most=1)[0].origin == "airflow":
                told = finish(store=store, run_id=store.runs(most=1)[0].run_id)
                assert (told.state, told.counts.pending, told.counts.unknown) == ("succeeded", 0, 0), told
        pid = self._start("last", "run", str(self.folder / "migration.yaml"), "--json")
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert time.monotonic() < until, f"the last run does not end: {self.state()}"
            code = next((ended.code for ended in self.nursery.ended() if ended.pid == pid), None)
            if code is not None:
                break
            time.sleep(0.05)
        assert code == 0, self.state()

    def rename(self) -> dict[str, Any]:
        """The migration gets another name, and what it owns is handed over. Returns the counts of its next run."""
        with self._store(4) as store:
            store.transfer("default", "nightly", "renamed")
        file = self.folder / "migration.yaml"
        file.write_text(file.read_text(encoding="utf-8").replace("name: nightly", "name: renamed"), encoding="utf-8")
        self._run_to_its_end()
        with self._store(4) as store:
            (run,) = store.runs(migration="renamed", most=1)
            return store.counts(run.run_id).as_json()

    # What is killed

    def _shuffled(self) -> list[str]:
        """What is killed in turn: each of ALWAYS at least once, the rest by weight."""
        rest = self.random.choices(list(TARGETS), list(TARGETS.values()), k=max(0, self.planned - len(ALWAYS)))
        deck = [*ALWAYS, *rest]
        self.random.shuffle(deck)
        return deck

    def _kill(self, target: str) -> bool:
        choice = self.random.random()
        alive = [part for part in self.parts if part.pid is not None]
        workers = [part for part in alive if part.sends]
        match target:
            case "discoverer":
                # By hand `run` lists; where listing is over, somebody else dies.
                found = [part for part in alive if part.name in ("discoverer", "run")] or workers
                return self._kill_parts(found[:1])
            case "worker":
                return self._kill_parts(workers[int(choice * len(workers))] for _ in workers[:1])
            case "workers":
                return self._kill_parts(workers)
            case "sandbox":
                self._kill_sandbox()
            case "postgres" | "backend" | "failover":
                return self._kill_database(target, choice, workers)
            case "stall":
                return self._stall([part for part in alive if part.name in ("discoverer", "run")] or workers)
            case "everything":
                self._kill_parts(alive)
                self._kill_sandbox()
                self._kill_postgres(pause=choice)
        return True

    def _kill_parts(self, parts: Any) -> bool:
        killed = False
        for part in parts:
            with suppress(ProcessLookupError):
                os.kill(part.pid, signal.SIGKILL)
                self.kills.append(Kill(what=part.name, in_flight=THREADS if part.sends else 0))
                killed = True
        return killed

    def _kill_database(self, target: str, choice: float, workers: list[Part]) -> bool:
        if target == "postgres":
            self._kill_postgres(pause=choice)
            return True
        if target == "failover":
            forgotten = int(2 * PACE * (LOST_SECONDS + 2))
            self.kills.append(Kill(what="failover", in_flight=forgotten + THREADS * len(workers)))
            self.cluster.fail_over(lost_seconds=LOST_SECONDS)
            return True
        if self.cluster.kill_backend(choice):
            self.kills.append(Kill(what="backend", in_flight=0))
            self.cluster.start()
            return True
        return False

    def _stall(self, parts: list[Part]) -> bool:
        """One stands still until its lease has lapsed, and goes on: what it held is somebody else's by then."""
        for part in parts[:1]:
            assert part.pid is not None
            os.kill(part.pid, signal.SIGSTOP)
            time.sleep(STALL_SECONDS)
            os.kill(part.pid, signal.SIGCONT)
            self.kills.append(Kill(what="stall", in_flight=THREADS))
        return bool(parts)

    def _change_the_file(self) -> None:
        """The file leaves a folder out from now on, whatever was found in it before."""
        self.changed = True
        self._write_files()
        self._kill_parts([part for part in self.parts if part.pid is not None])

    def _kill_sandbox(self) -> None:
        senders = sum(part.sends for part in self.parts if part.pid is not None)
        os.kill(self.sandbox, signal.SIGKILL)
        self.kills.append(Kill(what="sandbox", in_flight=THREADS * senders))
        time.sleep(0.3 * self.random.random())
        self._start_sandbox()

    def _kill_postgres(self, *, pause: float) -> None:
        # Workers wait with what they know until the database is back, so this alone cuts off no call.
        self.cluster.kill()
        self.kills.append(Kill(what="postgres", in_flight=0))
        time.sleep(pause)
        self.cluster.start()

    # The sandbox

    def _write_files(self) -> None:
        prefixes = [f"archive/2026-11-{day:02}/" for day in range(1, PREFIXES + 1)]
        dataset = {
            "count": OBJECTS_PER_KILL * self.planned,
            "seed": self.seed,
            "dates": {"from": "2026-11-01", "days": PREFIXES},
            "hls": 0,
        }
        sandbox = {
            "buckets": [{"name": BUCKET, "generate": dataset}],
            "settings": {
                "latency_ms": 60, "latency_shape": "lognormal", "quotas": {"RegisterMedia": None}, "seed": self.seed,
            },
            "faults": [{**fault, "seed": self.seed} for fault in FAULTS],
        }  # fmt: skip
        migration = {
            "name": "nightly",
            "source": {"bucket": BUCKET, "prefixes": prefixes},
            "register": {"template_group_id": "VOD_NO_TRANSCODE", "threads": THREADS},
            "select": {"exclude": [f"{EXCLUDED}*"]} if self.changed else {},
        }
        for name, content in (("sandbox", sandbox), ("migration", migration)):
            (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    def _start_sandbox(self) -> None:
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.sandbox = self._start(
            "sandbox", "sandbox", "serve", "--config", str(self.folder / "sandbox.yaml"), "--port", str(self.port),
            "--ready-file", str(ready), "--state", str(self.journal),
        )  # fmt: skip
        until = time.monotonic() + 20
        while not ready.exists():
            assert time.monotonic() < until, (self.folder / "sandbox.log").read_text()[-2000:]
            time.sleep(0.02)
        told = json.loads(ready.read_text(encoding="utf-8"))
        self.environment |= told["environment"]
        self.port = int(told["endpoint"].rpartition(":")[2])

    def control(self, method: str, path: str) -> str:
        """What the sandbox's control API answers."""
        request = Request(f"http://127.0.0.1:{self.port}/_sandbox/{path}", method=method)
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return str(answer.read().decode())

    # Looking

    def state(self) -> str:
        """What can be said when something is wrong: the runs, the parts and the ends of their logs."""
        lines = [f"seed {self.seed}, {len(self.kills)} kills: {dict(Counter(kill.what for kill in self.kills))}"]
        lines += [f"{part.name}: pid {part.pid}, exit codes {dict(part.codes)}" for part in self.parts]
        with suppress(psycopg.Error, VodMigrateError, URLError), psycopg.connect(self.cluster.url) as connection:
            for query in (
                "select run_no, queue_no, run_id, state, stop_code, stop_message from vod_migrate.runs order by created_at desc limit 5",
                "select queue_no, alone, token is not null, count(*), sum(objects) from vod_migrate.blocks group by 1, 2, 3",
                "select run_no, kind, state, count(*), min(error) from vod_migrate.scans group by 1, 2, 3",
                "select run_no, slot, host, expires_at, now() from vod_migrate.workers where expires_at > now()",
            ):
                lines += [query, *map(repr, connection.execute(query.encode()).fetchall())]
        for log in sorted(self.folder.glob("*.log")):
            lines += [f"-- {log.name}", *log.read_text(errors="replace").splitlines()[-8:]]
        return "\n".join(lines)
