from __future__ import annotations

import json
import logging
from typing import Any

import oss2
import pytest
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client
from sdk_clients import Register, url_of, v4_bucket, vod_client

from vod_migrate.sandbox.pytest_plugin import Sandbox


@pytest.fixture(autouse=True)
def quiet_sdk(caplog: pytest.LogCaptureFixture) -> None:
    """At INFO, which Airflow turns on where it is imported, the SDK logs each signature that was refused."""
    caplog.set_level(logging.WARNING, logger="oss2")


@pytest.fixture
def bucket(sandbox: Sandbox) -> oss2.Bucket:
    return v4_bucket(sandbox)


@pytest.fixture
def vod(sandbox: Sandbox) -> Client:
    return vod_client(sandbox)


@pytest.fixture
def register(vod: Client) -> Register:
    """Registers items (dicts), keys (strings) or a raw JSON text; returns the SDK's response body."""

    def call(*items: Any, raw: str | None = None, **request: Any) -> Any:
        metadatas = [{"FileURL": url_of(item), "Title": "t"} if isinstance(item, str) else item for item in items]
        text = json.dumps(metadatas) if raw is None else raw
        return vod.register_media(models.RegisterMediaRequest(register_metadatas=text, **request)).body

    return call
