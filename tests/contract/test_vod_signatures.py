from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import OpenApiRequest, Params
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from darabonba.runtime import RuntimeOptions
from sdk_clients import BUCKET, url_of, vod_client

from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.settings import AccountConfig, CredentialConfig, SandboxConfig

SIGNATURES = [{}, {"signature_algorithm": "v2"}]
TITLE = "标题 a+b&c=d~e*f'g(h)%41 ?#;/"


def list_groups(client: Client) -> Any:
    return client.list_transcode_template_group(models.ListTranscodeTemplateGroupRequest()).body


@pytest.mark.parametrize("signature", SIGNATURES)
def test_both_signatures_are_verified_over_every_character(sandbox: Sandbox, signature: dict[str, str]) -> None:
    sandbox.put(BUCKET, "a.mp4")
    text = f'[{{"FileURL": "{url_of("a.mp4")}", "Title": "{TITLE}"}}]'
    request = models.RegisterMediaRequest(register_metadatas=text)
    vod_client(sandbox, **signature).register_media(request)
    assert sandbox.truth(BUCKET)["a.mp4"].title == TITLE


@pytest.mark.parametrize("signature", SIGNATURES)
def test_parameters_may_come_in_a_form_body(sandbox: Sandbox, signature: dict[str, str]) -> None:
    sandbox.put(BUCKET, "a.mp4")
    params = Params(
        action="RegisterMedia", version="2017-03-21", protocol="HTTP", pathname="/", method="POST", auth_type="AK",
        style="RPC", req_body_type="formData", body_type="json",
    )  # fmt: skip
    body = {"RegisterMetadatas": f'[{{"FileURL": "{url_of("a.mp4")}", "Title": "{TITLE}"}}]'}
    vod_client(sandbox, **signature).call_api(params, OpenApiRequest(body=body), RuntimeOptions())
    assert sandbox.truth(BUCKET)["a.mp4"].title == TITLE


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize(
    ("credentials", "status", "code"),
    [
        ({"access_key_secret": "wrong"}, 400, "SignatureDoesNotMatch"),
        ({"access_key_id": "nobody"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"security_token": "made-up"}, 400, "InvalidSecurityToken.Malformed"),
    ],
)
def test_wrong_credentials_are_told_apart(
    sandbox: Sandbox, signature: dict[str, str], credentials: dict[str, str], status: int, code: str
) -> None:
    with pytest.raises(ClientException) as refused:
        list_groups(vod_client(sandbox, **signature, **credentials))
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert refused.value.request_id


def _other_query(request: Any) -> None:
    request.query["TemplateGroupId"] = "VOD_NO_TRANSCODE"


def _other_action(request: Any) -> None:
    request.headers["x-acs-action"] = "GetCategories"


def _other_date(request: Any) -> None:
    request.headers["x-acs-date"] = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("tamper", [_other_query, _other_action, _other_date])
def test_what_was_changed_after_signing_is_refused(
    vod: Client, monkeypatch: pytest.MonkeyPatch, tamper: Callable[[Any], None]
) -> None:
    sign = Utils.get_authorization

    def sign_and_tamper(request: Any, *rest: Any) -> str:
        signature: str = sign(request, *rest)
        tamper(request)
        return signature

    monkeypatch.setattr(Utils, "get_authorization", staticmethod(sign_and_tamper))
    with pytest.raises(ClientException) as refused:
        list_groups(vod)
    assert refused.value.code == "SignatureDoesNotMatch"


def test_a_header_that_matters_must_be_signed(sandbox: Sandbox) -> None:
    headers = {
        "x-acs-action": "GetCategories",
        "Authorization": "ACS3-HMAC-SHA256 Credential=LTAI-sandbox,SignedHeaders=host,Signature=00",
    }
    reply = requests.post(sandbox.endpoint, headers=headers, timeout=5)
    assert (reply.status_code, reply.json()["Code"]) == (400, "IncompleteSignature")


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_nonce_can_be_used_once(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, signature: dict[str, str]) -> None:
    monkeypatch.setattr(Utils, "get_nonce", staticmethod(lambda: "always the same"))
    client = vod_client(sandbox, **signature)
    list_groups(client)
    with pytest.raises(ClientException) as refused:
        list_groups(client)
    assert (refused.value.status_code, refused.value.code) == (400, "SignatureNonceUsed")


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("ahead_s", [-1000, 1000])
def test_a_clock_more_than_15_minutes_off_is_refused(sandbox: Sandbox, signature: dict[str, str], ahead_s: int) -> None:
    client = vod_client(sandbox, **signature)
    sandbox.settings(clock_offset_s=ahead_s)
    with pytest.raises(ClientException) as refused:
        list_groups(client)
    assert (refused.value.status_code, refused.value.code) == (400, "InvalidTimeStamp.Expired")
    sandbox.settings(clock_offset_s=ahead_s * 0.8)
    list_groups(client)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_security_token_must_be_the_right_one_and_fresh(signature: dict[str, str]) -> None:
    temporary = CredentialConfig(
        access_key_id="STS.1",
        access_key_secret="s",
        security_token="token",
        expires=datetime.now(UTC) + timedelta(minutes=10),
    )
    with Sandbox.start(SandboxConfig(accounts=[AccountConfig(credentials=[temporary])])) as sandbox:
        assert sandbox.environment["ALIBABA_CLOUD_SECURITY_TOKEN"] == "token"
        list_groups(vod_client(sandbox, security_token="token", **signature))
        for token, code in ((None, "MissingSecurityToken"), ("other", "InvalidSecurityToken.Malformed")):
            with pytest.raises(ClientException) as refused:
                list_groups(vod_client(sandbox, security_token=token, **signature))
            assert refused.value.code == code
        sandbox.settings(clock_offset_s=601)
        with pytest.raises(ClientException) as expired:
            list_groups(vod_client(sandbox, security_token="token", **signature))
        assert expired.value.code == "InvalidSecurityToken.Expired"


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (AccountConfig(deny=["vod:ListTranscode*"]), "Forbidden.RAM"),
        (AccountConfig(credentials=[CredentialConfig(deny=["vod:*"])]), "Forbidden.RAM"),
        (AccountConfig(suspended=True), "OperationDenied.Suspended"),
        (AccountConfig(activated=False), "OperationDenied"),
    ],
)
def test_what_an_account_may_not_do_is_forbidden(account: AccountConfig, code: str) -> None:
    with Sandbox.start(SandboxConfig(accounts=[account])) as sandbox:
        with pytest.raises(ClientException) as refused:
            list_groups(vod_client(sandbox))
        assert (refused.value.status_code, refused.value.code) == (403, code)


def test_an_answer_bears_the_time_of_the_sandbox(sandbox: Sandbox) -> None:
    sandbox.settings(clock_offset_s=-7_200)
    answer = requests.get(sandbox.endpoint, timeout=5)
    ahead = datetime.now(UTC) - parsedate_to_datetime(answer.headers["Date"])
    assert 7_195 < ahead.total_seconds() < 7_205


def test_an_unknown_action_is_not_found(sandbox: Sandbox) -> None:
    with pytest.raises(ClientException) as refused:
        vod_client(sandbox).delete_video(models.DeleteVideoRequest(video_ids="x"))
    assert (refused.value.status_code, refused.value.code) == (404, "InvalidAction.NotFound")
