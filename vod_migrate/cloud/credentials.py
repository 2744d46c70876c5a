"""Where AccessKeys come from, and how they are renewed before they expire."""

from __future__ import annotations

import ast
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vod_migrate.cloud.redaction import one_line
from vod_migrate.errors import BadSetting

PROVIDERS = ("default", "ecs_ram_role", "ram_role_arn", "oidc_role_arn", "credentials_uri")
"""The providers of alibabacloud-credentials that a connection may name besides keys of its own."""

MOST_RENEWALS = 3
"""How many rejected tokens in a row a provider may hand out before the credentials count as wrong."""

_ROLE_PROVIDER = "ram_role_arn"
_ANSWER = re.compile(r"\bmessage ?[=:]|\bbody\b|\bresult\b|\bresponse\b|\burl:|[{<]", re.IGNORECASE)
"""Where a provider begins to repeat what it was answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """An AccessKey at one moment; the token is '' unless it is temporary."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)


class _Renewable:
    """A provider's client, as the SDKs ask it, that can be made to forget what it caches.

    The providers of alibabacloud-credentials renew by the expiry that they were told; a service may reject a token earlier.
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
class Credentials:
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
                f"credential provider {self.provider or 'keys'!r} cannot be used ({_reason(error)})"
            ) from error

    def renew(self, refused: Keys) -> bool:
        """Asks the provider again after the service rejected a token; False where it returns no other one.

        Also False for keys of the connection's own, and after MOST_RENEWALS without a success in between.

        Raises:
            BadSetting: the provider returned none.
        """
        if self.keys is not None or not refused.security_token:
            return False
        try:
            return bool(self.client.renew(refused.security_token))
        except Exception as error:
            raise BadSetting(
                f"credential provider {self.provider!r} returned no credentials ({_reason(error)})"
            ) from error

    def proven(self) -> None:
        """The service accepted what is in force now."""
        if self.keys is None:
            self.client.proven()

    def current(self) -> Keys:
        """The keys in force now; may ask the provider.

        Raises:
            BadSetting: the provider returned none.
        """
        if self.keys is not None:
            return self.keys
        try:
            given = self.client.get_credential()
        except Exception as error:
            raise BadSetting(
                f"credential provider {self.provider!r} returned no credentials ({_reason(error)})"
            ) from error
        return Keys(
            access_key_id=given.access_key_id,
            access_key_secret=given.access_key_secret,
            security_token=given.security_token or "",
        )


def _credentials(given: Mapping[str, str], *, origin: str, name_of: Any) -> Credentials:
    identifier, secret = given.get("access_key_id"), given.get("access_key_secret")
    provider = given.get("credential_provider", "")
    if provider and provider not in PROVIDERS:
        raise BadSetting(
            f"{name_of('credential_provider')} is {provider!r} in {origin}: choose one of {', '.join(PROVIDERS)}"
        )
    if bool(identifier) != bool(secret):
        missing = "access_key_secret" if identifier else "access_key_id"
        raise BadSetting(f"{name_of(missing)} is missing in {origin}: an AccessKey consists of an ID and a secret")
    keys = None
    if identifier and secret:
        keys = Keys(access_key_id=identifier, access_key_secret=secret, security_token=given.get("security_token", ""))
    if provider == _ROLE_PROVIDER:
        return _assumed_role(keys, given.get("role_arn", ""), origin=origin, name_of=name_of)
    if keys is not None:
        return Credentials(keys=keys)
    if provider:
        return Credentials(provider=provider, role_arn=given.get("role_arn", ""))
    raise BadSetting(
        f"{name_of('access_key_id')} and {name_of('access_key_secret')} are missing in {origin}: set them, or name a "
        f"provider in {name_of('credential_provider')} ({', '.join(PROVIDERS)})"
    )


def _assumed_role(keys: Keys | None, role_arn: str, *, origin: str, name_of: Any) -> Credentials:
    if not role_arn:
        raise BadSetting(f"{name_of('role_arn')} is missing in {origin}: {_ROLE_PROVIDER} needs the role to assume")
    if keys is None:
        raise BadSetting(
            f"{name_of('access_key_id')} and {name_of('access_key_secret')} are missing in {origin}: "
            f"{_ROLE_PROVIDER} assumes its role with an AccessKey"
        )
    return Credentials(provider=_ROLE_PROVIDER, role_arn=role_arn, base=keys)


def _reason(error: Exception) -> str:
    """A provider's own words, one for each that it tried, without what a service answered: that may repeat keys and tokens."""
    text = str(error)
    _, chained, chain = text.partition("providers in the chain: ")
    try:
        told = ast.literal_eval(chain) if chained else [text]
    except (ValueError, SyntaxError):
        told = [text]
    # The first line of each: a parser quotes the line of the file that it stumbles over.
    lines = [_ANSWER.split(str(one).strip().partition("\n")[0])[0].rstrip(" ,:=") for one in told]
    return "; ".join(dict.fromkeys(one_line(line) for line in lines if line)) or type(error).__name__
