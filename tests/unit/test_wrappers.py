"""What surrounds the one call: splitting, retrying, guarding, and what an outcome does to its result."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from batches import batch_of, entry, number_of

from vod_migrate.errors import (
    AllRefused,
    BrokenReply,
    Denied,
    Interrupted,
    NetworkTrouble,
    RegisterError,
    RequestRefused,
    ServiceTrouble,
    Throttled,
)
from vod_migrate.media import Batch, Outcome, Reply, Verdict
from vod_migrate.register.breaker import STREAK, Breaker
from vod_migrate.register.limiter import Guarded, Limited
from vod_migrate.register.recorder import MOST_NO_ANSWERS, settle
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.retry import Retried
from vod_migrate.register.split import Split
from vod_migrate.results.work import Settlement
from vod_migrate.shutdown import Timings

Rule = Callable[[Batch, int], RegisterError | None]
"""What a call says to a batch, given the number of the call; None registers every file."""


class Service:
    """A Registrar in memory that refuses by a rule and otherwise registers."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.sent: list[tuple[int, ...]] = []

    def register(self, batch: Batch) -> Reply:
        self.sent.append(tuple(number_of(one) for one in batch.entries))
        error = self.rule(batch, len(self.sent))
        if error is not None:
            raise error
        return Reply(
            request_id="r",
            outcomes=tuple(
                Outcome(key=one.key, verdict=Verdict.REGISTERED, media_id=f"m{number_of(one)}") for one in batch.entries
            ),
        )


class HandClock:
    """Time that passes only by sleeping; after `patience` sleeps somebody stops the worker."""

    def __init__(self, patience: int = 1_000) -> None:
        self.time = 0.0
        self.slept: list[float] = []
        self.patience = patience

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        if len(self.slept) >= self.patience:
            raise Interrupted("stopped", code="interrupted")
        self.slept.append(seconds)
        self.time += seconds


def refusing(*bad: int, code: str = "InvalidParameter") -> Rule:
    def rule(batch: Batch, _: int) -> RegisterError | None:
        named = [number_of(one) for one in batch.entries if number_of(one) in bad]
        if not named:
            return None
        refused = RequestRefused(f"{code}: {named}", code=code)
        refused.call_id = 7
        return refused

    return rule


class Believed:
    """Says what it is told to about the settings."""

    def __init__(self, *, proven: bool, elsewhere: bool) -> None:
        self.proven, self.elsewhere = proven, elsewhere
        self.asked: list[dt.datetime] = []

    def accepted_since(self, moment: dt.datetime) -> bool:
        self.asked.append(moment)
        return self.proven

    def probe(self, _: Registrar) -> bool:
        return self.elsewhere


def split(service: Registrar, failed: list[Settlement], *, proven: bool = True, elsewhere: bool = False) -> Split:
    def fail(settlements: Sequence[Settlement]) -> None:
        failed.extend(settlements)

    return Split(service, fail=fail, proof=Believed(proven=proven, elsewhere=elsewhere))


@pytest.mark.parametrize("bad", range(10))
def test_one_bad_description_in_ten_costs_at_most_8_extra_calls_and_fails_alone(bad: int) -> None:
    service, failed = Service(refusing(bad)), list[Settlement]()
    reply = split(service, failed).register(batch_of(10))
    assert len(service.sent) - 1 <= 8
    assert [number_of(one) for one in reply.outcomes] == list(range(10))
    assert [number_of(one) for one in reply.outcomes if one.verdict is Verdict.FAILED] == [bad]
    (settled,) = failed
    assert (number_of(settled), settled.outcome, settled.code) == (bad, "failed", "InvalidParameter")
    assert settled.call_id == 7, "the report finds its RequestId by the call that refused it"


@pytest.mark.parametrize("count", range(1, 11))
def test_when_every_single_one_is_refused_with_one_code_nothing_is_marked_as_failed(count: int) -> None:
    service, failed = Service(refusing(*range(10), code="InvalidTemplateGroupId")), list[Settlement]()
    with pytest.raises(AllRefused, match="InvalidTemplateGroupId"):
        split(service, failed, proven=False).register(batch_of(count))
    assert failed == []
    assert len(service.sent) == 2 * count - 1


def test_when_a_call_that_began_after_the_refusal_succeeded_every_refused_one_is_failed() -> None:
    failed: list[Settlement] = []
    split(Service(refusing(0, 1, 2)), failed, proven=True).register(batch_of(3))
    assert [number_of(one) for one in failed] == [0, 1, 2]


def test_when_a_file_from_elsewhere_is_accepted_the_refused_ones_are_at_fault() -> None:
    service, failed = Service(refusing(*range(10))), list[Settlement]()
    split(service, failed, proven=False, elsewhere=True).register(batch_of(10))
    assert len(failed) == 10


def test_different_codes_are_faults_of_the_files_and_fail_each_with_its_own() -> None:
    def rule(batch: Batch, _: int) -> RegisterError:
        code = "InvalidTitle" if number_of(batch.entries[0]) == 0 else "InvalidFileURL"
        return RequestRefused(code, code=code)

    failed: list[Settlement] = []
    split(Service(rule), failed, proven=False).register(batch_of(2))
    assert [(number_of(one), one.code) for one in failed] == [(0, "InvalidTitle"), (1, "InvalidFileURL")]


def test_one_file_that_was_registered_proves_the_settings_of_its_batch() -> None:
    failed: list[Settlement] = []
    split(Service(refusing(1, 2)), failed, proven=False).register(batch_of(3))
    assert [number_of(one) for one in failed] == [1, 2]


@pytest.mark.parametrize("error", [Denied("no"), NetworkTrouble("gone"), Throttled("slow")])
def test_what_is_no_refusal_is_never_split(error: RegisterError) -> None:
    service = Service(lambda *_: error)
    with pytest.raises(type(error)):
        split(service, []).register(batch_of(10))
    assert len(service.sent) == 1


@pytest.mark.parametrize(
    "error", [NetworkTrouble("gone"), ServiceTrouble("503"), Throttled("slow"), BrokenReply("html")]
)
def test_what_may_go_away_is_tried_until_it_does_with_pauses_within_30_seconds(error: RegisterError) -> None:
    clock = HandClock()
    service = Service(lambda _, number: error if number <= 12 else None)
    reply = Retried(service, clock=clock, breaker=Breaker(clock, Timings()), timings=Timings()).register(batch_of(1))
    assert [one.verdict for one in reply.outcomes] == [Verdict.REGISTERED]
    assert len(clock.slept) == 12
    assert all(0 <= pause <= min(30, 0.5 * 2**place) for place, pause in enumerate(clock.slept))


@pytest.mark.parametrize("error", [Denied("no"), RequestRefused("bad")])
def test_what_will_not_go_away_is_not_tried_again(error: RegisterError) -> None:
    clock = HandClock()
    service = Service(lambda *_: error)
    with pytest.raises(type(error)):
        Retried(service, clock=clock, breaker=Breaker(clock, Timings()), timings=Timings()).register(batch_of(2))
    assert (len(service.sent), clock.slept) == (1, [])


def test_a_wait_ends_when_the_worker_is_told_to_stop() -> None:
    clock = HandClock(patience=3)
    service = Service(lambda *_: NetworkTrouble("gone"))
    with pytest.raises(Interrupted):
        Retried(service, clock=clock, breaker=Breaker(clock, Timings()), timings=Timings()).register(batch_of(2))
    assert len(service.sent) == 4


def test_broken_replies_to_one_batch_while_others_are_answered_are_a_refusal_and_split_it() -> None:
    clock = HandClock()
    breaker = Breaker(clock, Timings())

    def rule(batch: Batch, _: int) -> RegisterError | None:
        clock.sleep(0.1)
        breaker.answered()
        return BrokenReply("HTML 414", code="not_json") if len(batch) > 5 or number_of(batch.entries[0]) == 9 else None

    service, failed = Service(rule), list[Settlement]()
    retried = Retried(service, clock=clock, breaker=breaker, timings=Timings())
    reply = split(retried, failed).register(batch_of(10))
    assert [len(sent) for sent in service.sent] == [10, 10, 10, 5, 5]
    assert {one.verdict for one in reply.outcomes} == {Verdict.REGISTERED}
    assert failed == []


def test_broken_replies_to_everybody_may_split_a_batch_but_are_no_files_fault() -> None:
    clock = HandClock(patience=200)
    service = Service(lambda *_: BrokenReply("HTML 502"))
    failed: list[Settlement] = []
    with pytest.raises(Interrupted):
        split(Retried(service, clock=clock, breaker=Breaker(clock, Timings()), timings=Timings()), failed).register(
            batch_of(10)
        )
    assert len(service.sent[0]) == 10
    assert len(service.sent[-1]) == 1
    assert failed == []


def test_a_batch_that_a_gateway_turns_down_is_split_also_when_nothing_else_is_sent() -> None:
    clock = HandClock()
    service = Service(lambda sent, _: BrokenReply("HTML 414") if len(sent) > 3 else None)
    reply = split(Retried(service, clock=clock, breaker=Breaker(clock, Timings()), timings=Timings()), []).register(
        batch_of(10)
    )
    assert {one.verdict for one in reply.outcomes} == {Verdict.REGISTERED}


@pytest.mark.parametrize(
    ("error", "opens"),
    [
        (NetworkTrouble("gone"), True),
        (ServiceTrouble("503"), True),
        (BrokenReply("html"), True),
        (Throttled("slow"), False),
        (RequestRefused("bad"), False),
        (Denied("no"), False),
    ],
)
def test_only_trouble_opens_the_breaker_for_any_other_word_is_an_answer(error: RegisterError, *, opens: bool) -> None:
    clock = HandClock()
    breaker = Breaker(clock, Timings())
    guarded = Guarded(Service(lambda *_: error), breaker)
    for _ in range(STREAK):
        with pytest.raises(type(error)):
            guarded.register(batch_of(1))
    assert breaker.open == opens


def test_an_outage_is_probed_every_two_seconds_until_the_service_is_back() -> None:
    clock = HandClock()
    breaker = Breaker(clock, Timings())
    service = Service(lambda _, number: ServiceTrouble("503") if number <= STREAK + 2 else None)
    guarded = Guarded(service, breaker)
    for _ in range(STREAK + 2):
        with pytest.raises(ServiceTrouble):
            guarded.register(batch_of(1))
    guarded.register(batch_of(1))
    assert clock.time == 4
    assert not breaker.open


class Pace:
    """Waits for as long as something happens meanwhile."""

    def __init__(self, *meanwhile: Callable[[], object]) -> None:
        self.meanwhile = list(meanwhile)

    def wait(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()


def test_a_call_that_waited_for_its_pace_while_the_service_went_away_is_held_back_until_it_is_back() -> None:
    clock = HandClock()
    breaker = Breaker(clock, Timings())

    def goes() -> None:
        for _ in range(STREAK):
            breaker.failed()

    def goes_and_somebody_else_probes() -> None:
        goes()
        other = threading.Thread(target=breaker.admit)
        other.start()
        other.join()

    service = Service(lambda *_: None)
    pace: Any = Pace(goes_and_somebody_else_probes, breaker.answered, goes)
    guarded = Guarded(Limited(service, pace, may_leave=breaker.admits_still), breaker)

    assert guarded.register(batch_of(1)).outcomes[0].verdict is Verdict.REGISTERED
    assert (len(service.sent), clock.time) == (1, 2), "held back once; then it was the probe itself"
    assert guarded.register(batch_of(1)).outcomes
    assert (len(service.sent), clock.time) == (2, 4), "having been the probe before gives no right to be it again"


def outcome(verdict: Verdict, code: str | None = None) -> Outcome:
    media_id = "m" if verdict in (Verdict.REGISTERED, Verdict.ALREADY_REGISTERED) else None
    return Outcome(
        key="film 1.mp4", verdict=verdict, media_id=media_id, code=code, message=None if media_id else "because"
    )


@pytest.mark.parametrize(
    ("told", "before", "counted", "code"),
    [
        pytest.param(outcome(Verdict.REGISTERED), {}, "registered", None, id="new"),
        pytest.param(outcome(Verdict.ALREADY_REGISTERED), {}, "already_registered", None, id="known"),
        pytest.param(outcome(Verdict.FAILED, "f"), {}, "retry", "f", id="a first refusal is tried again"),
        pytest.param(outcome(Verdict.FAILED, "f"), {"attempts": 1}, "failed", "f", id="a second is final"),
        pytest.param(outcome(Verdict.UNKNOWN, "no_answer"), {}, "unknown", "no_answer", id="a silence"),
        pytest.param(
            outcome(Verdict.UNKNOWN, "contradiction"),
            {"no_answers": MOST_NO_ANSWERS - 2},
            "unknown",
            "contradiction",
            id="the fourth silence",
        ),
        pytest.param(
            outcome(Verdict.UNKNOWN, "contradiction"),
            {"no_answers": MOST_NO_ANSWERS - 1},
            "failed",
            "no_answer",
            id="the fifth silence",
        ),
        pytest.param(outcome(Verdict.FAILED, "f"), {"no_answers": 4}, "retry", "f", id="silences are no refusals"),
    ],
)
def test_what_an_outcome_does_to_its_result(
    told: Outcome, before: dict[str, int], counted: str, code: str | None
) -> None:
    settled = settle(entry(1, attempts=before.get("attempts", 0), no_answers=before.get("no_answers", 0)), told)
    assert (settled.outcome, settled.code, settled.media_id) == (counted, code, told.media_id)
    if counted != "unknown":
        assert settled.sent == {"Title": "t"}
