"""What VOD says to calls that change nothing: whether it knows us, serves the account, and lets us register.

The permission to register cannot be asked for. A RegisterMedia call with an empty list registers nothing whatever the answer:
where it is refused for its list, it was not refused for want of permission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.checklist import Check, failed, not_checked, ok
from vod_migrate.doctor.vod_settings import NO_TRANSCODE, Ask
from vod_migrate.errors import (
    AccountStopped,
    Denied,
    Misconfigured,
    RegisterError,
    RequestRefused,
    Throttled,
    TokenExpired,
)

if TYPE_CHECKING:
    from vod_migrate.cloud.vod import VodClient
    from vod_migrate.migration.model import Migration

_NO_SUCH_MEDIA = "0" * 32


@dataclass(frozen=True, kw_only=True, slots=True)
class VodAnswer:
    """What a first call came to. error: None where it was answered; skew: as `skew_of`, where the answer tells it."""

    error: RegisterError | None = None
    skew: float | None = None

    @property
    def served(self) -> bool:
        """Whether VOD knows the credentials and serves the account, whatever it allows."""
        return self.error is None or isinstance(self.error, Denied | RequestRefused | Throttled)


def asking(vod: VodClient) -> Ask:
    """Calls once more where the provider has issued another token."""

    def ask(api: str, **fields: Any) -> Mapping[str, Any]:
        try:
            return vod.call(api, **fields)
        except TokenExpired:
            return vod.call(api, **fields)

    return ask


def ask_first(vod: VodClient) -> VodAnswer:
    """GetCategories, the least that can be asked."""
    try:
        asking(vod)("GetCategories", cate_id=-1, page_no=1, page_size=1)
    except RegisterError as error:
        return VodAnswer(error=error)
    return VodAnswer(skew=vod.skew)


def vod_check(connection: Connection, answer: VodAnswer) -> Check:
    """The check vod: whether anything of VOD's answers."""
    where = connection.vod_endpoint or f"the SDK's endpoint for {connection.region}"
    tried = f"GetCategories at {where}"
    away = isinstance(answer.error, Misconfigured)
    if answer.error is None or answer.served or (isinstance(answer.error, AccountStopped) and not away):
        return ok("vod", tried, f"{where} responds")
    fix = "check the connection's region and vod_endpoint, the network and its proxy, then try again"
    return failed("vod", tried, answer.error, fix)


def register_check(ask: Ask) -> Check:
    """Whether RegisterMedia may be called."""
    tried = "RegisterMedia with an empty list, which registers nothing"
    try:
        ask("RegisterMedia", register_metadatas="[]", template_group_id=NO_TRANSCODE)
    except Denied as error:
        fix = "allow vod:RegisterMedia on * in the RAM policy; AliyunVODUploadAuth does not include it"
        return failed("register", tried, error, fix)
    except RequestRefused as error:
        return ok("register", tried, f"VOD rejected the empty list ({error.code}), so the permission exists")
    except RegisterError as error:
        return not_checked("register", str(error), tried=tried)
    return ok("register", tried, "VOD responded")


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


def playback_check(ask: Ask, migration: Migration) -> Check:
    """Whether VOD may be asked if it can play media, where the file says to ask."""
    first = migration.first is not None and migration.first.verify
    if migration.verify is None and not first:
        return ok("playback", "nothing", "the file does not request it")
    tried = "BatchGetMediaInfos of a media that does not exist"
    try:
        ask("BatchGetMediaInfos", media_ids=_NO_SUCH_MEDIA)
    except Denied as error:
        return failed("playback", tried, error, "allow vod:BatchGetMediaInfos on * in the RAM policy")
    except RequestRefused:
        return ok("playback", tried, "playback can be checked")
    except RegisterError as error:
        return not_checked("playback", str(error), tried=tried)
    return ok("playback", tried, "playback can be checked")
