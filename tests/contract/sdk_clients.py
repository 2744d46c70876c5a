"""The real SDKs, pointed at a sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import oss2
import pytest
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_vod20170321.client import Client

from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"
Register = Callable[..., Any]
HOST = f"{BUCKET}.oss-cn-shanghai.aliyuncs.com"


def url_of(key: str, host: str = HOST) -> str:
    return f"https://{host}/{quote(key, safe='/~')}"


def v4_bucket(sandbox: Sandbox, name: str = BUCKET, **credentials: str) -> oss2.Bucket:
    provider = oss2.credentials.StaticCredentialsProvider(
        credentials.get("access_key_id", sandbox.access_key_id),
        credentials.get("access_key_secret", sandbox.access_key_secret),
        credentials.get("token", ""),
    )
    return oss2.Bucket(oss2.ProviderAuthV4(provider), sandbox.endpoint, name, region=sandbox.region)


def vod_client(sandbox: Sandbox, **config: Any) -> Client:
    defaults = {
        "endpoint": sandbox.host,
        "protocol": "HTTP",
        "region_id": sandbox.region,
        "access_key_id": sandbox.access_key_id,
        "access_key_secret": sandbox.access_key_secret,
    }
    return Client(Config(**{**defaults, **config}))


def refusal_of(call: Any, request: Any) -> tuple[int, str]:
    """Status and code of a VOD call that is refused."""
    with pytest.raises(ClientException) as refused:
        call(request)
    return refused.value.status_code, refused.value.code


def register_described(sandbox: Sandbox, register: Register, key: str) -> str:
    """Registers a file with everything that can be said about it. Returns its MediaId."""
    metadata = {
        "FileURL": url_of(key),
        "Title": "title",
        "Description": "words",
        "Tags": "a,b",
        "CoverURL": "https://c/1.jpg",
        "CateId": sandbox.add_category("Interviews"),
        "ReferenceId": "reference-1",
    }
    reply = register(metadata, template_group_id="VOD_NO_TRANSCODE", user_data='{"Extend": {}}')
    return str(reply.registered_media_list[0].media_id)
