"""The connection type `aliyun_vod`, as Airflow's provider discovery reads it; its form needs no raw JSON."""

from __future__ import annotations

from typing import Any

from vod_migrate.airflow.icon import ICON

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

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "region": {
        "label": "Region",
        "description": "Region of the VOD service and of the buckets. Choose one or enter another.",
        "schema": {"type": ["string", "null"], "examples": list(REGIONS)},
    },
    "security_token": {
        "label": "STS token",
        "description": "Only with a temporary AccessKey.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "credential_provider": {
        "label": "Credential provider",
        "description": "Instead of an AccessKey: the source of credentials for alibabacloud-credentials.",
        "schema": {
            "type": ["string", "null"],
            "enum": ["", "default", "ecs_ram_role", "ram_role_arn", "oidc_role_arn", "credentials_uri"],
        },
    },
    "role_arn": {
        "label": "Role ARN",
        "description": "For ram_role_arn and oidc_role_arn: acs:ram::<account>:role/<name>.",
        "schema": {"type": ["string", "null"]},
    },
    "oss_endpoint": {
        "label": "OSS endpoint",
        "description": "With scheme; empty: the public endpoint of the region. Listing through an internal endpoint costs no traffic.",
        "schema": {"type": ["string", "null"]},
    },
    "vod_endpoint": {
        "label": "VOD endpoint",
        "description": "With scheme; empty: the endpoint of the region.",
        "schema": {"type": ["string", "null"]},
    },
    "account": {
        "label": "Account name",
        "description": "Connections with the same name share a quota and results; give each cloud account its own name.",
        "schema": {"type": ["string", "null"]},
    },
    "calls_per_second": {
        "label": "Calls per second",
        "description": "The account's rate for RegisterMedia, shared by all workers. Empty: 47; VOD allows 50.",
        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1000},
    },
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
