"""The pages of a run's source, whatever it is: the bucket's own listing, a manifest, an inventory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.discover.held_pages import settled_pages
from vod_migrate.discover.inventory import inventory_pages
from vod_migrate.discover.listing import Judge, Listing, Unchanged
from vod_migrate.discover.manifest import manifest_pages
from vod_migrate.discover.object_lookup import as_told, looked_up
from vod_migrate.discover.page import PAGE_KEYS, ListedPage
from vod_migrate.discover.prefix_pages import list_pages
from vod_migrate.discover.presence import absent_among
from vod_migrate.discover.read_ahead import read_ahead
from vod_migrate.discover.selection import is_archived
from vod_migrate.discover.stream_lookup import StreamJudge, StreamLookup
from vod_migrate.discover.streams import Streams
from vod_migrate.errors import Interrupted
from vod_migrate.media import MediaObject
from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan, ScanKind
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock

Pages = Callable[[Scan, threading.Event], Iterator[ListedPage]]
"""The pages of a scan, of a manifest or inventory from its cursor on; waits end when the event is set."""
Steps = Callable[[Scan, threading.Event], Iterator[ListedPage | Unchanged]]
"""The same, of a listing from its cursor on, and several at once; where an earlier one is known, also ranges that are as they were."""


def pages_of(connection: Connection, run: Run) -> Pages:
    """What the run's migration names as its source."""
    source = run.spec.source
    restored = run.spec.select.archived == "restored"

    def listed(scan: Scan, stop: threading.Event) -> Iterator[ListedPage]:
        bucket = open_bucket(connection, run.bucket)
        pages = list_pages(bucket, scan.prefix, sleep=StopClock(stop).sleep)
        return _judge(bucket, run, scan.prefix, stop)(read_ahead(pages), set())

    def of_manifest(scan: Scan, stop: threading.Event) -> Iterator[ListedPage]:
        if source.manifest is None:
            raise AssertionError("only asked where there is a manifest")
        return manifest_pages(
            connection,
            run.bucket,
            source.manifest,
            cursor=scan.cursor,
            streams=_streams(connection, run, stop),
            domains=source.domains,
            zone=run.spec.zone,
            sleep=StopClock(stop).sleep,
        )

    def of_inventory(scan: Scan, stop: threading.Event) -> Iterator[ListedPage]:
        if source.inventory is None:
            raise AssertionError("only asked where there is an inventory")
        return inventory_pages(
            connection,
            run.bucket,
            source.inventory,
            cursor=scan.cursor,
            streams=_streams(connection, run, stop),
            sleep=StopClock(stop).sleep,
        )

    if source.listed:
        return listed
    rows = of_inventory if source.inventory is not None else of_manifest
    if not restored or (source.manifest is not None and source.manifest.check == "head"):
        return rows

    def with_copies(scan: Scan, stop: threading.Event) -> Iterator[ListedPage]:
        # A row may name the storage class, but nothing says whether there is a restored copy.
        client = open_bucket(connection, run.bucket)
        return looked_up(rows(scan, stop), client, wanted=is_archived, sleep=StopClock(stop).sleep)

    return with_copies


def steps_of(connection: Connection, run: Run, store: Store) -> Steps:
    """What the run's migration names as its source, by what an earlier listing of the same prefix left behind."""
    pages = pages_of(connection, run)

    def steps(scan: Scan, stop: threading.Event) -> Iterator[ListedPage | Unchanged]:
        if scan.kind is not ScanKind.PREFIX:
            return pages(scan, stop)
        bucket = open_bucket(connection, run.bucket)
        return Listing(
            bucket,
            scan.prefix,
            start=scan.last_key or "",
            known=lambda after: store.known_ranges(run, scan.prefix, after=after),
            at_once=run.spec.source.requests_at_once,
            judge=_judge(bucket, run, scan.prefix, stop),
            doubt=lambda folder: store.doubt_folder(run, folder),
            sleep=StopClock(stop).sleep,
            most=PAGE_KEYS,
        ).steps()

    return steps


def _judge(bucket: BucketClient, run: Run, prefix: str, stop: threading.Event) -> Judge:
    """Says which objects of a listing are parts of a stream, where the run leaves these out."""
    if run.spec.select.hls != "playlists":
        return lambda pages, _: pages
    lookup = StreamLookup(bucket, prefix=prefix, sleep=StopClock(stop).sleep)
    streams = Streams(read=lookup.read)
    return lambda pages, edges: settled_pages(
        _until(stop, pages),
        streams=streams,
        look=lookup.look,
        unsure=lambda folder: folder in edges or not folder.startswith(prefix),
    )


def parts_of(connection: Connection, run: Run) -> Callable[[Sequence[MediaObject], threading.Event], Mapping[str, str]]:
    """Which objects of the run's bucket are only parts of a stream, with the reason for which each is left out."""
    if run.spec.select.hls != "playlists":
        return lambda _objects, _stop: {}
    judge: StreamJudge | None = None

    def parts(objects: Sequence[MediaObject], stop: threading.Event) -> Mapping[str, str]:
        nonlocal judge
        if judge is None:
            judge = StreamJudge(open_bucket(connection, run.bucket), sleep=StopClock(stop).sleep)
        return judge.parts(objects)

    return parts


def object_of(connection: Connection, run: Run) -> Callable[[MediaObject, threading.Event], MediaObject]:
    """An object of the run's bucket as OSS describes it now; as it was where it no longer exists."""

    def look(found: MediaObject, stop: threading.Event) -> MediaObject:
        return as_told(found, open_bucket(connection, run.bucket), StopClock(stop).sleep) or found

    return look


def absent_of(connection: Connection, run: Run) -> Callable[[Iterable[str], str, threading.Event], frozenset[str]]:
    """Which of some keys the run's bucket does not have, given a prefix that the run lists."""

    def absent(keys: Iterable[str], prefix: str, stop: threading.Event) -> frozenset[str]:
        return absent_among(keys, open_bucket(connection, run.bucket), prefix=prefix, sleep=StopClock(stop).sleep)

    return absent


def _streams(connection: Connection, run: Run, stop: threading.Event) -> Streams | None:
    if run.spec.select.hls != "playlists":
        return None
    lookup = StreamLookup(open_bucket(connection, run.bucket), prefix=None, sleep=StopClock(stop).sleep)
    return Streams(read=lookup.read)


def _until(stop: threading.Event, pages: Iterator[ListedPage]) -> Iterator[ListedPage]:
    # Pages may be held back for long; told to stop, nobody waits for them.
    for page in pages:
        if stop.is_set():
            raise Interrupted("discovery was stopped; it continues at its cursor next time", code="interrupted")
        yield page
