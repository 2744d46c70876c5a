"""Who reads a listing page by page: ours, the SDKs, rclone, and a socket with lxml. Each yields how many keys a page had."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote

import oss2
from lxml import etree
from page_server import PAGE

BUCKET = "media-archive"
FIELDS = {"access_key_id": "id", "access_key_secret": "secret", "region": "cn-shanghai"}
Reader = Callable[[str], Iterator[int]]
"""The pages of the bucket at an endpoint."""


def by_us(endpoint: str) -> Iterator[int]:
    from vod_migrate.discover.prefix_pages import list_pages  # noqa: PLC0415 - once the environment is clean

    for page in list_pages(our_bucket(endpoint), ""):
        yield len(page.objects)


def our_bucket(endpoint: str) -> Any:
    from vod_migrate.cloud.clients import open_bucket  # noqa: PLC0415 - once the environment is clean
    from vod_migrate.cloud.connection import connection_from_fields  # noqa: PLC0415 - once the environment is clean

    return open_bucket(connection_from_fields({**FIELDS, "oss_endpoint": endpoint}, origin="benchmark"), BUCKET)


def by_oss2(endpoint: str) -> Iterator[int]:
    bucket = oss2.Bucket(oss2.AuthV4("id", "secret"), endpoint, BUCKET, region="cn-shanghai")
    found = oss2.ObjectIteratorV2(bucket, max_keys=PAGE)
    while count := sum(1 for _ in islice(found, PAGE)):
        yield count


def by_oss_v2(endpoint: str) -> Iterator[int]:
    import alibabacloud_oss_v2 as oss  # noqa: PLC0415 - may not be there

    settings = oss.config.load_default()
    settings.credentials_provider = oss.credentials.StaticCredentialsProvider("id", "secret")
    settings.region, settings.endpoint = "cn-shanghai", endpoint
    pages = oss.Client(settings).list_objects_v2_paginator(limit=PAGE)
    for page in pages.iter_page(oss.ListObjectsV2Request(bucket=BUCKET)):
        yield len(page.contents)


def by_hand(endpoint: str) -> Iterator[int]:
    """A socket, lxml, and the same value objects: the least that Python can do."""
    from vod_migrate.media import MediaObject  # noqa: PLC0415 - once the environment is clean

    connection = socket.create_connection(("127.0.0.1", int(endpoint.rpartition(":")[2])))
    after = ""
    while True:
        target = f"/{BUCKET}/?list-type=2&max-keys=1000&encoding-type=url&continuation-token={quote(after, safe='')}"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        text = connection.recv(1 << 16)
        head, _, body = text.partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2])
        parts, have = [body], len(body)
        while have < length:
            parts.append(connection.recv(1 << 18))
            have += len(parts[-1])
        root = etree.fromstring(b"".join(parts))
        keys, modified, etags, sizes, classes = (
            root.xpath(f"Contents/{name}/text()", smart_strings=False)
            for name in ("Key", "LastModified", "ETag", "Size", "StorageClass")
        )
        objects = [
            MediaObject(
                bucket=BUCKET,
                key=unquote(one),
                size=int(size),
                etag=etag.strip('"'),
                last_modified=dt.datetime.fromisoformat(moment),
                storage_class=kind,
            )
            for one, moment, etag, size, kind in zip(keys, modified, etags, sizes, classes, strict=True)
        ]
        yield len(objects)
        after = root.findtext("NextContinuationToken") or ""
        if not after:
            return


def by_us_at_once(endpoint: str, at_once: int) -> Iterator[int]:
    """As a first night reads, without selecting and storing."""
    from vod_migrate.discover.listing import Listing  # noqa: PLC0415 - once the environment is clean

    listing = Listing(
        bucket=our_bucket(endpoint),
        prefix="",
        start="",
        known=lambda _: (),
        at_once=at_once,
        judge=lambda pages, _: pages,
        doubt=lambda _: None,
        sleep=time.sleep,
    )
    for page in listing.steps():
        yield len(page.objects)


def by_rclone(endpoint: str) -> Iterator[int]:
    """`rclone lsf --fast-list`. Its provider Alibaba puts the bucket into the host's name, which an address cannot have."""
    remote = (
        ":s3,provider=Other,force_path_style=true,list_version=2,list_url_encode=true,access_key_id=id,"
        f"secret_access_key=secret,endpoint='{endpoint}':{BUCKET}"
    )
    order = ["rclone", "--config", os.devnull, "lsf", "--fast-list", "-R", "--files-only", "--retries", "1", remote]
    # It refuses to start with a bundle of certificates in the environment.
    clean = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    with subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean) as program:
        while program.stdout is not None and (text := program.stdout.read(1 << 20)):
            yield text.count(b"\n")


def others() -> dict[str, Reader]:
    """Those that are installed here; of the rest, it prints how to get them."""
    found: dict[str, Reader] = {"oss2": by_oss2}
    if importlib.util.find_spec("alibabacloud_oss_v2"):
        found["alibabacloud-oss-v2"] = by_oss_v2
    else:
        print("alibabacloud-oss-v2 is not installed here: pip install alibabacloud-oss-v2")
    if shutil.which("rclone"):
        found["rclone lsf --fast-list"] = by_rclone
    else:
        print("rclone is not installed here: apt install rclone")
    return found
