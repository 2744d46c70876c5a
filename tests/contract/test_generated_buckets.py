from __future__ import annotations

import gc
import itertools
import tracemalloc
from typing import Any

import oss2
import pytest
from sdk_clients import BUCKET, Register, url_of

from vod_migrate.sandbox.objects.dataset import Dataset, no_rollup
from vod_migrate.sandbox.objects.object import after_all
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import DatasetConfig, SandboxConfig
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.library import NO_EXTRAS, CallOptions, Library, Registration

DATASETS: dict[str, dict[str, Any]] = {
    "dirty": {"count": 5_000},
    "plain": {"count": 2_500, "dirt": 0},
    "very dirty": {"count": 2_000, "dirt": 3, "long_keys": 0.05},
    "dated": {"count": 3_000, "dates": {"from": "2026-11-01", "days": 7}, "prefix": "interviews/"},
    "few keys on many days": {"count": 5, "dates": {"from": "2026-11-01", "days": 30}},
    "one key": {"count": 1},
    "none": {"count": 0},
    "streams": {"count": 2_000, "hls": 0.9, "archived": 0.5, "missing": 0.5},
    "at the root": {"count": 1_500, "prefix": "", "seed": 9},
}


def listed(bucket: oss2.Bucket, **parameters: Any) -> list[Any]:
    return list(oss2.ObjectIteratorV2(bucket, max_keys=1000, **parameters))


def all_keys(**dataset: Any) -> list[str]:
    made = Dataset(DatasetConfig.model_validate(dataset))
    return [key for key, _ in made.scan("", inclusive=True, rollup=no_rollup, holes=lambda _: False)]


@pytest.mark.parametrize("name", DATASETS)
def test_a_listing_is_what_is_expected_sorted_by_bytes(sandbox: Sandbox, bucket: oss2.Bucket, name: str) -> None:
    sandbox.generate(BUCKET, **DATASETS[name])
    expected = sandbox.expected(BUCKET)
    found = listed(bucket)
    assert [entry.key for entry in found] == list(expected)
    assert len(found) == DATASETS[name]["count"]
    assert [(entry.size, entry.storage_class) for entry in found] == [
        (row.size, row.storage_class) for row in expected.values()
    ]
    keys = [entry.key.encode() for entry in found]
    assert keys == sorted(set(keys))
    assert all(len(key) <= 1023 for key in keys)
    assert [entry.key for entry in itertools.islice(oss2.ObjectIterator(bucket, max_keys=999), 5000)] == list(expected)


def test_the_same_seed_gives_the_same_bucket_and_another_seed_another() -> None:
    assert all_keys(count=3_000) == all_keys(count=3_000)
    assert all_keys(count=3_000, seed=2) != all_keys(count=3_000)


@pytest.mark.parametrize("name", ["very dirty", "dated", "at the root"])
def test_a_seek_from_anywhere_finds_the_same_rest(sandbox: Sandbox, bucket: oss2.Bucket, name: str) -> None:
    sandbox.generate(BUCKET, **DATASETS[name])
    keys = list(sandbox.expected(BUCKET))
    starts = [*keys[::97], keys[0][:-1], keys[-1], "\x01", "zzz", "\uffff", *(key + "\x01" for key in keys[::211])]
    for start in starts:
        rest = [key for key in keys if key.encode() > start.encode()][:20]
        page = bucket.list_objects_v2(start_after=start, max_keys=20)
        assert [entry.key for entry in page.object_list] == rest, start
    for key in keys[::41]:
        assert bucket.head_object(key).content_length == sandbox.expected(BUCKET, key)[key].size


@pytest.mark.parametrize("prefix", ["", "interviews/", "interviews/2026-11-03/", "interviews/2026-11-0", "nothing/"])
@pytest.mark.parametrize("max_keys", [3, 1000])
def test_a_delimiter_sees_every_folder_once(sandbox: Sandbox, bucket: oss2.Bucket, prefix: str, max_keys: int) -> None:
    sandbox.generate(BUCKET, **DATASETS["dated"])
    below = [key for key in sandbox.expected(BUCKET) if key.startswith(prefix)]
    folders = {key[: key.index("/", len(prefix)) + 1] for key in below if "/" in key[len(prefix) :]}
    files = {key for key in below if "/" not in key[len(prefix) :]}
    found = list(oss2.ObjectIteratorV2(bucket, prefix=prefix, delimiter="/", max_keys=max_keys))
    assert sorted(entry.key for entry in found) == sorted(folders | files)
    assert {entry.key for entry in found if entry.is_prefix()} == folders


def test_dates_are_folders_and_times_of_their_objects(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, **DATASETS["dated"])
    days = [entry.key for entry in oss2.ObjectIteratorV2(bucket, prefix="interviews/", delimiter="/")]
    assert days == [f"interviews/2026-11-0{day}/" for day in range(1, 8)]
    text = bucket._do("GET", BUCKET, "", params={"list-type": "2", "prefix": days[2], "max-keys": "50"}).read()
    assert text.count(b"<LastModified>2026-11-03T") == 50


def test_the_dirt_of_real_life_is_all_there() -> None:
    keys = all_keys(count=20_000)
    text = "\n".join(keys)
    for mark in "+%#?&=;'\" 采🎬":
        assert mark in text, mark
    names = [key.rsplit("/", 1)[-1] for key in keys]
    for ending in (".MP4", ".txt", ".jpg", ".m3u8", ".ts", ".mp3"):
        assert any(name.endswith(ending) for name in names), ending
    assert any(key.endswith("/") for key in keys), "folder markers"
    assert any(name and "." not in name for name in names), "names without an extension"
    assert any("%41" in key for key in keys), "literal percent sequences"
    lengths = [len(url_of(key)) for key in keys if "long-" in key]
    assert min(lengths) <= 1024 < max(lengths), "long URLs on both sides of the limit"
    assert max(len(key.encode()) for key in keys) > 1000


def test_shares_are_about_what_was_asked_for(sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, 10_000, hls=0.3, archived=0.2, missing=0.1)
    rows = list(sandbox.expected(BUCKET).values())
    assert 0.25 < sum("/stream-" in row.key for row in rows) / 10_000 < 0.33
    assert 0.17 < sum("Archive" in row.storage_class for row in rows) / 10_000 < 0.23
    assert 0.08 < sum(row.missing for row in rows) / 10_000 < 0.12
    assert any(row.size == 0 for row in rows)


def test_plain_means_plain_ascii_mp4() -> None:
    assert all(key.isascii() and key.endswith(".mp4") and " " not in key for key in all_keys(count=3_000, dirt=0))


def test_a_missing_key_is_listed_and_fails_to_register(sandbox: Sandbox, register: Register) -> None:
    sandbox.generate(BUCKET, 50, dirt=0, missing=0.3)
    expected = sandbox.expected(BUCKET)
    failed: list[str] = []
    keys = list(expected)
    for start in range(0, 50, 10):
        failed += register(*keys[start : start + 10]).failed_file_urls
    missing = [url_of(row.key).replace("https", "http") for row in expected.values() if row.missing]
    assert failed == missing
    assert 5 <= len(missing) <= 25


def test_every_dirty_key_registers_under_its_own_name(sandbox: Sandbox, register: Register) -> None:
    sandbox.generate(BUCKET, 400, dirt=3, long_keys=0.03)
    sandbox.settings(quotas={"RegisterMedia": None})
    legal = [key for key in sandbox.expected(BUCKET) if len(url_of(key)) <= 1024]
    failed = []
    for start in range(0, len(legal), 10):
        failed += register(*legal[start : start + 10]).failed_file_urls
    assert len(sandbox.truth(BUCKET)) + len(failed) == len(legal)
    assert set(sandbox.truth(BUCKET)) <= set(legal)
    assert 0 < len(failed) < 0.3 * len(legal), "only names without a valid extension fail"


def test_uploads_and_deletions_lie_over_what_is_generated(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, 2_500, prefix="", dates={"from": "2026-11-01", "days": 3})
    keys = list(sandbox.expected(BUCKET))
    bucket.put_object(keys[7], b"new content")
    bucket.put_object("2026-11-02/~last.mp4", b"x")
    bucket.delete_object(keys[3])
    bucket.batch_delete_objects([key for key in keys if key.startswith("2026-11-03/")][:1000])
    left = list(sandbox.expected(BUCKET))
    assert [entry.key for entry in listed(bucket)] == left
    assert keys[3] not in left
    assert "2026-11-02/~last.mp4" in left
    assert bucket.get_object(keys[7]).read() == b"new content"
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.get_object(keys[3])
    days = [entry.key for entry in oss2.ObjectIteratorV2(bucket, delimiter="/")]
    assert days == ["2026-11-01/", "2026-11-02/"]
    bucket.delete_object(keys[7])
    assert keys[7] not in sandbox.expected(BUCKET), "an upload hid the generated object, deleting removes both"


def test_generated_content_is_deterministic_and_of_the_listed_size(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, 20, dirt=0, size={"median": 200_000})
    key = next(iter(sandbox.expected(BUCKET)))
    whole = bucket.get_object(key).read()
    assert len(whole) == bucket.head_object(key).content_length == sandbox.expected(BUCKET)[key].size
    assert bucket.get_object(key, byte_range=(65_500, 65_600)).read() == whole[65_500:65_601]


def test_a_hundred_million_keys_cost_no_memory() -> None:
    config = {"buckets": [{"generate": {"count": 100_000_000, "dates": {"from": "2026-01-01", "days": 365}}}]}
    gc.collect()
    tracemalloc.start()
    world = World(SandboxConfig.model_validate(config))
    bucket = world.bucket(BUCKET)
    assert bucket.dataset is not None
    start = bucket.dataset.folder(50_000)
    page = [key for key, _ in itertools.islice(bucket.scan(start), 1000)]
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert page == sorted(page)
    assert page[0].startswith("archive/2026-07-0")
    assert peak < 3_000_000, f"{peak} bytes at the peak, {held} held"


def test_a_registered_plain_file_costs_at_most_400_bytes() -> None:
    library = Library()
    gc.collect()
    tracemalloc.start()
    for number in range(20_000):
        registration = Registration(
            title=f"clip-{number:05d} of the archive",
            extras=NO_EXTRAS,
            options=CallOptions(template_group_id="VOD_NO_TRANSCODE"),
            file_url=None,
            at=float(number // 10),
            size=80_000_000 + number,
            source="mp4",
        )
        library.add(
            BUCKET, f"archive/2026-11-01/{number // 1000:05d}-interviews/clip-{number:05d}.mp4", registration, ""
        )
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / 20_000 <= 400


@pytest.mark.parametrize(
    ("prefix", "beyond"),
    [("a/", "a0"), ("", ""), ("\U0010ffff", ""), ("a\U0010ffff", "b"), ("\ud7ff", "\ue000"), ("é", "ê")],
)
def test_the_key_after_all_keys_of_a_prefix(prefix: str, beyond: str) -> None:
    assert after_all(prefix) == beyond
