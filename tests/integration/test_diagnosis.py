"""Why files failed: causes that the sandbox's own behaviour hides, found by looking at the objects, and mended as proposed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rigging import BUCKET, Rig
from shell import Shell

from vod_migrate.audit.cause import CAUSES
from vod_migrate.audit.diagnosis import Examiner, codes_without_reason, examine_after_run
from vod_migrate.cloud.clients import open_bucket
from vod_migrate.report.group_lines import failure_group_lines
from vod_migrate.report.loader import load_report
from vod_migrate.report.model import FailureGroup
from vod_migrate.results.run import Run
from vod_migrate.sandbox.objects.content import head
from vod_migrate.sandbox.pytest_plugin import Sandbox

PICKY = {"archived_file": "failed", "bad_content": "failed", "url_encoding": "raw"}
SELECT = {"archived": "register", "min_size": 0}
DESCRIBE = {"rules": [{"match": "same/*", "reference_id": "{{ folder }}-reference"}]}
GONE = "gone/"


def hidden(sandbox: Sandbox, number: int, cause: str) -> str:
    """Stores a file that fails for a cause, under a key that does not tell it; '': for none that can be found."""
    key = f"films/{number:04}.mp4"
    if cause == "url_encoding":
        key = ("films/采访 {}.mp4", "films/a+b{}.mov", "films/100%{}.mp4")[number % 3].format(number)
    elif cause == "reference_id_taken":
        key = f"same/{number:04}.mp4"
    elif cause == "":
        key = f"cursed/{number:04}.mp4"
    body = {
        "object_empty": b"",
        "content_no_media": (head("html"), head("text"), head("zeros"), b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")[number % 4],
        "content_other_format": (head("mp3"), head("matroska"), head("flv"))[number % 3],
    }.get(cause)
    archived = ("Archive", "ColdArchive")[number % 2]
    sandbox.put(BUCKET, key, body, storage_class=archived if cause == "object_archived" else "Standard")
    return key


def examined(rig: Rig, run: Run) -> str:
    return examine_after_run(rig.store, run, connect=lambda: rig.connection, stop=rig.stop)


def causes(rig: Rig, run: Run) -> dict[str, tuple[str, bool]]:
    return {
        key: (cause, certain)
        for key, cause, certain in rig.rows(
            "select key, cause, certain from vod_migrate.diagnoses where run_no = %s", run.run_no
        )
    }


def test_of_a_thousand_failures_the_causes_are_named_and_none_is_certain_and_wrong(rig: Rig, sandbox: Sandbox) -> None:
    sandbox.settings(**PICKY, quotas={"RegisterMedia": None})
    for number in range(200):
        sandbox.put(BUCKET, f"good/{number:04}.mp4")
    sandbox.put(BUCKET, "same/0.mp4")
    migration = rig.migration(select=SELECT, describe=DESCRIBE, stop_after={"failure_rate": 1})
    rig.run(migration)
    rig.store.set_quota("default", "RegisterMedia", 1_000)
    kinds = ("object_missing", "object_archived", "object_empty", "content_no_media", "content_other_format",
             "reference_id_taken", "url_encoding", "")  # fmt: skip
    truth = {}
    for number in range(1, 1_001):
        cause = kinds[number % len(kinds)]
        truth[hidden(sandbox, number, cause)] = cause
    sandbox.fault("fail_files", rate=1, keys="cursed/*")
    run = rig.prepare(migration)
    rig.discover(run)
    for key, cause in truth.items():
        if cause == "object_missing":
            sandbox.delete(BUCKET, key)
    rig.register(run)
    assert {key for key, (state, _, _) in rig.results().items() if state == "failed"} == set(truth)
    sandbox.reset_counters()
    Examiner(rig.store, rig.connection, run, stop=rig.stop).all(codes_without_reason(rig.store, run))
    found = causes(rig, run)
    wrong = {key: (truth[key], *told) for key, told in found.items() if told[0] != truth[key]}
    assert len(found) == 1_000
    assert len(wrong) <= 50, Counter((true, told) for true, told, _ in wrong.values())
    assert not [told for told in wrong.values() if told[2]]
    assert sandbox.counters()["BatchGetMediaInfos"]["requests"] <= 50
    groups = {group.name: group for group in load_report(rig.store, run.run_id).failures}
    assert {name: group.count for name, group in groups.items()} == Counter(
        told or "file_refused" for told, _ in found.values()
    )
    assert groups["object_missing"].certain
    assert not groups["object_empty"].certain
    refused = groups["file_refused"]
    assert refused.examined == refused.count
    assert set(refused.ruled_out) == set(CAUSES) - {"optional_field"}
    assert [check.partition(":")[0] for check in refused.diagnosis.checks] == ["VOD may read the object"]


def test_what_a_look_cannot_tell_is_not_ruled_out_and_stays_to_be_checked(
    rig: Rig, sandbox: Sandbox, shell: Shell
) -> None:
    sandbox.put(BUCKET, "good.mp4")
    rig.run()
    sandbox.put(BUCKET, "films/采访.mp4", b"\x01\x02\x03 a format that nobody knows \xff\xfe")
    sandbox.put(BUCKET, "films/other.mp4", b"\x01\x02\x03 a format that nobody knows \xff\xfe")
    sandbox.fault("fail_files", rate=1)
    run = rig.store.run(rig.run().run_id)
    examined(rig, run)
    found = {key: set(ruled_out) for key, ruled_out in rig.rows("select key, ruled_out from vod_migrate.diagnoses")}
    told = {
        "bucket_missing",
        "bucket_other_region",
        "object_missing",
        "object_archived",
        "reference_id_taken",
        "object_empty",
        "bucket_not_added",
    }
    assert found["films/other.mp4"] == told | {"url_encoding"}
    shown = " ".join(shell.run("explain", f"{BUCKET}/films/other.mp4").stdout.split())
    assert "ruled out bucket does not exist, bucket in another region, gone from the bucket, archived," in shown
    assert "matches the extension" in shown
    assert "try register.url_encoding" not in shown, "its URL is the same in both encodings"


def test_a_group_that_was_examined_in_part_says_what_was_ruled_out_and_keeps_its_checks() -> None:
    half = FailureGroup(code="file_refused", count=4, examined=2, ruled_out=("object_archived",))
    shown = " ".join(line for line, _ in failure_group_lines(half))
    assert "Ruled out for them: archived." in shown
    assert "The object is not archived" in shown
    whole = replace(half, examined=4)
    assert "The object is not archived" not in " ".join(line for line, _ in failure_group_lines(whole))


FIXES: dict[str, tuple[str, dict[str, Any]]] = {
    "object_archived": ("failed", {}),
    "object_empty": ("new", {}),
    "content_no_media": ("new", {}),
    "content_other_format": ("new", {}),
    "reference_id_taken": ("failed", {"describe": {"reference_id": {"derive": True}}}),
    "url_encoding": ("failed", {"register": {"url_encoding": "raw"}}),
}
"""The mode in which to run again, and what to change in the migration file; by a new upload where that is nothing."""


@pytest.mark.parametrize("cause", FIXES)
def test_the_fix_applied_as_proposed_gets_the_object_registered(rig: Rig, sandbox: Sandbox, cause: str) -> None:
    sandbox.settings(**PICKY)
    sandbox.put(BUCKET, "same/0.mp4")
    content = {"select": SELECT, "describe": DESCRIBE}
    assert rig.run(rig.migration(**content)).counts.registered == 1
    key = hidden(sandbox, 1, cause)
    failed = rig.run(rig.migration(**content))
    run = rig.store.run(failed.run_id)
    assert examined(rig, run) == ""
    assert {key: found for key, (found, _) in causes(rig, run).items()} == {key: cause}
    mode, change = FIXES[cause]
    if cause == "object_archived":
        open_bucket(rig.connection, BUCKET).restore(key, days=1, tier=None)
        sandbox.settings(fast_forward_s=100_000)
    elif mode == "new":
        sandbox.put(BUCKET, key)
    codes = [cause] if mode == "failed" else None
    assert rig.run(rig.migration(**content | change), mode=mode, codes=codes).counts.registered == 1
    assert rig.results()[key][0] == "registered"


def test_a_bucket_of_which_vod_never_took_a_file_may_not_have_been_added(rig: Rig, sandbox: Sandbox) -> None:
    sandbox.settings(foreign_bucket="failed")
    sandbox.add_bucket("elsewhere", in_vod=False)
    sandbox.put("elsewhere", "a.mp4")
    run = rig.store.run(rig.run(rig.migration(source={"bucket": "elsewhere"})).run_id)
    examined(rig, run)
    assert causes(rig, run) == {"a.mp4": ("bucket_not_added", False)}


@pytest.mark.parametrize(
    ("bucket", "cause", "evidence"),
    [
        ("far", "bucket_other_region", "the bucket is in cn-beijing, the connection in cn-shanghai"),
        ("nowhere", "bucket_missing", "OSS has no bucket nowhere"),
    ],
)
def test_a_bucket_that_is_not_where_the_connection_is_is_named(
    rig: Rig, sandbox: Sandbox, tmp_path: Path, bucket: str, cause: str, evidence: str
) -> None:
    sandbox.settings(foreign_bucket="failed")
    sandbox.add_bucket("far", region="cn-beijing")
    sandbox.put("far", "a.mp4")
    (tmp_path / "a.csv").write_text("key\na.mp4\n")
    source = {"bucket": bucket, "manifest": {"location": str(tmp_path / "a.csv")}}
    run = rig.store.run(rig.run(rig.migration(source=source)).run_id)
    assert examined(rig, run) == ""
    assert rig.rows("select cause, certain, evidence from vod_migrate.diagnoses") == [(cause, True, evidence)]


def test_what_may_not_be_looked_at_is_not_named(rig: Rig, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("fail_files", rate=1)
    run = rig.store.run(rig.run().run_id)
    sandbox.account(deny=["oss:GetObject"])
    assert examined(rig, run) == ""
    ((cause, evidence),) = rig.rows("select cause, evidence from vod_migrate.diagnoses")
    assert cause == ""
    assert "oss:GetObject" in evidence


def test_an_experiment_proves_the_cause_and_what_vod_takes_is_registered(rig: Rig, sandbox: Sandbox) -> None:
    sandbox.settings(url_encoding="raw")
    sandbox.put(BUCKET, "plain.mp4")
    rig.run()
    for number in range(3):
        sandbox.put(BUCKET, f"采访 {number}.mp4")
    run = rig.store.run(rig.run().run_id)
    assert rig.store.counts(run.run_id).failed == 3
    examiner = Examiner(rig.store, rig.connection, run, stop=rig.stop, experiments=1)
    examiner.all(codes_without_reason(rig.store, run))
    assert sorted(certain for _, certain in causes(rig, run).values()) == [False, False, True]
    counts = rig.store.counts(run.run_id)
    assert (counts.registered, counts.failed) == (1, 2)
    rig.assert_results_equal_truth()
    (group,) = load_report(rig.store, run.run_id).failures
    assert (group.cause, group.count) == ("url_encoding", 2)


def test_an_experiment_without_the_optional_fields_tells_that_one_of_them_was_the_reason(
    rig: Rig, sandbox: Sandbox
) -> None:
    sandbox.put(BUCKET, "a.mp4")
    describe = {"description": "{{ stem }}", "reference_id": "{{ stem }}-reference"}
    sandbox.fault("fail_files", rate=1, times=2)
    run = rig.store.run(rig.run(rig.migration(describe=describe)).run_id)
    assert rig.results()["a.mp4"][0] == "failed"
    Examiner(rig.store, rig.connection, run, stop=rig.stop, experiments=5).all(codes_without_reason(rig.store, run))
    ((cause, evidence),) = rig.rows("select cause, evidence from vod_migrate.diagnoses")
    assert (cause, evidence) == ("optional_field", "registered without Description, ReferenceId")
    rig.assert_results_equal_truth()


def test_the_command_examines_all_and_shows_them_by_cause(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.settings(**PICKY)
    for number in range(70):
        sandbox.put(BUCKET, f"pages/{number:02}.mp4", head("html"))
        sandbox.put(BUCKET, f"films/{number:02}.mp4")
    content = {"name": "nightly", "source": {"bucket": BUCKET}, "register": {"template_group_id": "VOD_NO_TRANSCODE"},
               "stop_after": {"failure_rate": 1}}  # fmt: skip
    done = shell.run("run", str(shell.file(content)))
    assert "content_no_media: 50" in done.stdout
    assert "file_refused: 20" in done.stdout
    told = shell.run("diagnose", "nightly")
    assert (told.returncode, "content_no_media: 70" in told.stdout) == (0, True), told
    assert "examined 20 objects, and found a cause for 20" in told.stderr
    found = json.loads(shell.run("diagnose", "nightly", "--all", "--json").stdout)
    assert found["examined"] == 70
    (group,) = found["failures"]
    assert (group["code"], group["cause"], group["count"], group["certain"]) == (
        "file_refused",
        "content_no_media",
        70,
        False,
    )
    assert group["samples"][0]["message"] == "its content looks like HTML document"
    refused = shell.run("diagnose", "nightly", "--code", "Nothing")
    assert (refused.returncode, "there are: file_refused" in refused.stderr) == (2, True), refused.stderr
