"""Where AccessKeys come from, and how they are renewed before they expire."""

from __future__ import annotations

import ast
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
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
    """Keys that are given, or the provider that hands out others and renews them; one that is given both assumes its role with the keys."""

    keys: Keys | None = None
    provider: str = ""
    role_arn: str = ""

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
        given = {} if self.keys is None else {name: value or None for name, value in asdict(self.keys).items()}
        kind = self.provider or ("sts" if given.get("security_token") else "access_key")
        try:
            if kind == "default":
                return _Renewable(Client)
            config = Config(type=kind, role_arn=self.role_arn or None, **given)
            return _Renewable(lambda: Client(config)) if self.provider else Client(config)
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
        if not self.provider or not refused.security_token:
            return False
        return bool(self._asked(lambda: self.client.renew(refused.security_token)))

    def proven(self) -> None:
        """The service accepted what is in force now."""
        if self.provider:
            self.client.proven()

    def current(self) -> Keys:
        """The keys in force now; may ask the provider.

        Raises:
            BadSetting: the provider returned none.
        """
        if self.keys is not None and not self.provider:
            return self.keys
        given = self._asked(lambda: self.client.get_credential())  # noqa: PLW0108 - making the client may fail, too
        return Keys(
            access_key_id=given.access_key_id,
            access_key_secret=given.access_key_secret,
            security_token=given.security_token or "",
        )

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:
            raise BadSetting(
                f"credential provider {self.provider!r} returned no credentials ({_reason(error)})"
            ) from error


def credentials_from(given: Mapping[str, str], *, origin: str, name_of: Callable[[str], str]) -> Credentials:
    """The credentials of a connection's fields. name_of: what a field is called where a person sets it.

    Raises:
        BadSetting: naming the field and the fix.
    """
    identifier, secret = given.get("access_key_id"), given.get("access_key_secret")
    provider, role_arn = given.get("credential_provider", ""), given.get("role_arn", "")
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
    no_keys = f"{name_of('access_key_id')} and {name_of('access_key_secret')} are missing in {origin}"
    if provider == _ROLE_PROVIDER:
        if not role_arn:
            raise BadSetting(f"{name_of('role_arn')} is missing in {origin}: {_ROLE_PROVIDER} needs the role to assume")
        if keys is None:
            raise BadSetting(f"{no_keys}: {_ROLE_PROVIDER} assumes its role with an AccessKey")
        return Credentials(keys=keys, provider=provider, role_arn=role_arn)
    if keys is not None:
        return Credentials(keys=keys)
    if provider:
        return Credentials(provider=provider, role_arn=role_arn)
    raise BadSetting(
        f"{no_keys}: set them, or name a provider in {name_of('credential_provider')} ({', '.join(PROVIDERS)})"
    )


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
