"""The one call: RegisterMedia through the vendor's SDK. Everything around it is a wrapper with the same face."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from alibabacloud_credentials.exceptions import CredentialException
from Tea.exceptions import TeaException

from vod_migrate.connection import Connection, CredentialSource
from vod_migrate.errors import BadSetting, BrokenReply, InvalidCredentials, NetworkTrouble, TokenExpired
from vod_migrate.media import Batch, Reply
from vod_migrate.register.batching import as_json, metadata
from vod_migrate.register.replies import classify, read_reply
from vod_migrate.spec_register import Register

__all__ = ["RegisterMediaClient", "Registrar", "ask_vod", "renewing", "vod_client"]

_TOKEN_CODES = ("InvalidSecurityToken", "SecurityToken")
CONNECT_MILLISECONDS = 5_000
READ_MILLISECONDS = 15_000
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class Registrar(Protocol):
    """Sends a batch.

    On return every entry of the batch has exactly one outcome. Raises only RegisterError, StoreError and RunStopped.
    """

    def register(self, batch: Batch) -> Reply:
        """Sends one batch and returns what it meant."""
        ...


def vod_client(connection: Connection) -> Any:
    """The SDK's client; one is shared by all threads. Its own retry is off: ours knows what an answer means."""
    from alibabacloud_tea_openapi.utils_models import Config  # noqa: PLC0415 - slow SDK import
    from alibabacloud_vod20170321.client import Client  # noqa: PLC0415 - slow SDK import

    config = Config(credential=connection.credentials.client, region_id=connection.region, protocol="HTTPS")
    if connection.vod_endpoint:
        parts = urlsplit(connection.vod_endpoint)
        config.endpoint, config.protocol = parts.netloc, parts.scheme.upper()
    return Client(config)


def ask_vod(
    client: Any,
    api: str,
    fields: Mapping[str, Any],
    *,
    connect_seconds: float = CONNECT_MILLISECONDS / 1000,
    read_seconds: float = READ_MILLISECONDS / 1000,
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """One request to a neighbour of RegisterMedia. Returns the body, by the API's own names, and the answer's headers.

    api: as the vendor calls it, `GetCategories`; fields: as the SDK calls them, `cate_id`.

    Raises:
        RegisterError: Throttled, Transient, RequestRefused or AccountStopped.
    """
    from alibabacloud_vod20170321 import models  # noqa: PLC0415 - slow SDK import
    from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - slow SDK import

    runtime = RuntimeOptions(connect_timeout=int(connect_seconds * 1000), read_timeout=int(read_seconds * 1000))
    send = getattr(client, f"{_WORD.sub('_', api).lower()}_with_options")
    try:
        response = send(getattr(models, f"{api}Request")(**fields), runtime)
    except TeaException as error:
        raise classify(error, api=api) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenReply(f"VOD's answer to {api} cannot be read ({type(error).__name__}: {error})") from error
    except CredentialException as error:
        raise NetworkTrouble(
            f"the credential provider gives no credentials ({type(error).__name__})", code="no_credentials"
        ) from error
    if response.body is None:
        raise BrokenReply(f"VOD answered {api} with something else", http_status=200)
    return response.body.to_map(), response.headers or {}


class RegisterMediaClient:
    """One RegisterMedia request per batch; what the SDK raises becomes an error of our tree."""

    def __init__(self, connection: Connection, rules: Register, *, connections: int) -> None:
        """connections: how many threads will call at once; each keeps one connection open."""
        from alibabacloud_vod20170321 import models  # noqa: PLC0415 - slow SDK import
        from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - slow SDK import

        self._client = vod_client(connection)
        self._credentials = connection.credentials
        self._request: Any = models.RegisterMediaRequest
        self._rules = rules
        self._user_data = None if rules.user_data is None else rules.user_data.as_json()
        self._runtime = RuntimeOptions(
            connect_timeout=CONNECT_MILLISECONDS, read_timeout=READ_MILLISECONDS, max_idle_conns=connections
        )

    def register(self, batch: Batch) -> Reply:
        """Sends one batch, once.

        Raises:
            RegisterError: Throttled, Transient, TokenExpired, RequestRefused or AccountStopped.
        """
        request = self._request(
            register_metadatas=as_json([metadata(entry) for entry in batch.entries]),
            template_group_id=self._rules.template_group_id,
            workflow_id=self._rules.workflow_id,
            user_data=self._user_data,
            enable_first_frame_cover=self._rules.enable_first_frame_cover,
            generate_thumbnail=self._rules.generate_thumbnail,
        )
        with renewing(self._credentials):
            response = self._sent(request)
        self._credentials.proven()
        return read_reply(_body(response), batch)

    def _sent(self, request: Any) -> Any:
        try:
            return self._client.register_media_with_options(request, self._runtime)
        except TeaException as error:
            raise classify(error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The SDK's own parsing stumbles over bodies of other types.
            raise BrokenReply(f"VOD's answer cannot be read ({type(error).__name__}: {error})") from error
        except CredentialException as error:
            # Its provider worked when the run listed the bucket, so this is taken for a passing fault of it.
            raise NetworkTrouble(
                f"the credential provider gives no credentials ({type(error).__name__})", code="no_credentials"
            ) from error


@contextmanager
def renewing(credentials: CredentialSource) -> Iterator[None]:
    """Around one call: a token that VOD refuses is asked for anew.

    Raises:
        TokenExpired: the provider gave another token. InvalidCredentials: it gave none. NetworkTrouble: it does not answer.
    """
    try:
        used = credentials.current()
        try:
            yield
        except InvalidCredentials as error:
            if not error.code.startswith(_TOKEN_CODES) or not credentials.renew(used):
                raise
            raise TokenExpired(
                f"{error.code}: VOD took the security token no more, and the provider has given another one",
                code=error.code,
                http_status=error.http_status,
                request_id=error.request_id,
            ) from error
    except BadSetting as error:
        raise NetworkTrouble(str(error), code="no_credentials") from error


def _body(response: Any) -> Mapping[str, Any]:
    # The SDK drops a body with an unexpected type in it, and keeps what it was in `_map`.
    body = response.body.to_map() if response.body is not None else (getattr(response, "_map", None) or {}).get("body")
    if not isinstance(body, Mapping):
        raise BrokenReply("VOD answered 200 with a body that is no RegisterMedia answer", http_status=200)
    if not body.get("RegisteredMediaList") and body.get("FailedFileURLs") is None:
        # The SDK adds an empty list where the answer had none; nobody's attempt may be spent on `{}`.
        return {name: value for name, value in body.items() if name != "RegisteredMediaList"}
    return body
