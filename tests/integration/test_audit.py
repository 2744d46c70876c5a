"""What became of objects: `verify` and `explain`, against media that the sandbox has processed, lost and changed."""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg
import pytest
from rigging import Rig
from shell import BUCKET, MIGRATION, Done, Shell

from vod_migrate.audit.verification import verify_run
from vod_migrate.errors import Interrupted
from vod_migrate.migration.units import ALL_PARTS
from vod_migrate.results.verifications import Scope
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP

pytestmark = pytest.mark.usefixtures("sandbox")
PROCESSED = {**MIGRATION, "register": {"template_group_id": DEFAULT_GROUP}}


def verified(shell: Shell, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = shell.run("verify", "nightly", "--json", *arguments)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def explained(shell: Shell, name: str, *arguments: str) -> Done:
    done = shell.run("explain", name, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def run(shell: Shell, content: Any = None) -> None:
    assert shell.run("run", str(shell.file(content)), "--json").returncode in (0, 5)


def test_verify_tells_what_plays_from_what_cannot_be_decoded_is_deleted_or_of_another_file(
    sandbox: Sandbox, shell: Shell
) -> None:
    for number in range(30):
        sandbox.put(BUCKET, f"films/{number:02}.mp4")
    sandbox.put(BUCKET, "films/broken + 损坏.mp4", b"not a film")
    for name in ("deleted", "replaced", "sourceless"):
        sandbox.put(BUCKET, f"films/{name}.mp4")
    run(shell, PROCESSED)
    sandbox.settings(fast_forward_s=3600)
    assert verified(shell, code=6)["counts"] == {"playable": 33, "failed": 1}
    sandbox.delete_media(BUCKET, "films/deleted.mp4")
    sandbox.delete(BUCKET, "films/sourceless.mp4")
    other = sandbox.truth(BUCKET)["films/00.mp4"].media_id
    with_other_file(shell, "films/replaced.mp4", other)
    found = verified(shell, code=6)
    assert found["counts"] == {"playable": 29, "failed": 1, "source_deleted": 1, "missing": 1, "other_file": 1}
    (broken,) = found["samples"]["failed"]
    assert broken["key"] == "films/broken + 损坏.mp4"
    assert "TranscodeFail: InvalidParameter.ResourceContentBad" in broken["detail"]
    assert (found["objects"], found["calls"]) == (33, 2)
    told = shell.run("verify", "nightly")
    assert "29 objects of 33 can be played." in told.stdout
    assert "4 registered objects cannot be played in VOD" in told.stderr


def with_other_file(shell: Shell, key: str, media_id: str) -> None:
    """The results say that an object has the media of another one, as where VOD took another file."""
    with psycopg.connect(shell.environment["VOD_MIGRATE_DATABASE_URL"]) as connection:
        connection.execute("delete from vod_migrate.objects where media_id = %s", (media_id,))
        connection.execute("update vod_migrate.objects set media_id = %s where key = %s", (media_id, key))


def test_media_at_work_are_no_failure_and_files_that_nobody_processes_are_stored(
    sandbox: Sandbox, shell: Shell
) -> None:
    sandbox.settings(analysis_s=100, queue_s=100, transcode_s=100)
    sandbox.put(BUCKET, "a.mp4")
    sandbox.put(BUCKET, "b.mkv")
    run(shell)
    assert verified(shell)["counts"] == {"processing": 2}
    sandbox.settings(fast_forward_s=1000)
    assert verified(shell)["counts"] == {"playable": 1, "stored": 1}


@pytest.mark.parametrize(
    ("content", "storage_class", "group", "state", "words"),
    [
        (b"<!DOCTYPE html>", "Standard", DEFAULT_GROUP, "failed", "ResourceContentBad: The resource operated"),
        (None, "Archive", DEFAULT_GROUP, "failed", "ResourceAccessDenied: The resource operated"),
        (b"<!DOCTYPE html>", "Standard", "VOD_NO_TRANSCODE", "not_decoded", "UploadSucc"),
    ],
)
def test_what_cannot_be_decoded_or_transcoded_is_told_in_vods_own_words(
    sandbox: Sandbox, shell: Shell, content: bytes | None, storage_class: str, group: str, state: str, words: str
) -> None:
    sandbox.put(BUCKET, "a.mp4", content, storage_class=storage_class)
    run(shell, {**MIGRATION, "register": {"template_group_id": group}, "select": {"archived": "register"}})
    found = verified(shell, code=6 if state == "failed" else 0)
    assert found["counts"] == {state: 1}
    assert words in found["samples"][state][0]["detail"]


def test_a_random_part_is_drawn_again_by_its_seed(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.generate(BUCKET, count=400, dirt=0)
    run(shell)
    sandbox.settings(fast_forward_s=1000)
    found = verified(shell, "--sample", "10")
    assert 10 <= found["objects"] <= 80
    assert found == verified(shell, "--sample", "10", "--seed", str(found["seed"]))


def test_the_report_of_a_run_shows_what_vod_said_last_about_it_and_about_the_migration(
    sandbox: Sandbox, shell: Shell
) -> None:
    for key in ("a <b>.mp4", "损坏 <script>.mp4"):
        sandbox.put(BUCKET, key, None if key.startswith("a") else b"not a film")
    file = shell.file({**PROCESSED, "verify": {"after": "30m", "sample": "50 %"}})
    ran = shell.run("run", str(file), "--json")
    run_id = json.loads(ran.stdout)["run_id"]
    assert f"in 30m, check in VOD that they can be played: vod-migrate verify {run_id} --sample 50" in ran.stderr
    report = json.loads(shell.run("report", run_id, "--json").stdout)
    assert report["verifications"] == []
    sandbox.settings(analysis_s=100)
    assert shell.run("verify", run_id).returncode == 0
    sandbox.settings(analysis_s=0)
    assert shell.run("verify", run_id).returncode == 6
    assert shell.run("verify", "nightly", "--sample", "50", "--seed", "7").returncode in (0, 6)
    done = shell.run("report", run_id, "--output", str(shell.folder))
    assert "This run, checked in VOD at " in done.stdout
    assert "1 object of 2 can be played." in done.stdout
    assert "A random 50 % of all media of the migration" in done.stdout
    found = json.loads(shell.run("report", run_id, "--json").stdout)["verifications"]
    by_scope = {one["scope"]: one for one in found}
    assert (by_scope["run"]["counts"], by_scope["run"]["sample"]) == ({"playable": 1, "failed": 1}, 1.0)
    assert (by_scope["migration"]["seed"], by_scope["migration"]["sample"]) == (7, 0.5)
    page = (shell.folder / f"{run_id}.html").read_text()
    assert "1 of 2 objects can be played" in page
    assert "损坏 &lt;script&gt;.mp4" in page
    assert "TranscodeFail: InvalidParameter.ResourceContentBad" in page


def test_a_check_that_is_stopped_is_not_kept(sandbox: Sandbox, rig: Rig) -> None:
    sandbox.put(BUCKET, "a.mp4")
    run = rig.store.run(rig.run().run_id)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        verify_run(rig.store, rig.connection, run, Scope.RUN, millionths=ALL_PARTS, seed=0, stop=stop)
    assert rig.rows("select count(*) from vod_migrate.verifications") == [(0,)]


def test_verify_says_that_it_may_not_ask(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "a.mp4")
    run(shell)
    sandbox.account(deny=["vod:BatchGetMediaInfos"])
    done = shell.run("verify", "nightly")
    assert (done.returncode, "vod:BatchGetMediaInfos" in done.stderr) == (3, True), done.stderr


STATES = {
    "registered": (
        "in/a + 采访 🎬%.mp4",
        ("registered, by migration nightly", "RequestId", "sent Title", "in VOD       Normal"),
    ),
    "failed": ("in/bad.mp4", ("failed (", "to do")),
    "excluded": (
        "in/private/a.mp4",
        ("No result", "left out (excluded)", "pattern      in/private/*", "in OSS       40 B"),
    ),
    "elsewhere": ("out/a.mp4", ("No result", "not under any prefix of the run")),
    "absent": ("in/never.mp4", ("No result", "the object does not exist in the bucket", "rule")),
}


@pytest.mark.parametrize("state", STATES)
def test_explain_answers_for_an_object_in_every_state(sandbox: Sandbox, shell: Shell, state: str) -> None:
    for key, _ in STATES.values():
        if not key.endswith("never.mp4"):
            sandbox.put(BUCKET, key)
    sandbox.fault("fail_files", rate=1, keys="in/bad.mp4")
    source = {"bucket": BUCKET, "prefixes": ["in/"]}
    run(shell, {**MIGRATION, "source": source, "select": {"exclude": ["in/private/*"]}})
    sandbox.settings(fast_forward_s=1000)
    key, expected = STATES[state]
    told = explained(shell, f"{BUCKET}/{key}").stdout
    for text in expected:
        assert text in told, told
    story = json.loads(explained(shell, f"oss://{BUCKET}/{key}", "--json", "--offline").stdout)
    assert (story["key"], story["oss"]) == (key, {"not_asked": "not asked"})
    assert [one["state"] for one in story["results"]] == ([state] if state in ("registered", "failed") else [])


def test_explain_finds_the_object_of_a_media_also_of_one_that_the_results_do_not_know(
    sandbox: Sandbox, shell: Shell
) -> None:
    sandbox.put(BUCKET, "known.mp4")
    run(shell)
    sandbox.put(BUCKET, "foreign.mp4")
    sandbox.import_media(BUCKET)
    sandbox.settings(fast_forward_s=1000)
    for key in ("known.mp4", "foreign.mp4"):
        media_id = sandbox.truth(BUCKET)[key].media_id
        story = json.loads(explained(shell, media_id, "--json").stdout)
        assert (story["bucket"], story["key"], story["media_id"]) == (BUCKET, key, media_id)
        assert story["vod"]["status"] == "Normal"
    done = shell.run("explain", "0" * 32)
    assert (done.returncode, "VOD has no such media" in done.stderr) == (2, True), done.stderr


def test_explain_says_that_the_content_has_changed_since(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "a.mp4", b"\x00\x00\x00\x18ftypmp42 first")
    run(shell)
    sandbox.put(BUCKET, "a.mp4", b"\x00\x00\x00\x18ftypmp42 second")
    address = f"https://{BUCKET}.oss-cn-shanghai.aliyuncs.com/a.mp4"
    assert "content changed since" in explained(shell, address).stdout


@pytest.mark.parametrize("name", ["media-archive", "media-archive/", "/a.mp4", "https://example.com/a.mp4"])
def test_what_names_no_object_is_refused_with_the_form(shell: Shell, name: str) -> None:
    done = shell.run("explain", name)
    assert done.returncode == 2
    assert "BUCKET/KEY" in done.stderr or "custom domain" in done.stderr
