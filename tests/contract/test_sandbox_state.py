from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import oss2
import pytest
from alibabacloud_vod20170321 import models
from sdk_clients import BUCKET, url_of

from vod_migrate.cloud.clients import open_vod
from vod_migrate.cloud.connection import connection_from_environment

KEYS = ["访谈 1 + %41.mp4", "b.mp4"]


@contextmanager
def serving(folder: Path, *, faults: list[dict[str, Any]] | None = None) -> Iterator[tuple[Any, str]]:
    """(an SDK client, the sandbox's URL); killed at the end, as a crash would."""
    config = folder / "sandbox.yaml"
    config.write_text(json.dumps({"faults": faults or [], "settings": {}}), encoding="utf-8")
    command = ["--config", str(config), "--state", str(folder / "state.ndjson"), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vod_migrate.sandbox", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        environment = json.loads(line)["environment"]
        url = environment["VOD_MIGRATE_SANDBOX_URL"]
        for key in KEYS:
            auth = oss2.Auth(environment["ALIBABA_CLOUD_ACCESS_KEY_ID"], environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
            oss2.Bucket(auth, url, BUCKET).put_object(key, b"video")
        yield open_vod(connection_from_environment(environment)).sdk, url
    finally:
        process.kill()
        process.communicate()


def register(client: Any, **options: Any) -> Any:
    metadatas = [
        {"FileURL": url_of(key), "Title": f"title of {key}", "Tags": "a,b", "ReferenceId": f"reference-{number}"}
        for number, key in enumerate(KEYS)
    ]
    text = json.dumps(metadatas, ensure_ascii=False)
    return client.register_media(models.RegisterMediaRequest(register_metadatas=text, **options)).body


def truth(url: str) -> list[dict[str, Any]]:
    with urlopen(f"{url}/_sandbox/truth", timeout=10) as answer:  # noqa: S310 - loopback
        return [json.loads(line) for line in answer.read().decode().splitlines()]


def test_a_killed_sandbox_comes_back_with_everything_that_it_registered(tmp_path: Path) -> None:
    with serving(tmp_path) as (client, url):
        first = register(client, template_group_id="VOD_NO_TRANSCODE")
        before = truth(url)
    with serving(tmp_path) as (client, url):
        assert truth(url) == before
        again = register(client)
        assert [item.new_register for item in again.registered_media_list] == [False, False]
        assert [item.media_id for item in again.registered_media_list] == [
            item.media_id for item in first.registered_media_list
        ]
    with serving(tmp_path) as (_, url):
        assert [row["registrations"] for row in truth(url)] == [2, 2]
        assert [row["template_group_id"] for row in truth(url)] == ["VOD_NO_TRANSCODE"] * 2
    journal = [json.loads(line) for line in (tmp_path / "state.ndjson").read_text(encoding="utf-8").splitlines()]
    assert [line["request_id"] for line in journal] == [first.request_id, again.request_id]


def test_an_effect_whose_answer_was_lost_is_kept_with_the_fault_that_hit_it(tmp_path: Path) -> None:
    fault = {"kind": "reset", "api": "RegisterMedia", "when": "after", "count": 1}
    with serving(tmp_path, faults=[fault]) as (client, _):
        with pytest.raises(Exception, match="onnection"):
            register(client)
        register(client)
    with serving(tmp_path) as (_, url):
        assert [row["registrations"] for row in truth(url)] == [2, 2]
    journal = [json.loads(line) for line in (tmp_path / "state.ndjson").read_text(encoding="utf-8").splitlines()]
    assert [line["fault"] for line in journal] == ["reset", None]


def test_a_line_that_the_kill_cut_off_never_happened_and_any_other_broken_line_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as (client, _):
        register(client)
    state = tmp_path / "state.ndjson"
    whole = state.read_text(encoding="utf-8")
    state.write_text(whole + whole[: len(whole) // 2], encoding="utf-8")
    with serving(tmp_path) as (_, url):
        assert [row["registrations"] for row in truth(url)] == [1, 1]
    assert state.read_text(encoding="utf-8") == whole
    state.write_text("no journal\n" + whole, encoding="utf-8")
    with pytest.raises(AssertionError, match="line 1 is not JSON"), serving(tmp_path):
        pass
