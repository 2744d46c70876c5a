"""The one call: RegisterMedia. Everything around it is a wrapper with the same face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vod_migrate.cloud.clients import open_vod
from vod_migrate.cloud.connection import Connection
from vod_migrate.describe.metadata import as_json, metadata
from vod_migrate.media import Batch, Reply
from vod_migrate.migration.registration import Register
from vod_migrate.register.reply import read_reply


class RegisterMediaClient:
    """One RegisterMedia request per batch."""

    def __init__(self, connection: Connection, rules: Register) -> None:
        self._vod = open_vod(connection)
        self._rules = rules
        self._user_data = None if rules.user_data is None else rules.user_data.as_json()

    def register(self, batch: Batch) -> Reply:
        """Sends one batch, once.

        Raises:
            RegisterError: Throttled, Transient, TokenExpired, RequestRefused or AccountStopped.
        """
        body = self._vod.call(
            "RegisterMedia",
            register_metadatas=as_json([metadata(entry) for entry in batch.entries]),
            template_group_id=self._rules.template_group_id,
            workflow_id=self._rules.workflow_id,
            user_data=self._user_data,
            enable_first_frame_cover=self._rules.enable_first_frame_cover,
            generate_thumbnail=self._rules.generate_thumbnail,
        )
        return read_reply(_as_sent(body), batch)


def _as_sent(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if not body.get("RegisteredMediaList") and body.get("FailedFileURLs") is None:
        # The SDK adds an empty list where the answer had none; nobody's attempt may be spent on `{}`.
        return {name: value for name, value in body.items() if name != "RegisteredMediaList"}
    return body
