"""RegisterMedia: which files are registered, which fail, and how each is reported."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, cast
from urllib.parse import unquote

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.objects.content import extension_of, format_of_name
from vod_migrate.sandbox.objects.object import StoredObject
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.library import CallOptions, Extras, Registration, canonical_url
from vod_migrate.sandbox.vod.metadata import Metadata, read_metadatas
from vod_migrate.sandbox.vod.parameters import Parameters, boolean, invalid, required
from vod_migrate.sandbox.vod.userdata import check_user_data

# Supported formats: "Media uploader" page of the VOD user guide.
EXTENSIONS: Final = frozenset(
    [
        "mp4",
        "ts",
        "3gp",
        "mpg",
        "mpeg",
        "mpe",
        "dat",
        "vob",
        "asf",
        "avi",
        "wmv",
        "flv",
        "f4v",
        "rm",
        "rmvb",
        "mov",
        "mkv",
        "m3u8",
        "dv",
        "gif",
        "m2t",
        "m4v",
        "mj2",
        "mjpeg",
        "mts",
        "ogg",
        "qt",
        "swf",
        "webm",
        "mp3",
        "wma",
        "wav",
        "aac",
        "ra",
        "m4a",
        "flac",
        "ape",
        "ac3",
        "amr",
        "caf",
        "acm",
    ]
)
_PERCENT_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})+")
_FileFault = Literal["fail_files", "omit_files", "both_lists"]
_FILE_FAULTS: Final = frozenset({"fail_files", "omit_files", "both_lists"})
_SHARED: Final = frozenset({"same_media_id"})
_WORKFLOW: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file of a call. `key` is the object to register, None if it fails; `fault` changes how it is reported."""

    metadata: Metadata
    key: str | None
    fault: _FileFault | None = None
    shared_id: str | None = None


def register_media(world: World, account: Account, parameters: Parameters) -> tuple[dict[str, Any], int]:
    """The reply without its RequestId, and the number of files. A refused call changes nothing."""
    metadatas = read_metadatas(required(parameters, "RegisterMetadatas"), account.categories)
    options = _options(account, parameters)
    bucket = _bucket(world, account, metadatas[0])
    if bucket is None:
        return _reply(world, [], [file.file_url for file in metadatas]), len(metadatas)
    files = [_examine(world, account, bucket, metadata) for metadata in metadatas]
    now = round(world.process_time(), 3)
    registered: list[dict[str, Any]] = []
    failed: list[str] = []
    for file in files:
        row = None if file.key is None else _register(world, account, bucket, file.metadata, file.key, options, now)
        if file.fault == "omit_files":
            continue
        if row is None or file.fault in {"fail_files", "both_lists"}:
            failed.append(file.metadata.file_url)
        if row is not None and file.fault != "fail_files":
            registered.append(row if file.shared_id is None else {**row, "MediaId": file.shared_id})
    return _reply(world, registered, failed), len(files)


def keys_of(parameters: Parameters) -> list[str]:
    """The keys that a call names, for faults; empty if it is malformed."""
    try:
        items = json.loads(parameters.get("RegisterMetadatas", ""))
        return [unquote(str(item["FileURL"]).split("/", 3)[3]) for item in items]
    except (ValueError, TypeError, KeyError, IndexError):
        return []


def _options(account: Account, parameters: Parameters) -> CallOptions:
    group_id, workflow_id = parameters.get("TemplateGroupId", ""), parameters.get("WorkflowId", "")
    cover = boolean(parameters, "EnableFirstFrameCover")
    thumbnail = boolean(parameters, "GenerateThumbnail")
    user_data = parameters.get("UserData") or None
    if user_data is not None:
        check_user_data(user_data)
    if workflow_id:
        # It takes precedence, so a template group beside it is ignored.
        if not _WORKFLOW.fullmatch(workflow_id):
            raise invalid("WorkflowId", "it must be 32 lower-case hex digits")
        if not account.templates.has_workflow(workflow_id):
            raise VodError("InvalidWorkflowId.NotFound", 404, f"The workflow {workflow_id} does not exist.")
        return CallOptions(
            workflow_id=workflow_id, user_data=user_data, enable_first_frame_cover=cover, generate_thumbnail=thumbnail
        )
    if group_id and not account.templates.has_group(group_id):
        raise VodError("InvalidTemplateGroupId.NotFound", 404, f"The template group {group_id} does not exist.")
    return CallOptions(
        template_group_id=group_id or None,
        user_data=user_data,
        enable_first_frame_cover=cover,
        generate_thumbnail=thumbnail,
    )


def _bucket(world: World, account: Account, metadata: Metadata) -> Bucket | None:
    bucket = world.buckets.get(metadata.bucket)
    if bucket is not None and bucket.in_vod and bucket.uid == account.uid and bucket.region == metadata.region:
        return bucket
    if world.settings.foreign_bucket == "failed":
        return None
    address = f"{metadata.bucket}.oss-{metadata.region}.aliyuncs.com"
    raise VodError("InvalidFileURL.StorageNotAdded", 400, f"The storage address {address} is not added to VOD.")


def _examine(world: World, account: Account, bucket: Bucket, metadata: Metadata) -> _File:
    settings = world.settings
    candidates = _candidates(settings.url_encoding, metadata.path)
    key = next((key for key in candidates if _visible(account, bucket, key)), None)
    subject = key or next(iter(candidates), metadata.path)
    if extension_of(subject) not in EXTENSIONS:
        if settings.bad_extension == "refuse":
            raise VodError("InvalidFileURL.Extension", 400, f"{metadata.file_url} has no valid file extension.")
        key = None
    elif key is None and settings.missing_file == "refuse":
        raise VodError("InvalidFileURL.NotFound", 404, f"{metadata.file_url} does not exist.")
    shared = _struck(world, account, subject, _SHARED) if key is not None else None
    shared_id = None if shared is None else f"{shared.seed:032x}"[-32:]
    fault = _struck(world, account, subject, _FILE_FAULTS)
    if fault is None:
        return _File(metadata=metadata, key=key, shared_id=shared_id)
    registers = fault.kind == "both_lists" or fault.when == "after"
    return _File(
        metadata=metadata, key=key if registers else None, fault=cast("_FileFault", fault.kind), shared_id=shared_id
    )


def _struck(world: World, account: Account, key: str, kinds: frozenset[str]) -> FaultConfig | None:
    fault = world.faults.for_file("RegisterMedia", account.uid, key, kinds)
    if fault is not None:
        world.counters.of(account.uid, "RegisterMedia").faults_by_kind[fault.kind] += 1
    return fault


def _candidates(encoding: str, path: str) -> list[str]:
    """The keys that a path may mean, the most likely first."""
    keys: list[str] = []
    if encoding != "raw" and _PERCENT_ENCODED.fullmatch(path):
        with contextlib.suppress(UnicodeDecodeError):
            keys.append(unquote(path, errors="strict"))
    if encoding != "percent" and path not in keys:
        keys.append(path)
    return keys


def _visible(account: Account, bucket: Bucket, key: str) -> bool:
    if account.library.get(bucket.name, key) is not None:
        return True
    entry = bucket.find(key)
    return entry is not None and not entry.missing


def _register(
    world: World, account: Account, bucket: Bucket, metadata: Metadata, key: str, options: CallOptions, now: float
) -> dict[str, Any] | None:
    library = account.library
    media_id = library.media_id(world.settings.seed, account.uid, bucket.name, key)
    known = library.get(bucket.name, key)
    if known is not None:
        known.registrations += 1
        if world.journal is not None:
            world.journal.effect(account.uid, bucket.name, key, known)
        return {"NewRegister": False, "FileURL": metadata.file_url, "MediaId": media_id}
    reference_id = metadata.extras.reference_id
    if reference_id is not None and library.by_reference(reference_id) is not None:
        return None
    entry = bucket.find(key)
    unreadable = entry is not None and not bucket.readable(entry, world.process_time())
    if unreadable and world.settings.archived_file == "failed":
        return None
    picky = world.settings.bad_content == "failed"
    if picky and entry is not None and not unreadable and bucket.format_of(entry) != format_of_name(key):
        return None
    usual = metadata.file_url == canonical_url(bucket.storage_address, key)
    registration = new_registration(
        bucket,
        entry,
        title=metadata.title,
        extras=metadata.extras,
        options=options,
        file_url=None if usual else metadata.file_url,
        now=now,
    )
    library.add(bucket.name, key, registration, media_id)
    if world.journal is not None:
        world.journal.effect(account.uid, bucket.name, key, registration)
    return {"NewRegister": True, "FileURL": metadata.file_url, "MediaId": media_id}


def new_registration(
    bucket: Bucket,
    entry: StoredObject | None,
    *,
    title: str,
    extras: Extras,
    options: CallOptions,
    file_url: str | None,
    now: float,
) -> Registration:
    """The registration of an object in its present state: how VOD processes it follows from its content."""
    readable = entry is not None and bucket.readable(entry, now)
    return Registration(
        title=title,
        extras=extras,
        options=options,
        file_url=file_url,
        at=now,
        size=entry.size if entry else 0,
        source=bucket.format_of(entry) if entry and readable else "archived",
    )


def _reply(world: World, registered: list[dict[str, Any]], failed: list[str]) -> dict[str, Any]:
    scheme = world.settings.reply_scheme
    for row in registered:
        row["FileURL"] = _with_scheme(scheme, row["FileURL"])
    failed = [_with_scheme(scheme, url) for url in failed]
    if world.settings.failed_form == "json":
        failed = [json.dumps([url], ensure_ascii=False) for url in failed]
    return {"RegisteredMediaList": registered, "FailedFileURLs": failed}


def _with_scheme(scheme: str, url: str) -> str:
    return url if scheme == "same" else f"{scheme}://{url.partition('://')[2]}"
