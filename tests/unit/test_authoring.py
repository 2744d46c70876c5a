"""init, describe and schema: the commands that help to write a migration file, without any service."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from vod_migrate.cli.app import app
from vod_migrate.errors import BadOption
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.scaffold import Scaffold, render_scaffold

FULL: dict[str, Any] = {
    "name": "nightly",
    "source": {"bucket": "media-archive"},
    "describe": {
        "pattern": r"(?P<show>[^/]+)/",
        "title": "{{ match.show | default('') }} {{ stem }}",
        "tags": ["{{ row.tag | default('') }}"],
        "category": "Shows/{{ folder }}",
        "cover_url": "covers/{{ stem }}.jpg",
        "cover_if_exists": True,
        "reference_id": {"derive": True},
        "rules": [{"prefix": "trailers/", "title": "Trailer {{ stem }}", "category": ""}],
    },
    "register": {"template_group_id": "VOD_NO_TRANSCODE"},
}


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOD_MIGRATE_REGION", "cn-beijing")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "nightly.yaml"
    path.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    return str(path)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def lines(*words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*words, "--json").splitlines()]


def test_describe_shows_what_would_be_sent_and_each_thing_that_was_done(file: str) -> None:
    (said,) = lines("describe", file, f"a show/{'x' * 140}.mp4", "--row", "tag=drama")
    assert said["sent"] is True
    assert said["metadata"]["FileURL"].startswith("https://media-archive.oss-cn-beijing.aliyuncs.com/a%20show/xxx")
    assert said["metadata"]["Title"] == ("a show " + "x" * 140)[:128]
    assert said["metadata"]["Tags"] == "drama"
    assert said["metadata"]["ReferenceId"].startswith("vm-")
    assert "CateId" not in said["metadata"]
    assert (said["category"], said["rule"]) == ("Shows/a show", None)
    assert said["cover_if_exists"] == f"covers/{'x' * 140}.jpg"
    assert said["notes"] == [{"field": "title", "text": "cut from 147 to 128 bytes"}]


def test_describe_names_the_rule_the_refusal_and_the_reason_for_leaving_out(file: str) -> None:
    rule, refused, left_out = lines("describe", file, "trailers/a.mp4", "a.mp4", "a.txt")
    assert (rule["rule"], rule["category"]) == ("prefix 'trailers/'", None)
    assert refused["category"] == "Shows"
    assert left_out["left_out"]["reason"] == "extension"
    (deep,) = lines("describe", file, "节" * 30 + "/a.mp4")
    assert deep["refusal"]["code"] == "category_name_too_long"


def test_describe_tells_a_person_the_same(file: str) -> None:
    told = run("describe", file, f"x/{'y' * 140}.mp4", "trailers/a.mp4", "a.txt")
    for part in (
        "rule         none",
        "CateId       that of the category Shows/x",
        "is sent only if the object",
        "! title: cut",
    ):
        assert part in told
    assert "rule         prefix 'trailers/'" in told
    assert "left out (extension)" in told


def test_describe_shows_a_key_whose_bytes_are_no_text_as_left_out(file: str) -> None:
    assert "unstorable_key" in run("describe", file, "a\udcff.mp4")
    assert lines("describe", file, "a\udcff.mp4")[0]["key"] == "a?.mp4"


def test_the_schema_describes_every_setting_and_is_closed() -> None:
    schema = json.loads(run("schema"))
    assert schema["$schema"].startswith("https://json-schema.org/")
    for section in (schema, *schema["$defs"].values()):
        if "properties" in section:
            assert section["additionalProperties"] is False
    assert set(schema["properties"]) == {field.alias or name for name, field in Migration.model_fields.items()}
    for field in (
        *schema["$defs"]["Describe"]["properties"].values(),
        *schema["$defs"]["Register"]["properties"].values(),
    ):
        assert "description" in field or "$ref" in field


def test_init_writes_a_file_that_loads_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "first.yaml"
    words = ["init", "--name", "first", "--bucket", "media-archive", "--prefix", 'a"b: #/', "--schedule", "0 1 * * *"]
    run(*words, "--output", str(path))
    written = load_migration(path)
    assert (written.name, written.source.bucket, written.source.prefixes) == ("first", "media-archive", ('a"b: #/',))
    assert (written.schedule, written.register_.template_group_id) == ("0 1 * * *", "VOD_NO_TRANSCODE")
    before = path.read_text(encoding="utf-8")
    with pytest.raises(BadOption, match="not overwritten"):
        run(*words, "--output", str(path))
    assert path.read_text(encoding="utf-8") == before


def test_what_init_offers_in_comments_would_load_too() -> None:
    offered = render_scaffold(Scaffold(name="first", bucket="media-archive", workflow_id="w1"))
    uncommented = "\n".join(
        line.replace("# ", "", 1)
        if line.lstrip().startswith("# ") and ":" in line and "vod-migrate" not in line
        else line
        for line in offered.splitlines()
        if "Jinja2" not in line and "bucket must" not in line and "whole bucket" not in line
    )
    read = Migration.model_validate(yaml.safe_load(uncommented))
    assert read.describe.reference_id is not None
    assert read.describe.categories == "create"
    assert read.register_.calls_per_second == 20


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--name and --bucket must be given"),
        (("--name", "a"), "--bucket must be given"),
        (("--name", "A b", "--bucket", "media-archive"), "name: "),
        (("--name", "a", "--bucket", "media-archive", "--schedule", "daily"), "schedule: "),
        (
            ("--name", "a", "--bucket", "media-archive", "--template-group-id", "x", "--workflow-id", "y"),
            "give only one",
        ),
        (("--name", "a", "--bucket", "media-archive", "--output", "no/such/folder/a.yaml"), "cannot be written"),
    ],
)
def test_init_refuses_what_would_not_load_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadOption, match=says):
        run("init", *words)
    assert list(tmp_path.iterdir()) == []


def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "vod_migrate.cli", "init"]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path) as process:
        os.write(ours, b"asked\nmedia-archive\nshows/\n\n")
        assert process.wait(60) == 0
    os.close(theirs)
    os.close(ours)
    written = load_migration(tmp_path / "asked.yaml")
    assert (written.source.prefixes, written.schedule) == (("shows/",), None)


def test_describe_refuses_a_row_that_names_no_column(file: str) -> None:
    with pytest.raises(BadOption, match="COLUMN=VALUE"):
        run("describe", file, "a.mp4", "--row", "drama")
