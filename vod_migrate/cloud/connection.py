"""How to reach one account: region, endpoints, credentials, and the name under which workers share its quota.

On the command line it comes from the environment, in Airflow from a connection of type `aliyun_vod`. Both make the same
object, and both refuse what cannot work before anything is sent.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from vod_migrate.cloud.credentials import Credentials, credentials_from
from vod_migrate.cloud.location import service_host
from vod_migrate.errors import BadSetting

DEFAULT_ACCOUNT = "default"
_REGION = re.compile(r"[a-z]{2}-[a-z0-9-]{2,30}")
_SECRETS = {"access_key_id", "access_key_secret", "security_token", "role_arn"}
_ENVIRONMENT = {
    "access_key_id": "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "access_key_secret": "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "security_token": "ALIBABA_CLOUD_SECURITY_TOKEN",
    "credential_provider": "VOD_MIGRATE_CREDENTIALS",
    "role_arn": "ALIBABA_CLOUD_ROLE_ARN",
    "region": "VOD_MIGRATE_REGION",
    "oss_endpoint": "VOD_MIGRATE_OSS_ENDPOINT",
    "vod_endpoint": "VOD_MIGRATE_VOD_ENDPOINT",
    "account": "VOD_MIGRATE_ACCOUNT",
    "calls_per_second": "VOD_MIGRATE_CALLS_PER_SECOND",
}


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One account as one set of credentials sees it.

    account: the name under which all workers share quota and results.
    oss_endpoint, vod_endpoint: with scheme; any server that speaks the protocols. An empty vod_endpoint is the SDK's own for
    the region (several regions share one).
    calls_per_second: the account's rate, None for the default or what the quota row already says.
    """

    account: str
    region: str
    credentials: Credentials
    oss_endpoint: str
    vod_endpoint: str
    calls_per_second: float | None = None

    def storage_address(self, bucket: str) -> str:
        """The bucket's public host, as FileURL needs it whatever endpoint is listed through."""
        return f"{bucket}.oss-{self.region}.aliyuncs.com"


def connection_from_environment(environ: Mapping[str, str] | None = None) -> Connection:
    """The connection for the command line.

    Raises:
        BadSetting: naming the variable and the fix.
    """
    values = os.environ if environ is None else environ
    fields = {name: values.get(variable, "") for name, variable in _ENVIRONMENT.items()}
    return connection_from_fields(fields, origin="the environment", names=_ENVIRONMENT)


def connection_from_fields(
    fields: Mapping[str, Any], *, origin: str, names: Mapping[str, str] | None = None
) -> Connection:
    """A connection from named fields; empty ones count as not given.

    names: what each field is called where a person sets it, for errors.

    Raises:
        BadSetting: naming the field and the fix.
    """
    given = {name: str(value).strip() for name, value in fields.items() if value is not None and str(value).strip()}
    called = names or {}
    unknown = sorted(set(given) - set(_ENVIRONMENT))
    if unknown:
        raise BadSetting(f"{origin} has unknown fields {', '.join(unknown)}; known: {', '.join(_ENVIRONMENT)}")

    def name_of(name: str) -> str:
        return called.get(name, name)

    for name in _SECRETS & given.keys():
        check_ascii(given[name], name=name_of(name), origin=origin)
    region = given.get("region", "")
    if not region:
        raise BadSetting(f"{name_of('region')} is missing in {origin}: set the VOD region, e.g. cn-shanghai")
    if not _REGION.fullmatch(region):
        raise BadSetting(f"{name_of('region')} is {region!r} in {origin}: a region looks like cn-shanghai")
    return Connection(
        account=given.get("account", DEFAULT_ACCOUNT),
        region=region,
        credentials=credentials_from(given, origin=origin, name_of=name_of),
        oss_endpoint=_endpoint(
            given.get("oss_endpoint") or f"https://oss-{region}.aliyuncs.com", name_of("oss_endpoint"), origin
        ),
        vod_endpoint=_endpoint(given["vod_endpoint"], name_of("vod_endpoint"), origin)
        if "vod_endpoint" in given
        else "",
        calls_per_second=_rate(given.get("calls_per_second"), name_of("calls_per_second"), origin),
    )


def check_ascii(value: str, *, name: str, origin: str) -> None:
    """Refuses what no AccessKey, secret or token holds; shows the character, never the value."""
    for place, character in enumerate(value, start=1):
        if not "!" <= character <= "~":
            called = unicodedata.name(character, "a control character")
            raise BadSetting(
                f"{name} in {origin} holds U+{ord(character):04X} ({called}) as character {place} of {len(value)}: it may contain "
                "only printable ASCII characters; copy it again"
            )


def _endpoint(value: str, name: str, origin: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise BadSetting(f"{name} is {value!r} in {origin}, which is not an address: {error}") from None
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise BadSetting(
            f"{name} has a user name in {origin}: credentials have their own fields, so write only scheme and host"
        )
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.fragment:
        bare = host or value.partition("://")[2].partition("/")[0] or value.partition("/")[0]
        raise BadSetting(f"{name} is {value!r} in {origin}: write it with scheme and host only, e.g. https://{bare}")
    if any(character.isspace() for character in parts.netloc) or port == 0:
        raise BadSetting(
            f"{name} is {value!r} in {origin}, which is not an address: write it like https://host or https://host:port"
        )
    if bucket := service_host(host):
        raise BadSetting(
            f"{name} names the bucket {bucket!r} in {origin}: an endpoint serves all buckets; write "
            f"{parts.scheme}://{host.partition('.')[2]}, and the bucket in source.bucket of the migration file"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _rate(value: str | None, name: str, origin: str) -> float | None:
    if value is None:
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1000:  # noqa: PLR2004 - far above any quota
        raise BadSetting(f"{name} is {value!r} in {origin}: give calls per second between 0 and 1000, e.g. 47")
    return rate
