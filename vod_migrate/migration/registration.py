"""What a migration file may say about registering: processing, rate, and the parameters that all files of a call share."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from vod_migrate.migration.base import SettingsModel

EXTEND_BYTES = 512
CALLBACK_URL_BYTES = 256
"""Extend: RegisterMedia's UserData page; callback URL: SetMessageCallback page (both read 2026-11)."""


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _check_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+\S*", url) or not _host(url):
        raise ValueError("is not a URL: write it like https://media.example.com/vod")
    if len(url.encode()) > CALLBACK_URL_BYTES:
        raise ValueError(f"has {len(url.encode())} bytes; VOD allows {CALLBACK_URL_BYTES}")
    return url


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class MessageCallback(SettingsModel):
    """Where VOD reports processing that is started later for these files; it does not report the registration itself."""

    model_config = ConfigDict(populate_by_name=True)

    callback_type: Annotated[Literal["http", "mns"], BeforeValidator(_lower), Field(alias="CallbackType")] = "http"
    """`http`, or `mns` for a message queue."""
    callback_url: Annotated[Annotated[str, AfterValidator(_check_url)] | None, Field(alias="CallbackURL")] = None
    """For http: the address, at most 256 bytes."""
    mns_endpoint: Annotated[str | None, Field(alias="MnsEndpoint", min_length=1)] = None
    """For mns: the queue's public endpoint."""
    mns_queue_name: Annotated[str | None, Field(alias="MnsQueueName", min_length=1)] = None
    """For mns: the queue's name."""

    @model_validator(mode="after")
    def _complete(self) -> MessageCallback:
        mns = self.mns_endpoint is not None and self.mns_queue_name is not None
        if self.callback_type == "http" and self.callback_url is None:
            raise ValueError("CallbackURL is missing: a callback of type http needs an address")
        if self.callback_type == "mns" and not mns:
            raise ValueError("MnsEndpoint or MnsQueueName is missing: a callback of type mns needs both")
        return self


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ValueError('must be a JSON object, e.g. {"Extend": {"batch": "2024"}}')  # noqa: TRY004 - pydantic collects it
    return read


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _check_extend(extend: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(_compact(extend).encode())
    except (TypeError, ValueError) as error:
        raise ValueError(f"holds a value that JSON does not have: {error}; put it in quotes") from None
    if size > EXTEND_BYTES:
        raise ValueError(f"has {size} bytes as JSON; VOD allows {EXTEND_BYTES}")
    return extend


class UserData(SettingsModel):
    """RegisterMedia's UserData, the same for every file of the migration."""

    model_config = ConfigDict(populate_by_name=True)

    message_callback: Annotated[MessageCallback | None, Field(alias="MessageCallback")] = None
    extend: Annotated[Annotated[dict[str, Any], AfterValidator(_check_extend)] | None, Field(alias="Extend")] = None
    """The data that VOD returns in its callbacks, at most 512 bytes as JSON."""

    @model_validator(mode="after")
    def _something(self) -> UserData:
        if self.message_callback is None and self.extend is None:
            raise ValueError("is empty: give it MessageCallback or Extend, or leave it out")
        return self

    def as_json(self) -> str:
        """The string that RegisterMedia takes."""
        return _compact(self.model_dump(mode="json", by_alias=True, exclude_none=True))


class Register(SettingsModel):
    """How the files are registered. Set exactly one of template_group_id and workflow_id."""

    template_group_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    """`VOD_NO_TRANSCODE`, or the ID of a transcoding template group."""
    workflow_id: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    """The ID of a VOD workflow."""
    user_data: Annotated[UserData | None, BeforeValidator(_from_json)] = None
    """UserData of every file: a mapping, or the same as JSON text."""
    enable_first_frame_cover: Annotated[bool | None, Field(strict=True)] = None
    """EnableFirstFrameCover of the SDK: the first frame becomes the cover. Null leaves it out."""
    generate_thumbnail: Annotated[bool | None, Field(strict=True)] = None
    """GenerateThumbnail of the SDK. Null leaves it out."""
    calls_per_second: Annotated[float | None, Field(gt=0, le=1000)] = None
    """A rate for this migration, below that of the account, which the connection sets."""
    url_encoding: Literal["percent", "raw"] = "percent"
    """How the key is written in FileURL. The vendor does not document it; its other APIs require `percent`."""
    max_request_bytes: Annotated[int, Field(ge=2048, le=65536)] = 32768
    """Largest encoded query of one call; a call has fewer than 10 files if ten would exceed it."""
    workers: Annotated[int, Field(ge=1, le=8)] = 1
    """Register tasks of a run; one saturates an account, more add availability."""
    threads: Annotated[int, Field(ge=1, le=128)] = 32
    """Threads of each worker."""
    retry_failed: Annotated[int, Field(ge=0, le=365)] = 0
    """In how many later runs mode `new` sends a failed object again; 0: none."""

    @property
    def processes(self) -> bool:
        """Whether VOD transcodes the files, or runs a workflow."""
        return self.workflow_id is not None or self.template_group_id != "VOD_NO_TRANSCODE"

    @model_validator(mode="after")
    def _one_way_of_processing(self) -> Register:
        if self.template_group_id is None and self.workflow_id is None:
            raise ValueError(
                "the choice of transcoding is missing: set template_group_id to VOD_NO_TRANSCODE or a template group's ID, or set workflow_id"
            )
        if self.template_group_id is not None and self.workflow_id is not None:
            raise ValueError(
                f"both template_group_id ({self.template_group_id}) and workflow_id ({self.workflow_id}) are given; "
                "VOD would silently use the workflow, so keep exactly one"
            )
        return self
