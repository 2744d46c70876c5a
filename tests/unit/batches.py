"""Entries and batches as the worker makes them."""

from __future__ import annotations

from vod_migrate.describe.file_url import file_url
from vod_migrate.media import Batch, Description, Entry, Outcome
from vod_migrate.results.work import Settlement

HOST = "media-archive.oss-cn-shanghai.aliyuncs.com"


def entry(number: int, key: str | None = None, *, title: str = "t", encoding: str = "percent", **more: int) -> Entry:
    name = f"film {number}.mp4" if key is None else key
    return Entry(
        key=name,
        file_url=file_url(HOST, name, encoding=encoding),
        description=Description(title=title),
        **more,
    )


def number_of(one: Entry | Outcome | Settlement) -> int:
    """The number that an entry without a key of its own was made with."""
    return int(one.key.removeprefix("film ").removesuffix(".mp4"))


def batch(*entries: Entry) -> Batch:
    return Batch(storage_address=HOST, entries=entries)


def batch_of(count: int) -> Batch:
    return batch(*(entry(number) for number in range(count)))
