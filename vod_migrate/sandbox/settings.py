"""The configuration of a sandbox, validated."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, SecretStr

from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.model import Share, Strict

DEFAULT_UID = "1000000000000001"
DEFAULT_ACCESS_KEY_ID = "LTAI-sandbox"
DEFAULT_ACCESS_KEY_SECRET = "sandbox-secret"  # noqa: S105 - a published default
DEFAULT_REGION = "cn-shanghai"
DEFAULT_BUCKET = "media-archive"

# Calls per second per account. RegisterMedia, AddCategory, GetCategories, SearchMedia, GetVideoInfo, GetPlayInfo: QPS
# limits page, 2024-10. UpdateVideoInfos, ListTranscodeTask: their own pages. GetVideoInfos, GetMezzanineInfo: the
# quotas of the OpenAPI portal, 2025. GetTranscodeTask: as ListTranscodeTask. The others are the query class of the 2021
# limits page.
DEFAULT_QUOTAS: dict[str, int | None] = {
    "RegisterMedia": 50,
    "GetCategories": 50,
    "AddCategory": 30,
    "GetTranscodeTemplateGroup": 100,
    "ListTranscodeTemplateGroup": 100,
    "AddTranscodeTemplateGroup": 100,
    "GetMezzanineInfo": 100,
    "GetVideoInfo": 100,
    "GetVideoInfos": 100,
    "BatchGetMediaInfos": 100,
    "GetVideoList": 100,
    "SearchMedia": 50,
    "GetPlayInfo": 360,
    "UpdateVideoInfos": 30,
    "ListTranscodeTask": 15,
    "GetTranscodeTask": 15,
}


# How long a restore takes, in seconds: the upper ends of the ranges of the RestoreObject page, 2025.
RestoreKind = Literal[
    "Archive",
    "ColdArchive.Expedited",
    "ColdArchive.Standard",
    "ColdArchive.Bulk",
    "DeepColdArchive.Expedited",
    "DeepColdArchive.Standard",
]
DEFAULT_RESTORE_S: dict[RestoreKind, float] = {
    "Archive": 60,
    "ColdArchive.Expedited": 3_600,
    "ColdArchive.Standard": 18_000,
    "ColdArchive.Bulk": 43_200,
    "DeepColdArchive.Expedited": 43_200,
    "DeepColdArchive.Standard": 172_800,
}


class Settings(Strict):
    """What can be changed while the sandbox runs."""

    seed: int = Field(default=0, description="determines MediaIds, random latency and jitter")
    latency_ms: float = Field(default=0, ge=0, description="mean time between the effect of a call and its reply")
    latency_shape: Literal["fixed", "exponential", "lognormal"] = Field(
        default="fixed", description="how latency_ms is distributed; lognormal has sigma 0.5"
    )
    arrival_jitter_ms: float = Field(
        default=0,
        ge=0,
        description="mean of an exponential delay before a call arrives, and so before it counts against the quota",
    )
    quotas: dict[str, int | None] = Field(
        default_factory=lambda: {**DEFAULT_QUOTAS},
        description="calls in any sliding second per account, by API; null or absent: no limit",
    )
    retry_after_ms: int | None = Field(default=None, ge=0, description="x-acs-retry-after of a throttled call")
    url_encoding: Literal["percent", "raw", "both"] = Field(
        default="both", description="how the path of a FileURL is read; both: percent-encoded first, then as written"
    )
    missing_file: Literal["failed", "refuse"] = Field(
        default="failed", description="what a FileURL without an object does"
    )
    foreign_bucket: Literal["refuse", "failed"] = Field(default="refuse", description="what a bucket outside VOD does")
    bad_extension: Literal["failed", "refuse"] = Field(
        default="failed", description="what an invalid file extension does"
    )
    archived_file: Literal["register", "failed"] = Field(default="register", description="what an archived object does")
    bad_content: Literal["register", "failed"] = Field(
        default="register",
        description="what a file does that is empty, is not media, or has another format than its extension says",
    )
    reply_scheme: Literal["http", "https", "same"] = Field(
        default="http", description="the scheme of FileURLs in replies"
    )
    failed_form: Literal["plain", "json"] = Field(
        default="plain", description="FailedFileURLs as plain strings, or as strings with a JSON list each"
    )
    max_url_bytes: int = Field(
        default=131_072, ge=256, le=131_072, description="a longer request target gets an HTML 414"
    )
    seen_after_ms: float = Field(
        default=0, ge=0, description="how long after registration the calls that ask for media find it"
    )
    analysis_s: float = Field(
        default=0, ge=0, description="how many seconds a registered file is Uploading before its content is known"
    )
    queue_s: float = Field(
        default=0, ge=0, description="how many seconds a media is UploadSucc before its transcoding starts"
    )
    transcode_s: float = Field(
        default=0, ge=0, description="how many seconds transcoding takes, whether it succeeds or not"
    )
    restore_s: dict[RestoreKind, Annotated[float, Field(ge=0)]] = Field(
        default_factory=lambda: {**DEFAULT_RESTORE_S},
        description="how many seconds RestoreObject takes, by storage class and tier",
    )
    fast_forward_s: float = Field(
        default=0, ge=0, description="how many seconds restores and media processing are ahead of the sandbox's clock"
    )
    clock_offset_s: float = Field(default=0, description="how far the sandbox's clock is ahead of this machine's")


class CredentialConfig(Strict):
    """An access key of a RAM user, or a temporary one with a security token."""

    access_key_id: str = DEFAULT_ACCESS_KEY_ID
    access_key_secret: SecretStr = SecretStr(DEFAULT_ACCESS_KEY_SECRET)
    security_token: SecretStr | None = None
    expires: datetime | None = None
    deny: list[str] = Field(default_factory=list, description='RAM actions refused to this user, such as "oss:*"')


class CategoryConfig(Strict):
    """A media category; `id` is chosen if it is not given."""

    name: str
    id: int | None = None
    parent: int | None = None


class AccountConfig(Strict):
    """An Alibaba Cloud account: one quota, one media library, any number of RAM users."""

    uid: str = DEFAULT_UID
    regions: list[str] = Field(default_factory=lambda: [DEFAULT_REGION], min_length=1)
    credentials: list[CredentialConfig] = Field(default_factory=lambda: [CredentialConfig()])
    deny: list[str] = Field(default_factory=list, description="RAM actions refused to every user of the account")
    activated: bool = Field(default=True, description="whether VOD is activated for the account")
    suspended: bool = False
    categories: list[CategoryConfig] = Field(default_factory=list)
    template_groups: list[str] = Field(default_factory=list, description="further transcoding template group ids")
    workflows: list[str] = Field(default_factory=list, description="further workflow ids")


class SizeConfig(Strict):
    """Object sizes in bytes: log-normal around the median, at most the maximum."""

    median: int = Field(default=80_000_000, ge=1)
    sigma: float = Field(default=1.0, ge=0, le=4)
    maximum: int = Field(default=48_800_000_000, ge=1)


class DatesConfig(Strict):
    """Keys lie under `<prefix>YYYY-MM-DD/`, spread evenly over `days` days from `start` (`from` in files)."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    start: date = Field(alias="from")
    days: int = Field(ge=1, le=36_600)


class DatasetConfig(Strict):
    """A generated bucket: `count` keys, computed from the seed."""

    count: int = Field(default=1_000, ge=0, le=10_000_000_000)
    seed: int = 1
    prefix: str = Field(
        default="archive/", max_length=200, pattern=r"^([^/].*/)?$", description="empty, or ending in /"
    )
    dirt: float = Field(
        default=1.0, ge=0, le=3, description="0: plain ASCII .mp4 only; 1: as odd as real names; up to 3"
    )
    dates: DatesConfig | None = None
    hls: Share | None = Field(default=None, description="share of keys in HLS folders; default 0.05 times dirt")
    archived: Share | None = Field(default=None, description="share of archived objects; default 0.02 times dirt")
    long_keys: Share | None = Field(
        default=None, description="share of keys whose URL is near 1,024 bytes; default 0.002 times dirt"
    )
    missing: Share = Field(
        default=0, description="share of keys that are listed, and gone when VOD or anybody else looks for them"
    )
    corrupt: Share = Field(default=0, description="share of media files whose content is not media")
    mislabelled: Share = Field(default=0, description="share of media files with the content of another format")
    size: SizeConfig = Field(default_factory=SizeConfig)
    last_modified: datetime | None = Field(
        default=None, description="one time for all; default: spread over the data set"
    )


class BucketConfig(Strict):
    """A bucket; by default the first account's, in its first region, and added to VOD."""

    name: str = Field(default=DEFAULT_BUCKET, pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")
    account: str | None = None
    region: str | None = None
    in_vod: bool = True
    storage_class: Literal["Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"] = "Standard"
    generate: DatasetConfig | None = None


class SandboxConfig(Strict):
    """A whole sandbox, as in `serve --config FILE.yaml`."""

    accounts: list[AccountConfig] = Field(default_factory=lambda: [AccountConfig()], min_length=1)
    buckets: list[BucketConfig] = Field(default_factory=lambda: [BucketConfig()])
    settings: Settings = Field(default_factory=Settings)
    faults: list[FaultConfig] = Field(default_factory=list)
