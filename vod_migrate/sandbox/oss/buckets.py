"""ListBuckets, PutBucket, DeleteBucket, GetBucketInfo, GetBucketLocation."""

from __future__ import annotations

import re
from typing import Final

from vod_migrate.sandbox.accounts import Account
from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import HttpReply, Request, element
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.settings import BucketConfig
from vod_migrate.sandbox.state import World

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_STORAGE_CLASS: Final = re.compile(rb"<StorageClass>\s*(\w+)\s*</StorageClass>")
_DEFAULT_PAGE: Final = 100
_MAX_PAGE: Final = 1_000


def check_bucket_name(name: str) -> None:
    """Refuse a name unless it has 3 to 63 lower-case letters, digits and inner hyphens."""
    if not _NAME.fullmatch(name):
        raise OssError("InvalidBucketName", 400, "The specified bucket is not valid.", BucketName=name)


def list_buckets(world: World, account: Account, query: dict[str, str]) -> HttpReply:
    """The buckets of an account, by name. Query: prefix, marker, max-keys."""
    prefix, marker = query.get("prefix", ""), query.get("marker", "")
    text = query.get("max-keys", "") or str(_DEFAULT_PAGE)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_PAGE):
        raise OssError("InvalidArgument", 400, f"Argument max-keys must be 1 to {_MAX_PAGE}.", ArgumentName="max-keys")
    names = sorted(
        name for name, bucket in world.buckets.items()
        if bucket.uid == account.uid and name.startswith(prefix) and name > marker
    )  # fmt: skip
    shown = names[: int(text)]
    truncated = len(names) > len(shown)
    head = [
        element("Prefix", prefix),
        element("Marker", marker),
        element("MaxKeys", text),
        element("IsTruncated", "true" if truncated else "false"),
        element("NextMarker", shown[-1]) if truncated else "",
    ]
    buckets = "".join(f"<Bucket>{_summary(world.buckets[name])}</Bucket>" for name in shown)
    owner = _owner(account.uid)
    return _xml(f"<ListAllMyBucketsResult>{''.join(head)}{owner}<Buckets>{buckets}</Buckets></ListAllMyBucketsResult>")


def put_bucket(world: World, account: Account, name: str, region: str | None, request: Request) -> HttpReply:
    """Make a bucket in the region of the request. It is not added to VOD, which is another service."""
    check_bucket_name(name)
    if name in world.buckets:
        raise OssError(
            "BucketAlreadyExists", 409,
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.", BucketName=name,
        )  # fmt: skip
    found = _STORAGE_CLASS.search(request.body)
    chosen = {
        "name": name,
        "account": account.uid,
        "region": region,
        "in_vod": False,
        "storage_class": found[1].decode() if found else "Standard",
    }
    world.set_bucket(BucketConfig.model_validate(chosen))
    return HttpReply(headers={"Location": f"/{name}"})


def delete_bucket(world: World, bucket: Bucket) -> HttpReply:
    """Remove an empty bucket."""
    if not bucket.empty:
        raise OssError("BucketNotEmpty", 409, "The bucket you tried to delete is not empty.", BucketName=bucket.name)
    del world.buckets[bucket.name]
    return HttpReply(status=204)


def bucket_info(bucket: Bucket) -> HttpReply:
    """GetBucketInfo."""
    more = [
        _owner(bucket.uid),
        "<AccessControlList><Grant>private</Grant></AccessControlList>",
        element("DataRedundancyType", "LRS"),
        element("Versioning", "Disabled"),
        element("AccessMonitor", "Disabled"),
        element("TransferAcceleration", "Disabled"),
        element("CrossRegionReplication", "Disabled"),
    ]
    return _xml(f"<BucketInfo><Bucket>{_summary(bucket)}{''.join(more)}</Bucket></BucketInfo>")


def bucket_location(bucket: Bucket) -> HttpReply:
    """GetBucketLocation."""
    return _xml(element("LocationConstraint", f"oss-{bucket.region}"))


def _summary(bucket: Bucket) -> str:
    return "".join([
        element("CreationDate", bucket.created),
        element("ExtranetEndpoint", f"oss-{bucket.region}.aliyuncs.com"),
        element("IntranetEndpoint", f"oss-{bucket.region}-internal.aliyuncs.com"),
        element("Location", f"oss-{bucket.region}"),
        element("Name", bucket.name),
        element("Region", bucket.region),
        element("StorageClass", bucket.storage_class),
    ])  # fmt: skip


def _owner(uid: str) -> str:
    return f"<Owner><ID>{uid}</ID><DisplayName>{uid}</DisplayName></Owner>"


def _xml(text: str) -> HttpReply:
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    return HttpReply(headers={"Content-Type": "application/xml"}, body=document.encode())
