"""The connection type `aliyun_vod`, as Airflow's provider discovery reads it; its form needs no raw JSON."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

from vod_migrate.cloud.credentials import PROVIDERS

# A data URL needs no request, and is right below any path under which Airflow is served.
ICON = "data:image/svg+xml;base64," + b64encode((Path(__file__).parent / "icon.svg").read_bytes()).decode()
"""A blue square with a file and a play button, legible on light and on dark."""

CONNECTION_TYPE = "aliyun_vod"

REGIONS = (
    "cn-shanghai",
    "cn-beijing",
    "cn-shenzhen",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-5",
    "eu-central-1",
    "us-west-1",
)
"""Suggestions only, any region may be typed (VOD service endpoints page, read 2026-11)."""


def _field(label: str, description: str, kind: str = "string", **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "region": _field(
        "Region",
        "Region of the VOD service and of the buckets. Choose one or enter another.",
        examples=list(REGIONS),
    ),
    "security_token": _field("STS token", "Only with a temporary AccessKey.", format="password"),
    "credential_provider": _field(
        "Credential provider",
        "Instead of an AccessKey: the source of credentials for alibabacloud-credentials.",
        enum=["", *PROVIDERS],
    ),
    "role_arn": _field("Role ARN", "For ram_role_arn and oidc_role_arn: acs:ram::<account>:role/<name>."),
    "oss_endpoint": _field(
        "OSS endpoint",
        "With scheme; empty: the public endpoint of the region. Listing through an internal endpoint costs no traffic.",
    ),
    "vod_endpoint": _field("VOD endpoint", "With scheme; empty: the endpoint of the region."),
    "account": _field(
        "Account name",
        "Connections with the same name share a quota and results; give each cloud account its own name.",
    ),
    "calls_per_second": _field(
        "Calls per second",
        "The account's rate for RegisterMedia, shared by all workers. Empty: 47; VOD allows 50.",
        "number",
        exclusiveMinimum=0,
        maximum=1000,
    ),
}


def get_provider_info() -> dict[str, Any]:
    """What Airflow shows under Admin → Connections → type ApsaraVideo VOD."""
    return {
        "package-name": "vod-migrate",
        "name": "ApsaraVideo VOD",
        "description": "Registers OSS archives in ApsaraVideo VOD.",
        "integrations": [
            {
                "integration-name": "ApsaraVideo VOD",
                "external-doc-url": "https://www.alibabacloud.com/help/en/vod/",
                "logo": ICON,
                "tags": ["service"],
            }
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-name": "ApsaraVideo VOD",
                "hook-class-name": "vod_migrate.airflow.hook.VodHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "host", "extra"],
                    "relabeling": {"login": "AccessKey ID", "password": "AccessKey secret"},
                    "placeholders": {"login": "LTAI…", "password": "empty with a credential provider"},
                },
                "conn-fields": CONNECTION_FIELDS,
            }
        ],
    }
