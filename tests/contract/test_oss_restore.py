"""RestoreObject, and what a restore changes in HeadObject, GetObject, the listings and RegisterMedia."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import oss2
import pytest
from oss2.models import RestoreConfiguration, RestoreJobParameters
from sdk_clients import BUCKET, Register

from vod_migrate.sandbox.pytest_plugin import Sandbox

DAY_S = 86_400


def restore(bucket: oss2.Bucket, days: int | None = None, tier: str | None = None) -> Any:
    job = None if tier is None else RestoreJobParameters(tier)
    return bucket.restore_object("a.mp4", input=None if days is None else RestoreConfiguration(days, job))


def restore_header(bucket: oss2.Bucket) -> str | None:
    header: str | None = bucket.head_object("a.mp4").headers.get("x-oss-restore")
    return header


def refusal(act: Any) -> tuple[int, str]:
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        act()
    return refused.value.status, refused.value.code


def listed_restore_infos(bucket: oss2.Bucket) -> set[str | None]:
    return {
        bucket.list_objects().object_list[0].restore_info,
        bucket.list_objects_v2().object_list[0].restore_info,
        bucket.list_object_versions().versions[0].restore_info,
    }


def test_an_archived_object_is_restored_readable_for_its_days_and_archived_again(
    sandbox: Sandbox, bucket: oss2.Bucket
) -> None:
    sandbox.put(BUCKET, "a.mp4", b"film", storage_class="Archive")
    assert restore_header(bucket) is None
    assert listed_restore_infos(bucket) == {None}

    assert restore(bucket).status == 202
    assert restore_header(bucket) == 'ongoing-request="true"'
    assert listed_restore_infos(bucket) == {'ongoing-request="true"'}
    assert refusal(lambda: bucket.get_object("a.mp4")) == (403, "InvalidObjectState")
    with pytest.raises(oss2.exceptions.RestoreAlreadyInProgress):
        restore(bucket)

    sandbox.settings(fast_forward_s=61)
    [described] = listed_restore_infos(bucket)
    assert described is not None
    assert described == restore_header(bucket)
    assert described.startswith('ongoing-request="false", expiry-date="')
    assert bucket.get_object("a.mp4").read() == b"film"
    assert bucket.head_object("a.mp4").headers["x-oss-storage-class"] == "Archive"

    sandbox.settings(fast_forward_s=61 + DAY_S)
    assert restore_header(bucket) is None
    assert listed_restore_infos(bucket) == {None}
    assert refusal(lambda: bucket.get_object("a.mp4")) == (403, "InvalidObjectState")
    assert restore(bucket).status == 202


def test_a_repeated_restore_adds_days_up_to_the_limit_of_the_class(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    def expiry() -> float:
        return parsedate_to_datetime(str(restore_header(bucket)).split('"')[3]).timestamp()

    sandbox.settings(restore_s={"Archive": 0})
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    restore(bucket, days=2)
    first = expiry()
    assert restore(bucket, days=3).status == 200
    assert expiry() == first + 3 * DAY_S
    assert restore(bucket, days=7).status == 200
    assert expiry() == first + 5 * DAY_S


@pytest.mark.parametrize(
    ("storage_class", "tier", "seconds"),
    [
        ("ColdArchive", "Expedited", 3_600),
        ("ColdArchive", "Standard", 18_000),
        ("ColdArchive", None, 18_000),
        ("ColdArchive", "Bulk", 43_200),
        ("DeepColdArchive", "Expedited", 43_200),
        ("DeepColdArchive", "Standard", 172_800),
    ],
)
def test_the_tier_decides_how_long_a_restore_takes(
    sandbox: Sandbox, bucket: oss2.Bucket, storage_class: str, tier: str | None, seconds: int
) -> None:
    sandbox.put(BUCKET, "a.mp4", storage_class=storage_class)
    assert restore(bucket, days=365, tier=tier).status == 202
    sandbox.settings(fast_forward_s=seconds - 60)
    assert restore_header(bucket) == 'ongoing-request="true"'
    sandbox.settings(fast_forward_s=seconds)
    assert str(restore_header(bucket)).startswith('ongoing-request="false"')
    again = restore(bucket, days=1, tier=tier)
    assert (again.status, again.headers["x-oss-object-restore-priority"]) == (200, tier or "Standard")


def test_the_priority_of_a_restore_in_progress_can_only_be_raised(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.put(BUCKET, "a.mp4", storage_class="ColdArchive")
    restore(bucket, days=1, tier="Standard")
    for tier in ("Standard", "Bulk"):
        with pytest.raises(oss2.exceptions.RestoreAlreadyInProgress):
            restore(bucket, days=1, tier=tier)
    assert restore(bucket, days=1, tier="Expedited").status == 202
    sandbox.settings(fast_forward_s=3_600)
    assert bucket.get_object("a.mp4").read()


@pytest.mark.parametrize(
    ("storage_class", "days", "tier", "code"),
    [
        pytest.param("Standard", 1, None, "OperationNotSupported", id="not archived"),
        pytest.param("IA", 1, None, "OperationNotSupported", id="infrequent access is not archived"),
        pytest.param("Archive", 0, None, "MalformedXML", id="no days"),
        pytest.param("Archive", 8, None, "MalformedXML", id="more days than Archive allows"),
        pytest.param("Archive", 1, "Standard", "MalformedXML", id="Archive has no tiers"),
        pytest.param("ColdArchive", 366, "Bulk", "MalformedXML", id="more than a year"),
        pytest.param("ColdArchive", None, None, "MalformedXML", id="Cold Archive needs its days"),
        pytest.param("ColdArchive", 1, "Test", "MalformedXML", id="unknown tier"),
        pytest.param("DeepColdArchive", 1, "Bulk", "MalformedXML", id="Deep Cold Archive has no Bulk"),
    ],
)
def test_a_restore_that_breaks_a_rule_is_refused(
    sandbox: Sandbox, bucket: oss2.Bucket, storage_class: str, days: int | None, tier: str | None, code: str
) -> None:
    sandbox.put(BUCKET, "a.mp4", storage_class=storage_class)
    assert refusal(lambda: restore(bucket, days, tier)) == (400, code)
    assert restore_header(bucket) is None


def test_a_restore_of_nothing_and_of_another_version_is_not_found(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    assert refusal(lambda: restore(bucket)) == (404, "NoSuchKey")
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    other = {"versionId": "CAEQNhiBgMDJgZCA0BYiIDc4MGZjZGI2"}
    assert refusal(lambda: bucket.restore_object("a.mp4", params=other)) == (404, "NoSuchVersion")
    assert bucket.restore_object("a.mp4", params={"versionId": "null"}).status == 202


@pytest.mark.parametrize("body", [b"<RestoreRequest><Days>2</Days><Type/></RestoreRequest>", b"<RestoreReq", b"<A/>"])
def test_a_restore_with_other_xml_is_refused(sandbox: Sandbox, bucket: oss2.Bucket, body: bytes) -> None:
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    act = lambda: bucket._do("POST", BUCKET, "a.mp4", params={"restore": ""}, data=body)  # noqa: E731
    assert refusal(act) == (400, "MalformedXML")


def test_a_new_upload_has_no_restored_copy(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.settings(restore_s={"Archive": 0})
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    restore(bucket)
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    assert restore_header(bucket) is None
    restore(bucket)
    bucket.delete_object("a.mp4")
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    assert restore_header(bucket) is None


def test_a_generated_object_is_restored_like_an_upload(sandbox: Sandbox, bucket: oss2.Bucket) -> None:
    sandbox.generate(BUCKET, 20, dirt=0, archived=1)
    sandbox.settings(restore_s={"Archive": 0})
    keys = [found.key for found in bucket.list_objects_v2().object_list if found.storage_class == "Archive"]
    bucket.restore_object(keys[0])
    restored = [found.key for found in bucket.list_objects_v2().object_list if found.restore_info]
    assert restored == [keys[0]]
    assert len(bucket.get_object(keys[0], byte_range=(0, 9)).read()) == 10


def test_vod_reads_a_restored_copy(sandbox: Sandbox, bucket: oss2.Bucket, register: Register) -> None:
    sandbox.settings(archived_file="failed")
    sandbox.put(BUCKET, "a.mp4", storage_class="Archive")
    assert register("a.mp4").registered_media_list == []
    restore(bucket)
    assert register("a.mp4").registered_media_list == []
    sandbox.settings(fast_forward_s=61)
    assert len(register("a.mp4").registered_media_list) == 1
