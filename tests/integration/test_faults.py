"""Every fault of the sandbox's plan, one by one, through the real SDKs and the real engine.

For each: what is recorded (outcomes, states, codes, the audit rows of the calls), what is tried again, and how many calls that
takes. Twenty objects are two calls; whatever is above that is what the fault cost.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from databases import Databases
from rigging import BUCKET, Rig

from vod_migrate.cloud import oss, vod
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.discover import source
from vod_migrate.errors import (
    AccountStopped,
    AllRefused,
    Denied,
    InvalidCredentials,
    ListingBroken,
    SourceDenied,
    Suspended,
    VodMigrateError,
)
from vod_migrate.results.store import Store
from vod_migrate.run.settle import Summary, finish
from vod_migrate.sandbox.faults.kinds import KINDS
from vod_migrate.sandbox.pytest_plugin import Sandbox

OBJECTS = 20
NAME = "节目/第 {:02} 集+%.mp4"
ODD = NAME.format(7)
REGISTERED = {"registered": 20}
HALF_KNOWN = {"registered": 10, "already_registered": 10}


@pytest.fixture(scope="module")
def shared(databases: Databases) -> Iterator[Store]:
    """One database for all tests here: each has an account of its own in it."""
    with databases.one() as url, Store.open(url, connections=12, patience=5) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter waits; how long they are in earnest is for the tests of the wrappers."""
    monkeypatch.setattr(vod, "TIMEOUTS", (2.0, 1.5))
    monkeypatch.setattr(oss, "TIMEOUTS", (2.0, 1.5))


class FaultRig(Rig):
    """A rig whose account is its own, and what became of its last run."""

    def told(self) -> tuple[Summary, dict[str, int], list[tuple[Any, ...]]]:
        """A run: its summary, its outcomes by kind, and (answer, code, HTTP status) of the calls that were not ok."""
        summary = self.run()
        return summary, self.outcomes(summary), self.calls_but_ok(summary)

    def outcomes(self, summary: Summary) -> dict[str, int]:
        """What the run counted, and how often an object was tried again."""
        counted = self.rows(
            "select outcome, sum(objects)::int from vod_migrate.counts join vod_migrate.runs using (run_no) "
            "where run_id = %s group by 1 having sum(objects) <> 0",
            summary.run_id,
        )
        again = self.rows(
            "select what, count(*) from vod_migrate.events join vod_migrate.runs using (run_no) "
            "where run_id = %s and what in ('retry', 'unknown') group by 1",
            summary.run_id,
        )
        return dict([*counted, *again])

    def calls_but_ok(self, summary: Summary) -> list[tuple[Any, ...]]:
        return self.rows(
            "select answer, code, http_status from vod_migrate.calls join vod_migrate.runs using (run_no) "
            "where run_id = %s and answer <> 'ok'",
            summary.run_id,
        )

    def results(self, bucket: str = BUCKET) -> dict[str, tuple[str, str | None, str | None]]:
        """Those of the rig's own account."""
        rows = self.rows(
            "select key, case when gone then 'gone' when registered then 'registered' else 'failed' end, media_id, code "
            "from vod_migrate.objects join vod_migrate.sources using (source_id) where bucket = %s and account = %s",
            bucket,
            self.connection.account,
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def attempts(self, summary: Summary) -> int:
        """How often an answer cost an object of the run a try."""
        again = self.outcomes(summary)
        return again.get("retry", 0) + again.get("unknown", 0)

    def counted(self, api: str = "RegisterMedia") -> dict[str, Any]:
        return self.sandbox.counters()[api]


@pytest.fixture
def rig(shared: Store, sandbox: Sandbox) -> FaultRig:
    sandbox.settings(quotas={"RegisterMedia": None})
    connection = connection_from_environment(sandbox.environment)
    own = dataclasses.replace(connection, account=uuid.uuid4().hex, calls_per_second=500.0)
    return FaultRig(shared, own, sandbox)


@pytest.fixture
def bucket(sandbox: Sandbox) -> None:
    for number in range(OBJECTS):
        sandbox.put(BUCKET, NAME.format(number))


def fault_id(value: Any) -> str | None:
    return "-".join(str(part) for part in value.values()) if isinstance(value, dict) and "kind" in value else None


def before_and_after(**fault: Any) -> list[dict[str, Any]]:
    return [{**fault, "when": when} for when in ("before", "after")]


# --- faults of a whole call -------------------------------------------------------------------------------------------


NOT_JSON, NO_CONNECTION = ("transient", "not_json", None), ("transient", "no_connection", None)
BROKEN = ("transient", "BrokenReply", 200)
PASSING: list[tuple[dict[str, Any], tuple[Any, ...]]] = [
    *((fault, NO_CONNECTION) for fault in before_and_after(kind="timeout", seconds=5)),
    *((fault, NO_CONNECTION) for fault in before_and_after(kind="reset")),
    *(({"kind": "reset", "at_byte": at}, NO_CONNECTION) for at in (0, 1, 60, 250, "any", 100_000)),
    *((fault, NO_CONNECTION) for fault in before_and_after(kind="latency", seconds=5)),
    *((fault, NOT_JSON) for kind in ("html_502", "html_414") for fault in before_and_after(kind=kind)),
    *((fault, NOT_JSON) for kind in ("empty_200", "malformed_200") for fault in before_and_after(kind=kind)),
    *((fault, ("transient", "InternalError", 500)) for fault in before_and_after(kind="http_500")),
    *((fault, ("transient", "ServiceUnAvailable", 503)) for fault in before_and_after(kind="http_503")),
    ({"kind": "error", "code": "InternalError"}, ("transient", "InternalError", 500)),
    ({"kind": "error", "code": "SignatureNonceUsed"}, ("transient", "SignatureNonceUsed", 400)),
    ({"kind": "error", "code": "ServiceUnAvailable", "retry_after_ms": 50}, ("transient", "ServiceUnAvailable", 503)),
    ({"kind": "throttle"}, ("throttled", "Throttling.User", 400)),
    ({"kind": "throttle", "retry_after_ms": 100}, ("throttled", "Throttling.User", 400)),
    ({"kind": "throttle", "code": "Throttling"}, ("throttled", "Throttling", 400)),
    ({"kind": "throttle", "code": "Throttling.Api", "retry_after_ms": 100}, ("throttled", "Throttling.Api", 400)),
    ({"kind": "throttle", "code": "RequestsTooFrequent", "status": 403}, ("throttled", "RequestsTooFrequent", 403)),
    ({"kind": "other_types", "form": "list_body"}, BROKEN),
    ({"kind": "other_types", "form": "text_body"}, BROKEN),
    ({"kind": "other_types", "form": "null_body"}, BROKEN),
    ({"kind": "other_types", "form": "no_lists"}, BROKEN),
    ({"kind": "other_types", "form": "null_lists"}, BROKEN),
    ({"kind": "other_types", "form": "lists_as_objects"}, BROKEN),
    ({"kind": "other_types", "form": "lists_as_text"}, BROKEN),
]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(("fault", "call"), PASSING, ids=fault_id)
def test_a_call_without_a_proper_answer_is_made_once_more_and_costs_no_object_an_attempt(
    rig: FaultRig, fault: dict[str, Any], call: tuple[Any, ...]
) -> None:
    rig.sandbox.plan([{"api": "RegisterMedia", "times": 1, **fault}])
    summary, outcomes, trouble = rig.told()
    effect = fault["kind"] == "other_types" or fault.get("when") == "after" or "at_byte" in fault
    assert (summary.state, outcomes, trouble) == ("succeeded", HALF_KNOWN if effect else REGISTERED, [call])
    counted = rig.counted()
    assert (counted["requests"], counted["effects"], counted["faults_by_kind"]) == (3, 2 + effect, {fault["kind"]: 1})
    assert rig.attempts(summary) == 0
    rig.assert_results_equal_truth()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    "fault",
    [
        {"seconds": 0.1},
        {"seconds": 0.1, "when": "after"},
        {"seconds": 0.1, "shape": "uniform"},
        {"seconds": 0.05, "shape": "exponential"},
        {"seconds": 0.05, "shape": "lognormal", "sigma": 0.5},
    ],
    ids=str,
)
def test_latency_that_a_client_waits_for_costs_no_call(rig: FaultRig, fault: dict[str, Any]) -> None:
    rig.sandbox.plan([{"kind": "latency", **fault}])
    summary, outcomes, trouble = rig.told()
    assert (summary.calls, outcomes, trouble) == (2, REGISTERED, [])
    assert rig.counted()["faults_by_kind"] == {"latency": 2}


@pytest.mark.usefixtures("bucket")
def test_an_outage_is_waited_out_and_costs_no_object_an_attempt(rig: FaultRig) -> None:
    run = rig.prepare()
    rig.discover(run)
    rig.sandbox.plan([{"kind": "http_503", "api": "RegisterMedia", "until": 1.5}])
    rig.register(run)
    summary = finish(store=rig.store, run_id=run.run_id)
    assert (summary.state, rig.outcomes(summary), rig.attempts(summary)) == ("succeeded", REGISTERED, 0)
    assert set(rig.calls_but_ok(summary)) == {("transient", "ServiceUnAvailable", 503)}
    assert rig.counted()["effects"] == 2


# --- account-wide stops -----------------------------------------------------------------------------------------------


STOPS: list[tuple[str, type[VodMigrateError], str]] = [
    ("Forbidden", Denied, "allow vod:RegisterMedia in the RAM policy, then run again"),
    ("Forbidden.RAM", Denied, "allow vod:RegisterMedia in the RAM policy, then run again"),
    ("OperationDenied", Suspended, "activate VOD, then run again"),
    ("OperationDenied.Suspended", Suspended, "pay what is overdue on the console's billing page"),
    ("InvalidAccessKeyId.NotFound", InvalidCredentials, "check the connection's AccessKey, secret and token"),
    ("SignatureDoesNotMatch", InvalidCredentials, "check the connection's AccessKey, secret and token"),
    ("InvalidSecurityToken.Expired", InvalidCredentials, "give the connection a new one, or name a provider"),
    ("InvalidTimeStamp.Expired", AccountStopped, "set this machine's clock, e.g. with NTP, then run again"),
]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(("code", "kind", "advice"), STOPS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_stop_of_the_account_ends_the_run_at_one_call_with_everything_pending_and_says_what_to_do(
    rig: FaultRig, code: str, kind: type[VodMigrateError], advice: str
) -> None:
    rig.sandbox.plan([{"kind": "error", "api": "RegisterMedia", "code": code}])
    summary, outcomes, trouble = rig.told()
    assert (summary.state, type(summary.error), summary.counts.pending) == ("stopped", kind, OBJECTS)
    assert advice in str(summary.error)
    assert code in str(summary.error)
    assert (outcomes, [(answer, told) for answer, told, _ in trouble]) == ({}, [("stopped", code)])
    assert (rig.counted()["requests"], rig.attempts(summary)) == (1, 0)
    rig.sandbox.clear_faults()
    assert rig.told()[1] == REGISTERED, "the next run goes on"


# --- poison -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("bucket")
def test_a_file_that_poisons_its_call_stands_alone_after_eight_calls_and_the_others_are_registered(
    rig: FaultRig,
) -> None:
    rig.sandbox.plan([{"kind": "error", "code": "InvalidParameter", "keys": "*07*"}])
    summary, outcomes, trouble = rig.told()
    assert (summary.state, outcomes) == ("succeeded", {"registered": 19, "failed": 1})
    assert rig.results()[ODD] == ("failed", None, "InvalidParameter")
    assert set(trouble) == {("refused", "InvalidParameter", 400)}
    assert summary.calls <= 2 + 8
    assert rig.counted()["effects"] == summary.calls - len(trouble)
    rig.assert_results_equal_truth()


@pytest.mark.usefixtures("bucket")
def test_a_refusal_of_every_single_file_stops_the_run_with_everything_pending(rig: FaultRig) -> None:
    rig.sandbox.plan([{"kind": "error", "api": "RegisterMedia", "code": "InvalidParameter"}])
    summary, outcomes, _ = rig.told()
    assert (summary.state, type(summary.error), summary.counts.pending) == ("stopped", AllRefused, OBJECTS)
    assert (outcomes, rig.attempts(summary)) == ({}, 0)
    rig.sandbox.clear_faults()
    assert rig.told()[1] == REGISTERED


# --- answers that differ from the page --------------------------------------------------------------------------------


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("form", KINDS["url_form"].forms)
def test_urls_in_any_spelling_of_a_key_are_recognised_at_once(rig: FaultRig, form: str) -> None:
    rig.sandbox.plan([{"kind": "url_form", "form": form}])
    summary, outcomes, trouble = rig.told()
    assert (summary.calls, outcomes, trouble) == (2, REGISTERED, [])
    rig.assert_results_equal_truth()


LOST_ONCE: list[dict[str, Any]] = [
    {"kind": "other_types", "form": "rows_as_lists"},
    {"kind": "other_types", "form": "ids_as_numbers"},
]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("fault", LOST_ONCE, ids=fault_id)
def test_an_answer_that_names_no_file_leaves_all_unknown_and_is_asked_for_again(
    rig: FaultRig, fault: dict[str, Any]
) -> None:
    rig.sandbox.plan([{"times": 1, **fault}])
    summary, outcomes, trouble = rig.told()
    assert (summary.state, summary.calls, trouble) == ("succeeded", 3, [])
    assert outcomes == {"unknown": 10, **HALF_KNOWN}
    rig.assert_results_equal_truth()


@pytest.mark.usefixtures("bucket")
def test_flags_as_text_are_read(rig: FaultRig) -> None:
    rig.sandbox.plan([{"kind": "other_types", "form": "flags_as_text"}])
    assert rig.told()[1:] == (REGISTERED, [])
    rig.assert_results_equal_truth()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("form", ["plain", "json", "one_json", "json_text", "text"])
def test_a_failed_file_is_read_in_every_form_and_tried_once_more_alone(rig: FaultRig, form: str) -> None:
    rig.sandbox.plan([{"kind": "fail_files", "keys": "*07*"}, {"kind": "failed_form", "form": form}])
    summary, outcomes, _ = rig.told()
    assert (summary.calls, outcomes) == (3, {"registered": 19, "retry": 1, "failed": 1})
    assert rig.results()[ODD] == ("failed", None, "file_refused")
    rig.assert_results_equal_truth()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("form", ["json", "one_json", "json_text"])
def test_several_failed_files_are_read_from_json_within_strings(rig: FaultRig, form: str) -> None:
    rig.sandbox.plan([{"kind": "fail_files", "keys": "*0[67]*", "times": 2}, {"kind": "failed_form", "form": form}])
    assert rig.told()[1] == {"registered": 20, "retry": 2}


@pytest.mark.usefixtures("bucket")
def test_several_failed_files_in_one_text_are_unknown_and_never_guessed_at(rig: FaultRig) -> None:
    rig.sandbox.plan([{"kind": "fail_files", "keys": "*0[67]*", "times": 2}, {"kind": "failed_form", "form": "text"}])
    summary, outcomes, _ = rig.told()
    assert (summary.calls, outcomes) == (3, {"registered": 20, "unknown": 2})


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("form", ["registered", "failed"])
def test_a_file_that_nobody_asked_for_is_recorded_nowhere(rig: FaultRig, form: str) -> None:
    rig.sandbox.plan([{"kind": "foreign_file", "form": form}])
    summary, outcomes, _ = rig.told()
    assert (summary.calls, outcomes) == (2, REGISTERED)
    assert len(rig.results()) == OBJECTS
    rig.assert_results_equal_truth()


# --- single files -----------------------------------------------------------------------------------------------------


ONCE: list[tuple[dict[str, Any], dict[str, int]]] = [
    ({"kind": "fail_files"}, {"registered": 20, "retry": 1}),
    ({"kind": "fail_files", "when": "after"}, {"registered": 19, "retry": 1, "already_registered": 1}),
    ({"kind": "omit_files"}, {"registered": 20, "unknown": 1}),
    ({"kind": "omit_files", "when": "after"}, {"registered": 19, "unknown": 1, "already_registered": 1}),
    ({"kind": "both_lists"}, {"registered": 19, "unknown": 1, "already_registered": 1}),
]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(("fault", "outcomes"), ONCE, ids=fault_id)
def test_a_file_that_is_wrongly_answered_once_is_registered_by_one_more_call(
    rig: FaultRig, fault: dict[str, Any], outcomes: dict[str, int]
) -> None:
    rig.sandbox.plan([{"keys": "*07*", "times": 1, **fault}])
    summary, told, trouble = rig.told()
    assert (summary.state, summary.calls, told, trouble) == ("succeeded", 3, outcomes, [])
    assert rig.counted()["files"] == OBJECTS + 1, "the file alone is sent again"
    rig.assert_results_equal_truth()


ALWAYS: list[tuple[dict[str, Any], int, dict[str, int], str, bool]] = [
    ({"kind": "fail_files"}, 3, {"retry": 1}, "file_refused", False),
    ({"kind": "fail_files", "when": "after"}, 3, {"retry": 1}, "file_refused", True),
    ({"kind": "omit_files"}, 6, {"unknown": 4}, "no_answer", False),
    ({"kind": "omit_files", "when": "after"}, 6, {"unknown": 4}, "no_answer", True),
    ({"kind": "both_lists"}, 6, {"unknown": 4}, "no_answer", True),
]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(("fault", "calls", "before", "code", "in_vod"), ALWAYS, ids=fault_id)
def test_a_file_that_is_wrongly_answered_always_fails_with_a_code_and_no_media_id(
    rig: FaultRig, fault: dict[str, Any], calls: int, before: dict[str, int], code: str, in_vod: bool
) -> None:
    rig.sandbox.plan([{"keys": "*07*", **fault}])
    summary, outcomes, _ = rig.told()
    assert (summary.state, summary.calls, outcomes) == ("succeeded", calls, {"registered": 19, **before, "failed": 1})
    assert rig.results()[ODD] == ("failed", None, code)
    assert (ODD in rig.sandbox.truth(BUCKET)) == in_vod
    rig.sandbox.clear_faults()
    assert rig.run(mode="failed").counts.failed == 0
    rig.assert_results_equal_truth()


@pytest.mark.usefixtures("bucket")
def test_two_files_with_one_media_id_in_a_reply_get_neither_and_are_asked_about_alone(rig: FaultRig) -> None:
    rig.sandbox.plan([{"kind": "same_media_id", "keys": "*0[67]*", "times": 2}])
    summary, outcomes, _ = rig.told()
    assert (summary.calls, outcomes) == (4, {"registered": 18, "retry": 2, "already_registered": 2})
    codes = rig.rows(
        "select code from vod_migrate.events join vod_migrate.runs using (run_no) where run_id = %s and what = 'retry'",
        summary.run_id,
    )
    assert codes == [("media_id_clash",)] * 2
    rig.assert_results_equal_truth()


def test_two_keys_whose_urls_can_be_taken_for_each_other_are_never_swapped(rig: FaultRig) -> None:
    for key in ("a b.mp4", "a%20b.mp4"):
        rig.sandbox.put(BUCKET, key)
    # Decoded, the second key's URL is the first one's as it was sent; the first itself is missing from the reply.
    rig.sandbox.plan([{"kind": "url_form", "form": "decoded"}, {"kind": "omit_files", "keys": "a b*", "times": 1}])
    summary, outcomes, _ = rig.told()
    assert (summary.calls, outcomes) == (3, {"retry": 2, "registered": 1, "already_registered": 1})
    rig.assert_results_equal_truth()


# --- listings ---------------------------------------------------------------------------------------------------------


LISTING: list[dict[str, Any]] = [
    {"kind": "http_500"},
    {"kind": "http_503"},
    {"kind": "throttle"},
    {"kind": "error", "code": "ServiceUnavailable"},
    {"kind": "html_502"},
    {"kind": "empty_200"},
    {"kind": "malformed_200", "when": "after"},
    {"kind": "reset"},
    {"kind": "reset", "when": "after"},
    {"kind": "reset", "at_byte": 40},
    {"kind": "reset", "at_byte": 700},
    {"kind": "reset", "at_byte": "any"},
    {"kind": "timeout", "seconds": 5},
    {"kind": "latency", "seconds": 5, "when": "after"},
]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("fault", LISTING, ids=fault_id)
def test_a_page_that_fails_is_listed_again_and_nothing_is_lost_or_gone(
    rig: FaultRig, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    monkeypatch.setattr(source, "PAGE_KEYS", 8)
    rig.sandbox.plan([{"api": "ListObjects", "times": 1, "skip": 1, **fault}])
    summary, outcomes, _ = rig.told()
    assert (summary.state, summary.counts.discovered, outcomes) == ("succeeded", OBJECTS, REGISTERED)
    counted = rig.counted("ListObjects")
    # Three pages, the question whether that was all, and the page that failed; the SDK repeats a 5xx by itself.
    assert (counted["requests"], counted["faults_by_kind"]) == (5, {fault["kind"]: 1})
    assert summary.counts.gone == 0


UNTRUE: list[tuple[dict[str, Any], int]] = [
    ({"kind": "repeat_page", "skip": 1}, 16),
    ({"kind": "end_early", "form": "no_token"}, 0),
    ({"kind": "end_early", "form": "token_kept"}, 0),
]


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(("fault", "listed"), UNTRUE, ids=fault_id)
def test_a_page_that_cannot_be_true_ends_the_scan_and_registers_only_what_was_listed_before(
    rig: FaultRig, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], listed: int
) -> None:
    monkeypatch.setattr(source, "PAGE_KEYS", 8)
    rig.sandbox.plan([{"times": 1, **fault}])
    summary, outcomes, _ = rig.told()
    assert (summary.state, type(summary.error)) == ("failed", ListingBroken)
    assert (sum(outcomes.values()), summary.counts.gone) == (listed, 0)
    assert rig.told()[1] == {"registered": OBJECTS - listed}, "the next run lists all of it"
    rig.assert_results_equal_truth()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("times", [1, None])
def test_a_listing_that_ends_early_is_gone_on_with_and_marks_nothing_as_gone(
    rig: FaultRig, monkeypatch: pytest.MonkeyPatch, times: int | None
) -> None:
    rig.run()
    monkeypatch.setattr(source, "PAGE_KEYS", 8)
    rig.sandbox.delete(BUCKET, ODD)
    rig.sandbox.put(BUCKET, "节目/zz.mp4")
    rig.sandbox.plan([{"kind": "end_early", "times": times}])
    summary, outcomes, _ = rig.told()
    assert (summary.state, summary.counts.discovered, outcomes) == ("succeeded", OBJECTS, {"registered": 1})
    assert Counter(state for state, _, _ in rig.results().values()) == {"registered": OBJECTS, "gone": 1}
    assert rig.results()[ODD][0] == "gone"


@pytest.mark.usefixtures("bucket")
def test_an_expired_token_of_the_connections_own_is_a_denied_source(rig: FaultRig) -> None:
    rig.sandbox.plan([{"kind": "error", "api": "ListObjects", "code": "SecurityTokenExpired"}])
    summary = rig.run()
    assert (summary.state, type(summary.error), summary.calls) == ("failed", SourceDenied, 0)
    assert "SecurityTokenExpired" in str(summary.error)
