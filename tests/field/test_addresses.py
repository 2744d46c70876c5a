"""Every documented form of an OSS address, read to bucket and key."""

from __future__ import annotations

import json

import pytest
from shell import BUCKET, MIGRATION, Shell

READ = [
    # an address in a manifest, and the key that it names in media-archive
    ("https://media-archive.cn-shanghai.oss.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://media-archive.vpc100-oss-cn-shanghai.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://media-archive.s3.oss-cn-shanghai.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://s3.oss-cn-shanghai.aliyuncs.com/media-archive/v/a.mp4", "v/a.mp4"),
    ("https://oss-cn-shanghai.aliyuncs.com/media-archive/v/a.mp4", "v/a.mp4"),
    ("https://cn-shanghai.oss.aliyuncs.com/media-archive/v/a.mp4", "v/a.mp4"),
    ("https://media-archive.cn-shanghai.oss-dls.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://media-archive.oss-cn-shanghai-internal.oss-data-acc.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://media.example.com/v/a.mp4", "v/a.mp4"),
    ("oss://media-archive.oss-cn-shanghai.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    # Right before, too: what no cure may break.
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("http://media-archive.oss-cn-shanghai-internal.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://media-archive.oss-accelerate.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://media-archive.oss-accelerate-overseas.aliyuncs.com/v/a.mp4", "v/a.mp4"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com:443/v/a.mp4", "v/a.mp4"),
    ("HTTPS://Media-Archive.OSS-cn-shanghai.aliyuncs.com/V/a.mp4", "V/a.mp4"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com/%E8%8A%82%20a%2Bb.mp4?Expires=1&Signature=a%2Bb%3D", "节 a+b.mp4"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com/a%23b%3Fc.mp4", "a#b?c.mp4"),
    ("oss://media-archive/v/a#b?c.mp4", "v/a#b?c.mp4"),
    ("v/a b%20.mp4", "v/a b%20.mp4"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "key"), READ)
def test_an_address_is_read_to_its_key(shell: Shell, address: str, key: str) -> None:
    plan = planned(shell, address)
    assert [sample["key"] for sample in plan["samples"]] == [key]


REFUSED = [
    ("https://other.oss-cn-shanghai.aliyuncs.com/a.mp4", "row_other_bucket", "in bucket 'other'"),
    ("https://other.cn-shanghai.oss.aliyuncs.com/a.mp4", "row_other_bucket", "in bucket 'other'"),
    ("https://cdn.example.com/a.mp4", "row_other_bucket", "list it in source.domains"),
    ("https://media-archive.s3.amazonaws.com/a.mp4", "row_other_bucket", "not an address of OSS"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com/take#1.mp4", "row_key", "write %23"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com/what?.mp4", "row_key", "write %3F"),
    ("https://media-archive.oss-cn-shanghai.aliyuncs.com/", "row_key", "a bucket without a key"),
    ("media-archive.oss-cn-shanghai.aliyuncs.com/a.mp4", "row_key", "write https:// before it"),
    ("//media-archive.oss-cn-shanghai.aliyuncs.com/a.mp4", "row_key", "write https:// before it"),
    ("s3://media-archive/a.mp4", "row_key", "not of OSS: write the object's key"),
    ("file:///archive/a.mp4", "row_key", "not of OSS: write the object's key"),
    (
        "https://media-archive.oss-cn-shanghai.aliyuncs.com/a.mp4?versionId=CAEQ",
        "row_key",
        ": remove it",
    ),
    (
        "https://media-archive.oss-cn-shanghai.aliyuncs.com/a.mp4?x-oss-process=video/snapshot,t_1",
        "row_key",
        "x-oss-process",
    ),
    ("oss://LTAI5t:secret@media-archive/a.mp4", "row_key", "leave them out"),
]


@pytest.mark.parametrize(("address", "code", "says"), REFUSED)
def test_an_address_that_names_no_object_of_the_bucket_is_named(
    shell: Shell, address: str, code: str, says: str
) -> None:
    (group,) = planned(shell, address)["failing"]
    assert (group["code"], says in group["samples"][0]["message"]) == (code, True), group


def planned(shell: Shell, address: str) -> dict[str, list[dict[str, str]]]:
    path = shell.folder / "a.jsonl"
    path.write_text(json.dumps({"key": address}), encoding="utf-8")
    source = {"bucket": BUCKET, "manifest": {"location": str(path)}, "domains": ["media.example.com"]}
    done = shell.run("plan", str(shell.file({**MIGRATION, "source": source})), "--json")
    assert done.returncode == 0, done
    assert "LTAI5t" not in done.stdout + done.stderr
    plan: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return plan
