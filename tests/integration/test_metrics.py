"""Metrics of whole runs, received by a socket: they say what the report says, and what the documentation and the dashboard name."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import re2
import yaml
from rigging import Rig, put
from shell import BUCKET, MIGRATION, Shell
from statsd_receiver import Line, StatsdReceiver, statsd_receiver

from vod_migrate.sandbox.pytest_plugin import Sandbox

ROOT = Path(__file__).parents[2]
KINDS = {"counter": "c", "gauge": "g", "timer": "ms"}
_ROW = re.compile(r"^\| `(vod_migrate\.\w+)` \| (\w+) \| [^|]+ \|([^|]*)\|", re.MULTILINE)


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """The metrics of the reference: kind and tags by name."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    return {
        name: (KINDS[kind], ("account", "migration", *re.findall(r"`(\w+)`", tags)))
        for name, kind, tags in _ROW.findall(page)
    }


@pytest.fixture
def counts(sandbox: Sandbox, shell: Shell, receiver: StatsdReceiver) -> dict[str, Any]:
    """The counts of a run in which everything happens that a metric tells of."""
    put(sandbox, 3, "known/{}.mp4")
    sandbox.import_media(BUCKET)
    put(sandbox, 90)
    sandbox.put(BUCKET, "left-out.txt")
    sandbox.fault("fail_files", rate=1, keys="f0000[1-3].mp4")
    sandbox.fault("throttle", api="RegisterMedia", count=2)
    shell.environment |= {"VOD_MIGRATE_STATSD": receiver.address, "VOD_MIGRATE_ACCOUNT": "team.a 甲"}
    done = shell.run("run", str(shell.file({**MIGRATION, "name": "films.2026"})), "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["counts"]
    assert (found["discovered"], found["registered"], found["already_registered"], found["failed"]) == (94, 87, 3, 3)
    return found


@pytest.fixture
def receiver() -> Iterator[StatsdReceiver]:
    with statsd_receiver() as received:
        yield received


OF_RUN = "team__a__.films__2026"


def test_a_run_sends_every_documented_metric_and_no_other_and_its_counters_are_the_reports(
    receiver: StatsdReceiver, counts: dict[str, Any], sandbox: Sandbox
) -> None:
    receiver.wait()
    shapes = {
        (".".join(parts[:2]), len(parts) - 2, line.kind) for line in receiver.lines for parts in [line.name.split(".")]
    }
    assert shapes == {(name, len(tags), kind) for name, (kind, tags) in documented().items()}
    for metric, count in (("listed", "discovered"), ("registered", "registered"), ("already_registered",) * 2):
        assert receiver.total(f"vod_migrate.{metric}.{OF_RUN}") == counts[count]
    failed = {line.name for line in receiver.lines if line.name.startswith("vod_migrate.failed.")}
    assert failed == {f"vod_migrate.failed.{OF_RUN}.file_refused"}
    assert sum(map(receiver.total, failed)) == counts["failed"]
    answered = sandbox.counters()["RegisterMedia"]
    calls = {answer: receiver.total(f"vod_migrate.calls.{OF_RUN}.{answer}") for answer in ("ok", "throttled")}
    assert calls["throttled"] == 2
    assert sum(calls.values()) == answered["requests"]
    timed = [line.value for line in receiver.lines if line.name == f"vod_migrate.call_duration.{OF_RUN}"]
    assert len(timed) == answered["requests"]
    assert all(0 < value < 20_000 for value in timed)
    for gauge, value in (("pending", 0), ("oldest_pending_age", 0), ("rate", 47)):
        assert receiver.last(f"vod_migrate.{gauge}.{OF_RUN}") == value
    assert 0 < receiver.last(f"vod_migrate.rate_share.{OF_RUN}") <= 1


def mappings() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / "statsd-exporter.yaml").read_text())["mappings"]
    return loaded


def exported(line: Line, tags: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Name and labels in Prometheus, as statsd_exporter makes them: the first mapping that fits; Go's expressions are RE2."""
    kind = {"c": "counter", "g": "gauge", "ms": "observer"}[line.kind]
    for rule in mappings():
        if rule["match_metric_type"] == kind and (found := re2.search(rule["match"], line.name)):

            def expand(text: str, groups: Any = found) -> str:
                return re.sub(r"\$\{?(\d)\}?", lambda place: str(groups.group(int(place[1]))), text)

            labels = {name: expand(value) for name, value in rule.get("labels", {}).items()}
            return expand(rule["name"]), {**tags, **labels}
    raise AssertionError(f"no mapping takes {line}")


def queries() -> Iterator[tuple[str, str]]:
    """(title of the panel or variable, query) of the dashboard."""
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "vod-migrate.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]


def test_every_query_of_the_dashboard_finds_what_a_run_sends_and_shows_all_of_it(
    receiver: StatsdReceiver, counts: dict[str, Any]
) -> None:
    receiver.wait()
    assert counts
    series: dict[str, set[str]] = {}
    for line, prefix in itertools.product(receiver.lines, ("", "airflow.")):
        plain = Line(prefix + line.name, line.value, line.kind)
        name, labels = exported(plain, {})
        assert (labels["account"], labels["migration"]) == ("team__a__", "films__2026")
        tagged = Line(prefix + ".".join(line.name.split(".")[:2]), line.value, line.kind)
        assert exported(tagged, labels) == (name, labels), "the same whether the tags are in the name or not"
        series.setdefault(name, set()).update(labels)
    shown = set()
    for title, query in queries():
        names = set(re.findall(r"\bvod_migrate_\w+", query))
        assert names, title
        for name in names:
            known = name.removesuffix("_bucket")
            assert known in series, f"{title}: nothing sends {name}"
            used = set(re.findall(r"(\w+)=~", query)) | {
                label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")
            }
            assert used <= {*series[known], "le"}, title
            shown.add(known)
    assert set(series) == shown


NOWHERE = {
    "nobody listens": ("127.0.0.1:1", 0, ""),
    "no such host": ("statsd.invalid:8125", 0, "no metrics are sent"),
    "no port": ("127.0.0.1", 2, "HOST:PORT"),
    "a port that is none": ("127.0.0.1:70000", 2, "HOST:PORT"),
    "a URL": ("udp://127.0.0.1:8125", 2, "HOST:PORT"),
}


@pytest.mark.parametrize(("address", "code", "said"), NOWHERE.values(), ids=NOWHERE)
def test_a_server_that_is_not_there_breaks_no_run_and_an_address_that_is_none_is_refused(
    sandbox: Sandbox, shell: Shell, address: str, code: int, said: str
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    shell.environment["VOD_MIGRATE_STATSD"] = address
    done = shell.run("run", str(shell.file()), "--json")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert set(sandbox.truth(BUCKET)) == (set() if code else {"a.mp4"})


class Broken:
    """A receiver that fails whatever it is told."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def count(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        self.gauge(name, number, tags)

    def timing(self, name: str, seconds: float, tags: Mapping[str, str]) -> None:
        self.gauge(name, seconds, tags)

    def gauge(self, name: str, value: float, tags: Mapping[str, str]) -> None:  # noqa: ARG002 - the protocol
        self.asked.add(name)
        raise RuntimeError("the monitoring is broken")


def test_a_receiver_that_fails_breaks_no_run(sandbox: Sandbox, rig: Rig) -> None:
    put(sandbox, 20)
    broken = Broken()
    rig.metrics = broken
    assert rig.run().counts.registered == 20
    assert {"vod_migrate.listed", "vod_migrate.registered", "vod_migrate.pending"} <= broken.asked


class Kept(Broken):
    """Keeps what the gauges showed."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, list[float]] = {}

    def gauge(self, name: str, value: float, tags: Mapping[str, str]) -> None:  # noqa: ARG002 - the protocol
        self.shown.setdefault(name.removeprefix("vod_migrate."), []).append(value)


def test_the_gauges_show_what_is_left_while_a_run_works_and_nothing_at_its_end(sandbox: Sandbox, rig: Rig) -> None:
    put(sandbox, 200)
    rig.store.keep_quota("default", "RegisterMedia", 10)
    rig.waits(gauges=0.05)
    kept = Kept()
    rig.metrics = kept
    rig.run()
    pending, ages = kept.shown["pending"], kept.shown["oldest_pending_age"]
    assert pending == sorted(pending, reverse=True)
    assert any(0 < left < 200 for left in pending)
    assert (pending[-1], ages[-1]) == (0, 0)
    assert max(ages) > 0.1
    assert set(kept.shown["rate"]) == {10}


def test_one_worker_of_a_run_tells_its_gauges_and_the_next_one_where_it_is_dead(sandbox: Sandbox, rig: Rig) -> None:
    sandbox.put(BUCKET, "a.mp4")
    rig.store.keep_quota("default", "RegisterMedia", 10)
    run = rig.prepare()
    rig.discover(run)
    first, second = (rig.store.take_place(run, slot=slot, host="") for slot in ("one", "two"))

    def tells(place: Any) -> bool:
        return bool(rig.store.gauges(run, place, "RegisterMedia", anyway=False, patience=0.0))

    assert (tells(first), tells(second)) == (True, False)
    rig.store.leave(run, first)
    assert (tells(first), tells(second)) == (False, True)
