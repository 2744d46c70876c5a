"""The one call: RegisterMedia through the vendor's SDK. Everything around it is a wrapper with the same face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alibabacloud_credentials.exceptions import CredentialException
from Tea.exceptions import TeaException

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.vod import CONNECT_MILLISECONDS, READ_MILLISECONDS, classify, renewing, vod_client
from vod_migrate.describe.metadata import as_json, metadata
from vod_migrate.errors import BrokenReply, NetworkTrouble
from vod_migrate.media import Batch, Reply
from vod_migrate.migration.registration import Register
from vod_migrate.register.reply import read_reply


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


def _body(response: Any) -> Mapping[str, Any]:
    # The SDK drops a body with an unexpected type in it, and keeps what it was in `_map`.
    body = response.body.to_map() if response.body is not None else (getattr(response, "_map", None) or {}).get("body")
    if not isinstance(body, Mapping):
        raise BrokenReply("VOD answered 200 with a body that is no RegisterMedia answer", http_status=200)
    if not body.get("RegisteredMediaList") and body.get("FailedFileURLs") is None:
        # The SDK adds an empty list where the answer had none; nobody's attempt may be spent on `{}`.
        return {name: value for name, value in body.items() if name != "RegisteredMediaList"}
    return body
