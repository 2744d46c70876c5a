"""What VOD says to calls that change nothing: whether it knows us, serves the account, and lets us register.

The permission to register cannot be asked for. A RegisterMedia call with an empty list registers nothing whatever the answer:
where it is refused for its list, it was not refused for want of permission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.vod import call_vod, vod_client
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok
from vod_migrate.doctor.oss import skew_of
from vod_migrate.doctor.timeout import CONNECT_SECONDS, READ_SECONDS
from vod_migrate.doctor.vod_settings import NO_TRANSCODE
from vod_migrate.errors import AccountStopped, BadSetting, Denied, RegisterError, RequestRefused, Throttled

_NO_SUCH_MEDIA = "0" * 32
_NOT_FOUND = 404

Ask = Callable[..., Mapping[str, Any]]
"""Calls an API of VOD by its name, with the SDK's fields. Raises RegisterError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VodAnswer:
    """What a first call came to. error: None where it was answered; skew: seconds our clock is ahead, where it is told."""

    error: RegisterError | None = None
    skew: float | None = None

    @property
    def served(self) -> bool:
        """Whether VOD knows the credentials and serves the account, whatever it allows."""
        return self.error is None or isinstance(self.error, Denied | RequestRefused | Throttled)


class VodProbe:
    """A line to VOD with short time limits."""

    def __init__(self, connection: Connection) -> None:
        self._client = vod_client(connection)
        self.skew: float | None = None

    def ask(self, api: str, **fields: Any) -> Mapping[str, Any]:
        """The body of an answer.

        Raises:
            RegisterError
        """
        body, headers = call_vod(self._client, api, fields, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS)
        self.skew = skew_of(headers)
        return body

    def first(self) -> VodAnswer:
        """GetCategories, the least that can be asked."""
        try:
            self.ask("GetCategories", cate_id=-1, page_no=1, page_size=1)
        except RegisterError as error:
            return VodAnswer(error=error)
        return VodAnswer(skew=self.skew)


def vod_checks(connection: Connection, answer: VodAnswer) -> list[Check]:
    """The check vod: whether anything of VOD's answers."""
    where = connection.vod_endpoint or f"the SDK's endpoint for {connection.region}"
    tried = f"GetCategories at {where}"
    if answer.served or isinstance(answer.error, AccountStopped):
        return [ok("vod", tried, f"{where} answers")]
    assert answer.error is not None  # noqa: S101 - served otherwise
    fix = "check the connection's region and vod_endpoint, the network and its proxy, then try again"
    return [failed("vod", tried, answer.error, fix)]


def register_check(ask: Ask) -> Check:
    """Whether RegisterMedia may be called."""
    tried = "RegisterMedia with an empty list, which registers nothing"
    try:
        ask("RegisterMedia", register_metadatas="[]", template_group_id=NO_TRANSCODE)
    except Denied as error:
        fix = "allow vod:RegisterMedia on * in the RAM policy; AliyunVODUploadAuth does not include it"
        return failed("register", tried, error, fix)
    except RequestRefused as error:
        return ok("register", tried, f"refused for its list ({error.code}), not for want of permission")
    except RegisterError as error:
        return not_checked("register", str(error), tried=tried)
    return ok("register", tried, "answered")


def template_check(ask: Ask, group: str | None) -> Check:  # noqa: PLR0911 - one line a case
    """Whether a transcoding template group exists; VOD_NO_TRANSCODE always does."""
    if group is None:
        return ok("template_group", "nothing", "none is named: a workflow is")
    if group == NO_TRANSCODE:
        return ok("template_group", "nothing", f"{NO_TRANSCODE} needs none")
    tried = f"GetTranscodeTemplateGroup of {group}"
    try:
        body = ask("GetTranscodeTemplateGroup", transcode_template_group_id=group)
    except Denied as error:
        return not_checked(
            "template_group", str(error), "allow vod:GetTranscodeTemplateGroup, for this check alone", tried=tried
        )
    except RequestRefused as error:
        if error.http_status != _NOT_FOUND and ".NotFound" not in error.code:
            return not_checked("template_group", str(error), tried=tried)
        unknown = BadSetting(
            f"register.template_group_id is {group!r}, and VOD has no such template group in this region ({error.code})"
        )
        return failed(
            "template_group", tried, unknown,
            "copy the ID from the VOD console → Configuration Management → Media Processing → Transcoding Template Groups, "
            f"or write {NO_TRANSCODE}",
        )  # fmt: skip
    except AccountStopped:
        raise
    except RegisterError as error:
        return not_checked("template_group", str(error), tried=tried)
    name = (body.get("TranscodeTemplateGroup") or {}).get("Name")
    return ok("template_group", tried, f"{group} exists" + (f" ({name})" if name else ""))


def media_check(ask: Ask) -> Check:
    """Whether the canary may look its media up."""
    tried = "GetMezzanineInfo of a media that does not exist"
    try:
        ask("GetMezzanineInfo", video_id=_NO_SUCH_MEDIA, output_type="oss")
    except Denied:
        return not_checked(
            "lookup", "the first files of a run cannot be looked up before the rest is sent",
            "allow vod:GetMezzanineInfo; a run works without it", tried=tried,
        )  # fmt: skip
    except RequestRefused:
        return ok("lookup", tried, "the first files of a run can be looked up")
    except RegisterError as error:
        return not_checked("lookup", str(error), tried=tried)
    return ok("lookup", tried, "the first files of a run can be looked up")
