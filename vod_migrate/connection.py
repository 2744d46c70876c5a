"""How to reach one account: region, endpoints, credentials, and the name under which workers share its quota.

By hand it comes from the environment, in Airflow from a connection of type `aliyun_vod`. Both end in the same object, and
both refuse what cannot work before anything is sent.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from vod_migrate.errors import BadSetting

__all__ = ["Connection", "CredentialSource", "Keys", "connection_from_environment", "connection_from_fields"]

PROVIDERS = ("default", "ecs_ram_role", "ram_role_arn", "oidc_role_arn", "credentials_uri")
"""The providers of alibabacloud-credentials that a connection may name besides keys of its own."""

MOST_RENEWALS = 3
"""Tokens in a row that a provider may hand out in vain before the credentials count as wrong."""
_ROLE_PROVIDER = "ram_role_arn"
DEFAULT_ACCOUNT = "default"
_REGION = re.compile(r"[a-z]{2}-[a-z0-9-]{2,30}")
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """An AccessKey at one moment; the token is '' unless it is temporary."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)


class _Renewable:
    """A provider's client, as the SDKs ask it, that can be made to forget what it caches.

    The providers of alibabacloud-credentials renew by the expiry that they were told; a service may refuse a token earlier.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._client = make()
        self._lock = threading.Lock()
        self._unproven = 0

    def __getattr__(self, name: str) -> Any:
        # Whatever an SDK asks of a client; most ask get_credential.
        return getattr(self._client, name)

    def renew(self, refused: str) -> bool:
        with self._lock:
            if self.get_credential().security_token != refused:
                return True
            fresh = self._make()
            if self._unproven >= MOST_RENEWALS or fresh.get_credential().security_token == refused:
                return False
            self._unproven += 1
            self._client = fresh
            return True

    def proven(self) -> None:
        self._unproven = 0


@dataclass(frozen=True, kw_only=True)
class CredentialSource:
    """Keys that are given, or the provider that hands them out and renews them.

    base: the keys that a provider assumes its role with.
    """

    keys: Keys | None = None
    provider: str = ""
    role_arn: str = ""
    base: Keys | None = None

    @cached_property
    def client(self) -> Any:
        """What the SDKs ask for credentials; it caches and renews what its provider gives.

        Raises:
            BadSetting: the provider cannot be set up.
        """
        from alibabacloud_credentials.client import Client  # noqa: PLC0415 - slow SDK import
        from alibabacloud_credentials.models import Config  # noqa: PLC0415 - slow SDK import

        # Its logger prints whole tracebacks with the request in them: keys, tokens and signatures.
        logging.getLogger("credentials").disabled = True
        try:
            if self.keys is not None:
                kind = "sts" if self.keys.security_token else "access_key"
                return Client(
                    Config(
                        type=kind,
                        access_key_id=self.keys.access_key_id,
                        access_key_secret=self.keys.access_key_secret,
                        security_token=self.keys.security_token or None,
                    )
                )
            if self.provider == "default":
                return _Renewable(Client)
            if self.base is not None:
                role = Config(
                    type=self.provider,
                    role_arn=self.role_arn,
                    access_key_id=self.base.access_key_id,
                    access_key_secret=self.base.access_key_secret,
                    security_token=self.base.security_token or None,
                )
                return _Renewable(lambda: Client(role))
            given = Config(type=self.provider, role_arn=self.role_arn or None)
            return _Renewable(lambda: Client(given))
        except Exception as error:
            raise BadSetting(
                f"credential provider {self.provider or 'keys'!r} cannot be used ({_kind(error)})"
            ) from error

    def renew(self, refused: Keys) -> bool:
        """Has the provider asked anew after the service refused a token; False where that gives no other one.

        Also False for keys of the connection's own, and after MOST_RENEWALS without a success in between.

        Raises:
            BadSetting: the provider gives none.
        """
        if self.keys is not None or not refused.security_token:
            return False
        try:
            return bool(self.client.renew(refused.security_token))
        except Exception as error:
            raise BadSetting(f"credential provider {self.provider!r} gives no credentials ({_kind(error)})") from error

    def proven(self) -> None:
        """The service took what is in force now."""
        if self.keys is None:
            self.client.proven()

    def current(self) -> Keys:
        """The keys in force now; may ask the provider.

        Raises:
            BadSetting: the provider gives none.
        """
        if self.keys is not None:
            return self.keys
        try:
            given = self.client.get_credential()
        except Exception as error:
            raise BadSetting(f"credential provider {self.provider!r} gives no credentials ({_kind(error)})") from error
        return Keys(
            access_key_id=given.access_key_id,
            access_key_secret=given.access_key_secret,
            security_token=given.security_token or "",
        )


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One account as one set of credentials sees it.

    account: the name under which all workers share quota and results.
    oss_endpoint, vod_endpoint: with scheme; any server that speaks the protocols. An empty vod_endpoint is the SDK's own for
    the region (several regions share one).
    calls_per_second: the account's pace, None for the default or what the quota row already says.
    """

    account: str
    region: str
    credentials: CredentialSource
    oss_endpoint: str
    vod_endpoint: str
    calls_per_second: float | None = None

    def storage_address(self, bucket: str) -> str:
        """The bucket's public host, as FileURL needs it whatever endpoint is listed through."""
        return f"{bucket}.oss-{self.region}.aliyuncs.com"


def connection_from_environment(environ: Mapping[str, str] | None = None) -> Connection:
    """The connection for work by hand.

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

    names: what a person calls each field, for errors.

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

    region = given.get("region", "")
    if not region:
        raise BadSetting(f"{name_of('region')} is missing in {origin}: set the VOD region, e.g. cn-shanghai")
    if not _REGION.fullmatch(region):
        raise BadSetting(f"{name_of('region')} is {region!r} in {origin}: a region looks like cn-shanghai")
    return Connection(
        account=given.get("account", DEFAULT_ACCOUNT),
        region=region,
        credentials=_credentials(given, origin=origin, name_of=name_of),
        oss_endpoint=_endpoint(
            given.get("oss_endpoint") or f"https://oss-{region}.aliyuncs.com", name_of("oss_endpoint"), origin
        ),
        vod_endpoint=_endpoint(given["vod_endpoint"], name_of("vod_endpoint"), origin)
        if "vod_endpoint" in given
        else "",
        calls_per_second=_pace(given.get("calls_per_second"), name_of("calls_per_second"), origin),
    )


def _credentials(given: Mapping[str, str], *, origin: str, name_of: Any) -> CredentialSource:
    identifier, secret = given.get("access_key_id"), given.get("access_key_secret")
    provider = given.get("credential_provider", "")
    if provider and provider not in PROVIDERS:
        raise BadSetting(
            f"{name_of('credential_provider')} is {provider!r} in {origin}: choose one of {', '.join(PROVIDERS)}"
        )
    if bool(identifier) != bool(secret):
        missing = "access_key_secret" if identifier else "access_key_id"
        raise BadSetting(f"{name_of(missing)} is missing in {origin}: an AccessKey needs both halves")
    keys = None
    if identifier and secret:
        keys = Keys(access_key_id=identifier, access_key_secret=secret, security_token=given.get("security_token", ""))
    if provider == _ROLE_PROVIDER:
        return _assumed_role(keys, given.get("role_arn", ""), origin=origin, name_of=name_of)
    if keys is not None:
        return CredentialSource(keys=keys)
    if provider:
        return CredentialSource(provider=provider, role_arn=given.get("role_arn", ""))
    raise BadSetting(
        f"{name_of('access_key_id')} and {name_of('access_key_secret')} are missing in {origin}: set them, or name a "
        f"provider in {name_of('credential_provider')} ({', '.join(PROVIDERS)})"
    )


def _assumed_role(keys: Keys | None, role_arn: str, *, origin: str, name_of: Any) -> CredentialSource:
    if not role_arn:
        raise BadSetting(f"{name_of('role_arn')} is missing in {origin}: {_ROLE_PROVIDER} needs the role to assume")
    if keys is None:
        raise BadSetting(
            f"{name_of('access_key_id')} and {name_of('access_key_secret')} are missing in {origin}: "
            f"{_ROLE_PROVIDER} assumes its role with an AccessKey"
        )
    return CredentialSource(provider=_ROLE_PROVIDER, role_arn=role_arn, base=keys)


def _kind(error: Exception) -> str:
    # A provider's message may repeat its request, and with it keys, tokens and signatures.
    return type(error).__name__


def _endpoint(value: str, name: str, origin: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise BadSetting(f"{name} is {value!r} in {origin}, which is no address: {error}") from None
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise BadSetting(
            f"{name} has a user name in {origin}: credentials have fields of their own, write scheme and host"
        )
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query or parts.fragment:
        bare = host or value.partition("://")[2].partition("/")[0] or value.partition("/")[0]
        raise BadSetting(f"{name} is {value!r} in {origin}: write it with scheme and host only, e.g. https://{bare}")
    if any(character.isspace() for character in parts.netloc) or port == 0:
        raise BadSetting(
            f"{name} is {value!r} in {origin}, which is no address: write it like https://host or https://host:port"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _pace(value: str | None, name: str, origin: str) -> float | None:
    if value is None:
        return None
    try:
        pace = float(value)
    except ValueError:
        pace = 0.0
    if not 0 < pace <= 1000:  # noqa: PLR2004 - far above any quota
        raise BadSetting(f"{name} is {value!r} in {origin}: give calls per second between 0 and 1000, e.g. 47")
    return pace
