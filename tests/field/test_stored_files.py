"""What lies in OSS under another name, or packed otherwise, than it seems: keys that look alike, and lists with a Content-Encoding."""

from __future__ import annotations

import gzip
import json
import unicodedata

import oss2
import pytest
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.sandbox.pytest_plugin import Sandbox

KEYS = ["café.mp4", "한국어/영화.mp4", "パパ.mp4", "Việt Nam.mp4"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("written", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_key_in_another_normalization_is_named_as_such(
    shell: Shell, sandbox: Sandbox, key: str, written: str, stored: str
) -> None:
    sandbox.put(BUCKET, unicodedata.normalize(stored, key))
    named = unicodedata.normalize(written, key)
    (group,) = json.loads(shell.run("plan", manifest(shell, named, check="head"), "--json").stdout)["failing"]
    assert (group["code"], f"the bucket has it in {stored}" in group["samples"][0]["message"]) == (
        "row_no_object",
        True,
    )
    if key == KEYS[0]:
        assert shell.run("run", manifest(shell, named)).returncode != 0
        told = shell.run("explain", f"{BUCKET}/{named}")
        assert f"one that looks the same, in {stored}" in " ".join(told.stdout.split()), told
        diagnosed = shell.run("diagnose", "nightly")
        assert f"the bucket has it in {stored}" in " ".join(diagnosed.stdout.split()), diagnosed


def manifest(shell: Shell, key: str, **settings: str) -> str:
    path = shell.folder / "a.csv"
    path.write_text(f"key\n{key}\n", encoding="utf-8")
    source = {"bucket": BUCKET, "manifest": {"location": str(path), **settings}}
    return str(shell.file({**MIGRATION, "source": source, "stop_after": {"failures": 100}}))


ROWS = b"key\n" + b"".join(b"film-%05d.mp4\n" % number for number in range(20_000))
LISTS = [
    # the list's name, what is stored, and its Content-Encoding
    ("a.csv", gzip.compress(ROWS), "gzip"),
    ("a.csv.gz", gzip.compress(ROWS), "gzip"),
    ("a.csv", ROWS, "identity"),
    ("a.jsonl", gzip.compress(b'{"key": "a.mp4"}\n' * 20_000), "gzip"),
]


@pytest.mark.parametrize(("name", "content", "encoding"), LISTS)
def test_a_stored_list_with_a_content_encoding_is_read_also_over_a_connection_that_breaks(
    shell: Shell, sandbox: Sandbox, name: str, content: bytes, encoding: str
) -> None:
    keys = oss2.Auth(sandbox.access_key_id, sandbox.access_key_secret)
    oss2.Bucket(keys, sandbox.endpoint, BUCKET).put_object(name, content, headers={"Content-Encoding": encoding})
    sandbox.plan([{"kind": "reset", "api": "GetObject", "at_byte": 20_000, "times": 1}])
    source = {"bucket": BUCKET, "manifest": {"location": f"oss://{BUCKET}/{name}"}}
    done = shell.run("plan", str(shell.file({**MIGRATION, "source": source})), "--json")
    assert done.returncode == 0, done
    plan = json.loads(done.stdout)
    assert plan["to_send"] == (1 if name == "a.jsonl" else 20_000)
