"""What objects contain: the first bytes of their format, as a range request reads them."""

from __future__ import annotations

import oss2
import pytest
from sdk_clients import BUCKET

from vod_migrate.sandbox.objects import content
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.register import EXTENSIONS


@pytest.mark.parametrize("extension", sorted(EXTENSIONS))
def test_each_extension_of_vod_has_a_format_that_is_recognised(extension: str) -> None:
    promised = content.format_of_name(f"folder.d/A.{extension.upper()}")
    assert content.is_media(promised)
    assert content.recognised(content.sample(f"a.{extension}")) == promised


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"", "empty"),
        (b"\0" * 40, "zeros"),
        (b"  <html>", "html"),
        (b"G is not a packet", "mpegts"),
        (b"G" + b"x" * 300, "text"),
        (b"title,tags\n", "text"),
        (b"\xff\xfb\x90", "mp3"),
    ],
)
def test_other_beginnings_are_told_apart(first: bytes, name: str) -> None:
    assert content.recognised(first) == name


def first_kilobyte(bucket: oss2.Bucket, key: str) -> bytes:
    body: bytes = bucket.get_object(key, byte_range=(0, 1_023), headers={"x-oss-range-behavior": "standard"}).read()
    return body


def test_generated_objects_begin_as_the_truth_says(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, 400, corrupt=0.2, mislabelled=0.2, archived=0, hls=0.2)
    found: dict[str, int] = {}
    for key, expected in sandbox.expected(BUCKET).items():
        if expected.size >= 1_024:
            assert content.recognised(first_kilobyte(bucket, key)) == expected.content, key
        promised = content.format_of_name(key)
        kind = "true" if expected.content == promised else "other"
        kind = kind if content.is_media(expected.content) else "not media"
        found[kind] = found.get(kind, 0) + content.is_media(promised)
    assert found["true"] > 180
    assert found["other"] > 40
    assert found["not media"] > 40


def test_ranges_and_the_whole_object_agree(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, 3, dirt=0, size={"median": 3_000, "sigma": 0, "maximum": 3_000})
    [key, *_] = sandbox.expected(BUCKET)
    whole = bucket.get_object(key).read()
    parts = [(0, 9), (10, 40), (41, 2_000), (2_001, len(whole) - 1)]
    assert b"".join(bucket.get_object(key, byte_range=part).read() for part in parts) == whole


def test_a_generated_playlist_names_the_segments_beside_it(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, 400, hls=0.5, archived=0)
    keys = list(sandbox.expected(BUCKET))
    playlists = [key for key in keys if key.endswith(".m3u8")]
    assert playlists
    for playlist in playlists:
        text = bucket.get_object(playlist).read()
        assert len(text) == sandbox.expected(BUCKET, playlist)[playlist].size
        lines = text.decode().split()
        folder = playlist.rpartition("/")[0] + "/"
        assert (lines[0], lines[-1]) == ("#EXTM3U", "#EXT-X-ENDLIST")
        named = [folder + line for line in lines if not line.startswith("#")]
        assert named == [key for key in keys if key.startswith(folder) and key.endswith(".ts")]
