"""Descriptions that were sent wrongly, and corrected in VOD: compared first, changed only when asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shell import BUCKET, MIGRATION, Done, Shell

from vod_migrate.sandbox.pytest_plugin import Sandbox

pytestmark = pytest.mark.usefixtures("sandbox")
WRONG: dict[str, Any] = {**MIGRATION, "describe": {"title": "NULL", "description": "{{ folder }}"}}
RIGHT: dict[str, Any] = {
    **MIGRATION,
    "describe": {"title": "{{ stem }}", "tags": ["{{ folder }}"], "reference_id": {"derive": True}},
}


@pytest.fixture
def films(sandbox: Sandbox, shell: Shell) -> Shell:
    """A shell whose migration has registered 45 films under a wrong title."""
    for number in range(44):
        sandbox.put(BUCKET, f"films/{number:02}.mp4")
    sandbox.put(BUCKET, "films/采访 + 100% 🎬.mp4")
    assert shell.run("run", str(shell.file(WRONG)), "--json").returncode == 0
    return shell


def updated(shell: Shell, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = shell.run("update", str(shell.file(RIGHT)), "--json", *arguments)
    assert done.returncode == code, done
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return found


def titles(sandbox: Sandbox) -> set[str]:
    return {media.title for media in sandbox.truth(BUCKET).values()}


def test_a_plan_shows_old_and_new_and_changes_nothing(films: Shell, sandbox: Sandbox) -> None:
    done: Done = films.run("update", str(films.file(RIGHT)))
    assert done.returncode == 0, done
    for text in ("45 registered objects compared; 45 would get another description now", "NULL → 00", "not set → films",
                 "Nothing was changed", "--yes", "a ReferenceId cannot be changed", "VOD cannot clear this field"):  # fmt: skip
        assert text in done.stdout, done.stdout
    assert titles(sandbox) == {"NULL"}
    assert "UpdateVideoInfos" not in sandbox.counters()


def test_corrections_go_to_vod_twenty_a_call_and_the_results_follow(films: Shell, sandbox: Sandbox) -> None:
    found = updated(films, "--yes")
    assert (found["compared"], found["differ"], found["updated"], found["calls"]) == (45, 45, 45, 3)
    assert sandbox.counters()["UpdateVideoInfos"]["requests"] == 3
    assert titles(sandbox) == {f"{number:02}" for number in range(44)} | {"采访 + 100%"}
    again = updated(films, "--yes")
    assert (again["differ"], again["calls"]) == (0, 0)
    story = films.run("explain", f"{BUCKET}/films/07.mp4", "--offline").stdout
    assert "description corrected in VOD" in story
    assert "sent Title         07" in story, story


def test_an_imported_media_gets_the_description_of_the_file(sandbox: Sandbox, shell: Shell) -> None:
    sandbox.put(BUCKET, "films/old.mp4")
    sandbox.import_media(BUCKET)
    file = str(shell.file(RIGHT))
    assert shell.run("reconcile", file, "--repair", "not_recorded", "--yes").returncode == 0
    assert updated(shell, "--yes")["updated"] == 1
    assert titles(sandbox) == {"old"}


def test_what_vod_no_longer_has_or_refuses_is_named_and_the_rest_is_corrected(films: Shell, sandbox: Sandbox) -> None:
    sandbox.delete_media(BUCKET, "films/03.mp4")
    found = updated(films, "--yes", code=6)
    assert (found["updated"], found["lost"]) == (44, 1)
    sandbox.put(BUCKET, "films/03.mp4", b"\x00\x00\x00\x18ftypmp42 another film")
    assert updated(films)["changed_keys"] == ["films/03.mp4"]


def test_a_refused_call_is_halved_until_what_is_at_fault_stands_alone(films: Shell, sandbox: Sandbox) -> None:
    sandbox.fault("error", api="UpdateVideoInfos", code="InvalidParameter", status=400, times=30)
    found = updated(films, "--yes", code=6)
    assert found["refused"] >= 1
    assert found["updated"] + found["refused"] == 45
    assert any("InvalidParameter" in refusal for refusal in found["refusals"])
    assert updated(films, "--yes")["updated"] == found["refused"]


def test_without_the_permission_nothing_is_changed_and_it_is_named(films: Shell, sandbox: Sandbox) -> None:
    sandbox.account(deny=["vod:UpdateVideoInfos"])
    done = films.run("update", str(films.file(RIGHT)), "--yes")
    assert (done.returncode, "vod:UpdateVideoInfos" in done.stderr) == (3, True), done
    assert titles(sandbox) == {"NULL"}
    sandbox.account(deny=[])
    assert updated(films, "--yes")["updated"] == 45


def test_every_change_is_written_to_a_file(films: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("changes") / "changes.jsonl"
    updated(films, "--output", str(path))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 90
    assert {"key", "media_id", "field", "old", "new"} == rows[0].keys()
