"""Transcoding template groups and workflows, which a registration may name."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.vod.parameters import Parameters, check_bytes, invalid, missing

NO_TRANSCODE: Final = "VOD_NO_TRANSCODE"
DEFAULT_GROUP: Final = "ca3a8f6e49c87b657098065860000001"
HLS_GROUP: Final = "ca3a8f6e49c87b657098065860000002"
DEFAULT_WORKFLOW: Final = "637adc2b7ba51a83d841606f80000001"
_CREATED: Final = "2024-01-01T00:00:00Z"
_MAX_NAME_BYTES: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateGroup:
    """A transcoding template group."""

    id: str
    name: str
    created: str = _CREATED
    default: bool = False

    def as_reply(self) -> dict[str, Any]:
        """The group as ListTranscodeTemplateGroup returns it."""
        return {
            "AppId": "app-1000000",
            "CreationTime": self.created,
            "IsDefault": "Default" if self.default else "NotDefault",
            "Locked": "Disabled",
            "ModifyTime": self.created,
            "Name": self.name,
            "TranscodeTemplateGroupId": self.id,
        }


class Templates:
    """The template groups and workflows of an account. VOD_NO_TRANSCODE always exists and is not listed."""

    def __init__(self, *, groups: Iterable[str] = (), workflows: Iterable[str] = ()) -> None:
        self._groups = {
            DEFAULT_GROUP: TemplateGroup(id=DEFAULT_GROUP, name="Default", default=True),
            HLS_GROUP: TemplateGroup(id=HLS_GROUP, name="HLS 720p"),
            **{group: TemplateGroup(id=group, name=group) for group in groups},
        }
        self._workflows = {DEFAULT_WORKFLOW, *workflows}

    def has_group(self, group_id: str) -> bool:
        """Whether a registration may name this TemplateGroupId."""
        return group_id == NO_TRANSCODE or group_id in self._groups

    def has_workflow(self, workflow_id: str) -> bool:
        """Whether a registration may name this WorkflowId."""
        return workflow_id in self._workflows

    def list(self) -> dict[str, Any]:
        """ListTranscodeTemplateGroup."""
        return {"TranscodeTemplateGroupList": [group.as_reply() for group in self._groups.values()]}

    def get(self, parameters: Parameters) -> dict[str, Any]:
        """GetTranscodeTemplateGroup. Its error code for an unknown group: SetDefaultTranscodeTemplateGroup page."""
        found = self._groups.get(parameters.get("TranscodeTemplateGroupId", ""))
        if found is None:
            raise VodError(
                "InvalidTranscodeTemplateGroup.NotFound", 404, "The transcode template group does not exist."
            )
        return {"TranscodeTemplateGroup": {**found.as_reply(), "TranscodeTemplateList": []}}

    def add(self, parameters: Parameters, now: str) -> dict[str, Any]:
        """AddTranscodeTemplateGroup: make a group, or add templates to one. The templates are not kept."""
        group_id, name = parameters.get("TranscodeTemplateGroupId", ""), parameters.get("Name", "")
        if not group_id and not name:
            raise missing("Name")
        check_bytes("Name", name, _MAX_NAME_BYTES)
        templates = parameters.get("TranscodeTemplateList", "")
        if templates:
            _check_templates(templates)
        if group_id and group_id not in self._groups:
            raise VodError("InvalidTemplateGroupId.NotFound", 404, f"The template group {group_id} does not exist.")
        if not group_id:
            group_id = secrets.token_hex(16)
            self._groups[group_id] = TemplateGroup(id=group_id, name=name, created=now)
        return {"TranscodeTemplateGroupId": group_id}


def _check_templates(text: str) -> None:
    try:
        templates = json.loads(text)
    except ValueError:
        templates = None
    if not isinstance(templates, list):
        raise invalid("TranscodeTemplateList", "it must be a JSON list")
