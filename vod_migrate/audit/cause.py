"""Why VOD did not take a file: what can be ruled out, what is likely, and what is certain, from cheap looks at the object.

RegisterMedia gives no reason. Certain is what the vendor's pages exclude, or what a look shows to be so; likely is what fits when all
that is certain has been ruled out. Nothing is named that was not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from vod_migrate.audit.content import BEGINNING, Content, content_of
from vod_migrate.describe.file_url import file_url
from vod_migrate.errors import SourceDenied
from vod_migrate.migration.registration import Register
from vod_migrate.migration.source import ARCHIVED_CLASSES
from vod_migrate.migration.vod_limits import URL_BYTES
from vod_migrate.results.diagnoses import FailedObject, FoundCause

if TYPE_CHECKING:
    from vod_migrate.audit.media_states import MediaState
    from vod_migrate.cloud.oss import BucketClient, ObjectFacts


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all failures of a run have in common.

    proven: VOD has taken a file of this bucket; region: where the bucket lies, '' where it does not exist, None where OSS does not say;
    plain, odd: with the same settings keys were registered that look alike in both encodings, and keys that do not.
    """

    bucket: str
    storage_address: str
    rules: Register
    wanted_region: str
    region: str | None
    proven: bool
    plain: bool
    odd: bool


@dataclass(frozen=True, kw_only=True)
class Look:
    """One failed object, and what can be seen of it. holder: the media that has its ReferenceId."""

    failed: FailedObject
    around: Surroundings
    client: BucketClient
    holder: MediaState | None

    @property
    def extension(self) -> str:
        """In lower case, without the dot."""
        return PurePosixPath(self.failed.key).suffix.removeprefix(".").lower()

    @cached_property
    def now(self) -> ObjectFacts | None:
        """What OSS says now; None where there is no such object."""
        return self.client.head(self.failed.key)

    @cached_property
    def content(self) -> Content | None:
        """What its first bytes say; None where they cannot be read."""
        try:
            read = self.client.beginning(self.failed.key, BEGINNING)
        except SourceDenied:
            return None
        return None if read is None else content_of(read[0])


class Other(Enum):
    """What a check says that does not find its cause. OPEN: it cannot tell."""

    RULED_OUT = "ruled out"
    OPEN = "open"


_Check = Callable[[Look], tuple[bool, str] | Other]
"""Whether the cause is certain, and the evidence; or that it is not this one, or cannot be told."""


def cause_of(look: Look) -> FoundCause:
    """The first cause that is certain, else the first that is likely, else none.

    Raises:
        SourceUnavailable: OSS does not answer.
    """
    ruled_out: list[str] = []
    told = ""
    try:
        for cause, check in _CHECKS.items():
            found = check(look)
            if found is Other.RULED_OUT:
                ruled_out.append(cause)
            elif isinstance(found, tuple):
                certain, evidence = found
                return FoundCause(cause=cause, certain=certain, evidence=evidence, ruled_out=tuple(ruled_out))
    except SourceDenied as error:
        told = str(error)
    return FoundCause(cause="", certain=False, evidence=told, ruled_out=tuple(ruled_out))


def _no_bucket(look: Look) -> tuple[bool, str] | Other:
    region = look.around.region
    if region is None:
        return Other.OPEN
    return Other.RULED_OUT if region else (True, f"OSS has no bucket {look.around.bucket}")


def _other_region(look: Look) -> tuple[bool, str] | Other:
    region, wanted = look.around.region, look.around.wanted_region
    if region is None:
        return Other.OPEN
    return Other.RULED_OUT if region == wanted else (True, f"the bucket is in {region}, the connection in {wanted}")


def _missing(look: Look) -> tuple[bool, str] | Other:
    if look.now is not None:
        return Other.RULED_OUT
    form = look.client.other_form(look.failed.key)
    return True, "OSS has no object under this key now" + (f"; the bucket has it in {form}" if form else "")


def _archived(look: Look) -> tuple[bool, str] | Other:
    now = look.now
    if now is None or now.storage_class not in ARCHIVED_CLASSES or (now.restored is not None and now.restored.ready):
        return Other.RULED_OUT
    return True, f"{now.storage_class}, {'without a readable copy' if now.restored is None else 'still being restored'}"


def _reference_taken(look: Look) -> tuple[bool, str] | Other:
    holder = look.holder
    if holder is None or (holder.bucket, holder.key) == (look.around.bucket, look.failed.key):
        return Other.RULED_OUT
    return True, f"ReferenceId {look.failed.sent['ReferenceId']} belongs to {holder.media_id}, of {holder.key}"


def _empty(look: Look) -> tuple[bool, str] | Other:
    return (False, "0 bytes") if look.now is not None and look.now.size == 0 else Other.RULED_OUT


def _no_media(look: Look) -> tuple[bool, str] | Other:
    content = look.content
    if content is None or content.name is None:
        return Other.OPEN
    return Other.RULED_OUT if content.media else (False, f"its content looks like {content.name}")


def _other_format(look: Look) -> tuple[bool, str] | Other:
    content = look.content
    if content is None or content.name is None:
        return Other.OPEN
    if look.extension in content.extensions:
        return Other.RULED_OUT
    return False, f"its content looks like {content.name}, but the extension is .{look.extension}"


def _encoding(look: Look) -> tuple[bool, str] | Other:
    around = look.around
    if around.odd or not differs(around.storage_address, look.failed.key):
        return Other.RULED_OUT
    if not around.plain:
        return Other.OPEN
    return False, f"sent {around.rules.url_encoding}; VOD accepted only keys that are the same in both encodings"


def _not_added(look: Look) -> tuple[bool, str] | Other:
    return Other.RULED_OUT if look.around.proven else (False, f"VOD has never accepted a file of {look.around.bucket}")


_CHECKS: dict[str, _Check] = {
    "bucket_missing": _no_bucket,
    "bucket_other_region": _other_region,
    "object_missing": _missing,
    "object_archived": _archived,
    "reference_id_taken": _reference_taken,
    "object_empty": _empty,
    "content_no_media": _no_media,
    "content_other_format": _other_format,
    "url_encoding": _encoding,
    "bucket_not_added": _not_added,
}
CAUSES = (*_CHECKS, "optional_field")
"""Every cause that may be found; `optional_field` by an experiment only."""


def differs(storage_address: str, key: str) -> bool:
    """Whether a key's URL depends on the encoding, and is short enough in both."""
    urls = {file_url(storage_address, key, encoding=encoding) for encoding in ("percent", "raw")}
    return len(urls) > 1 and all(len(url.encode()) <= URL_BYTES for url in urls)
