from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import oss2
import pytest
import requests
from sdk_clients import BUCKET

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import AccountConfig, CredentialConfig, SandboxConfig

VERSIONS = [oss2.ProviderAuth, oss2.ProviderAuthV4]
KEY = "中文 a+b%41?&=;#.mp4"


def bucket_of(
    sandbox: Sandbox, version: type, secret: str | None = None, token: str = "", **bucket: Any
) -> oss2.Bucket:
    provider = oss2.credentials.StaticCredentialsProvider(
        bucket.pop("access_key_id", sandbox.access_key_id), secret or sandbox.access_key_secret, token
    )
    return oss2.Bucket(version(provider), sandbox.endpoint, BUCKET, **{"region": sandbox.region, **bucket})


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_sign_every_kind_of_request(sandbox: Sandbox, version: type) -> None:
    bucket = bucket_of(sandbox, version)
    bucket.put_object(KEY, b"x", headers={"x-oss-meta-b": "2", "x-oss-meta-a": "1", "Content-Type": "video/mp4"})
    assert bucket.get_object(KEY, byte_range=(0, 0)).read() == b"x"
    assert [found.key for found in oss2.ObjectIteratorV2(bucket, prefix="中文 a+", max_keys=1)] == [KEY]
    assert bucket.get_bucket_info().name == BUCKET
    bucket.batch_delete_objects([KEY])
    assert oss2.Service(bucket.auth, sandbox.endpoint, region=sandbox.region).list_buckets().buckets[0].name == BUCKET


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_secret_and_an_unknown_key_are_told_apart(sandbox: Sandbox, version: type) -> None:
    with pytest.raises(oss2.exceptions.SignatureDoesNotMatch):
        bucket_of(sandbox, version, secret="wrong").list_objects_v2()
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket_of(sandbox, version, access_key_id="nobody").list_objects_v2()
    assert (refused.value.status, refused.value.code) == (403, "InvalidAccessKeyId")


def _other_token(request: Any) -> None:
    request.params["continuation-token"] = "other"


def _other_header(request: Any) -> None:
    request.headers["x-oss-meta-added"] = "later"


def _other_method(request: Any) -> None:
    request.method = "DELETE"


def _other_prefix(request: Any) -> None:
    request.params["prefix"] = "other"


@pytest.mark.parametrize(
    ("version", "tamper"),
    [
        (oss2.ProviderAuth, _other_token),
        (oss2.ProviderAuth, _other_header),
        (oss2.ProviderAuth, _other_method),
        (oss2.ProviderAuthV4, _other_token),
        (oss2.ProviderAuthV4, _other_header),
        (oss2.ProviderAuthV4, _other_method),
        (oss2.ProviderAuthV4, _other_prefix),
    ],
)
def test_what_was_changed_after_signing_is_refused(
    sandbox: Sandbox, version: type, tamper: Callable[[Any], None]
) -> None:
    class Tampered(version):  # type: ignore[misc]
        def _sign_request(self, req: Any, *rest: Any, **more: Any) -> None:
            super()._sign_request(req, *rest, **more)
            tamper(req)

    with pytest.raises(oss2.exceptions.SignatureDoesNotMatch):
        bucket_of(sandbox, Tampered).list_objects_v2()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ahead_s", [-1000, 1000])
def test_a_clock_more_than_15_minutes_off_is_refused(sandbox: Sandbox, version: type, ahead_s: int) -> None:
    sandbox.settings(clock_offset_s=ahead_s)
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket_of(sandbox, version).list_objects_v2()
    assert refused.value.code == "RequestTimeTooSkewed"
    sandbox.settings(clock_offset_s=ahead_s * 0.8)
    bucket_of(sandbox, version).list_objects_v2()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_security_token_must_be_the_right_one_and_fresh(version: type) -> None:
    temporary = CredentialConfig(
        access_key_id="STS.1",
        access_key_secret="s",
        security_token="token",
        expires=datetime.now(UTC) + timedelta(minutes=10),
    )
    config = SandboxConfig(accounts=[AccountConfig(credentials=[CredentialConfig(), temporary])])
    with Sandbox.start(config) as sandbox:

        def use(token: str) -> None:
            bucket_of(sandbox, version, access_key_id="STS.1", secret="s", token=token).list_objects_v2()

        use("token")
        for token in ("", "other"):
            with pytest.raises(oss2.exceptions.ServerError) as refused:
                use(token)
            assert refused.value.code == "InvalidSecurityToken"
        sandbox.settings(clock_offset_s=601)
        with pytest.raises(oss2.exceptions.ServerError) as expired:
            use("token")
        assert expired.value.code == "SecurityTokenExpired"


def test_a_v4_signature_for_another_region_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(oss2.exceptions.InvalidArgument, match="Invalid signing region"):
        bucket_of(sandbox, oss2.ProviderAuthV4, region="cn-beijing").list_objects_v2()


@pytest.mark.parametrize("version", VERSIONS)
def test_presigned_urls_work_until_they_expire_or_are_changed(sandbox: Sandbox, version: type) -> None:
    bucket = bucket_of(sandbox, version)
    bucket.put_object(KEY, b"x")
    url = bucket.sign_url("GET", KEY, 60)
    assert requests.get(url, timeout=5).content == b"x"
    assert requests.get(url.replace(".mp4", ".mp5"), timeout=5).status_code == 403
    sandbox.settings(clock_offset_s=61)
    assert "expired" in requests.get(url, timeout=5).text
