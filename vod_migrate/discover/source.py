"""What a run reads of its source, whatever it is: the bucket's own listing, a manifest, an inventory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.discover.held_pages import StreamFolders, settled_pages
from vod_migrate.discover.inventory import inventory_pages
from vod_migrate.discover.listing import Judge, Listing, Unchanged
from vod_migrate.discover.manifest import manifest_pages
from vod_migrate.discover.object_lookup import absent_among, as_told, looked_up
from vod_migrate.discover.page import PAGE_KEYS, ListedPage
from vod_migrate.discover.selection import is_archived
from vod_migrate.discover.stream_lookup import StreamLookup
from vod_migrate.discover.streams import Streams, kin_of
from vod_migrate.errors import Interrupted
from vod_migrate.media import MediaObject
from vod_migrate.results.run import Run
from vod_migrate.results.scan import ListedRange, Scan, ScanKind
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock


class RunSource:
    """The source of one run. Its waits end when the event that each method is given is set."""

    def __init__(self, connection: Connection, run: Run) -> None:
        self._connection = connection
        self._run = run
        self._skips_parts = run.spec.select.hls == "playlists"
        self._folders: StreamFolders | None = None
        self._listed: list[BucketClient] = []

    def steps(self, store: Store, scan: Scan, stop: threading.Event) -> Iterator[ListedPage | Unchanged]:
        """A scan from its cursor on; of a listing several pages at once, and ranges that are as an earlier one of the same prefix left them."""
        if scan.kind is not ScanKind.PREFIX:
            return self.pages(scan.prefix, stop, cursor=scan.cursor)
        return self._listing(
            scan.prefix,
            stop,
            start=scan.last_key or "",
            known=lambda after: store.known_ranges(self._run, scan.prefix, after=after),
            doubt=lambda folder: store.doubt_folder(self._run, folder),
        )

    @property
    def listing_requests(self) -> int:
        """How many requests `steps` and `pages` have sent to list the bucket."""
        return sum(bucket.listing_requests for bucket in self._listed)

    def pages(self, prefix: str, stop: threading.Event, *, cursor: str | None = None) -> Iterator[ListedPage]:
        """The pages below a prefix, whatever an earlier listing found; or those of the manifest or inventory, from a cursor on."""
        spec, sleep = self._run.spec, StopClock(stop).sleep
        manifest, inventory = spec.source.manifest, spec.source.inventory
        if manifest is not None:
            rows = manifest_pages(
                self._connection,
                self._run.bucket,
                manifest,
                cursor=cursor,
                streams=self._streams(stop),
                domains=spec.source.domains,
                zone=spec.zone,
                sleep=sleep,
            )
        elif inventory is not None:
            streams = self._streams(stop)
            rows = inventory_pages(
                self._connection, self._run.bucket, inventory, cursor=cursor, streams=streams, sleep=sleep
            )
        else:
            steps = self._listing(prefix, stop, start="", known=lambda _: (), doubt=lambda _: None)
            return (page for page in steps if isinstance(page, ListedPage))
        if spec.select.archived != "restored" or (manifest is not None and manifest.check == "head"):
            return rows
        # A row may name the storage class, but nothing says whether there is a restored copy.
        return looked_up(rows, self._bucket(), wanted=is_archived, sleep=sleep)

    def parts(self, objects: Sequence[MediaObject], stop: threading.Event) -> Mapping[str, str]:
        """Which objects of the bucket are only parts of a stream, with the reason for which each is left out."""
        if not self._skips_parts:
            return {}
        if self._folders is None:
            lookup = self._lookup(stop)
            self._folders = StreamFolders(Streams(read=lookup.read), lookup.look, lambda _: True)
        page = ListedPage(objects=tuple(objects), cursor=None)
        return self._folders.judged(page, kin_of(objects), None, ended=False).parts

    def now(self, found: MediaObject, stop: threading.Event) -> MediaObject:
        """An object of the bucket as OSS describes it now; as it was where it no longer exists."""
        return as_told(found, self._bucket(), StopClock(stop).sleep) or found

    def absent(self, keys: Iterable[str], prefix: str, stop: threading.Event) -> frozenset[str]:
        """Which of some keys the bucket does not have, given a prefix that the run lists."""
        return absent_among(keys, self._bucket(), prefix=prefix, sleep=StopClock(stop).sleep)

    def _bucket(self) -> BucketClient:
        return open_bucket(self._connection, self._run.bucket)

    def _listing(
        self,
        prefix: str,
        stop: threading.Event,
        *,
        start: str,
        known: Callable[[str], Sequence[ListedRange]],
        doubt: Callable[[str], None],
    ) -> Iterator[ListedPage | Unchanged]:
        bucket = self._bucket()
        self._listed.append(bucket)
        return Listing(
            bucket=bucket,
            prefix=prefix,
            start=start,
            known=known,
            at_once=self._run.spec.source.requests_at_once,
            judge=self._judge(bucket, prefix, stop),
            doubt=doubt,
            sleep=StopClock(stop).sleep,
            most=PAGE_KEYS,
        ).steps()

    def _judge(self, bucket: BucketClient, prefix: str, stop: threading.Event) -> Judge:
        """Says which objects of a listing are parts of a stream, where the run leaves these out."""
        if not self._skips_parts:
            return lambda pages, _: pages
        lookup = StreamLookup(bucket, prefix=prefix, sleep=StopClock(stop).sleep)
        streams = Streams(read=lookup.read)
        return lambda pages, edges: settled_pages(
            _until(stop, pages),
            streams=streams,
            look=lookup.look,
            unsure=lambda folder: folder in edges or not folder.startswith(prefix),
        )

    def _streams(self, stop: threading.Event) -> Streams | None:
        return Streams(read=self._lookup(stop).read) if self._skips_parts else None

    def _lookup(self, stop: threading.Event) -> StreamLookup:
        # Without a prefix: a run of a manifest needs no permission to list.
        return StreamLookup(self._bucket(), prefix=None, sleep=StopClock(stop).sleep)


def check_stop(stop: threading.Event) -> None:
    """Ends discovery where that was asked for.

    Raises:
        Interrupted
    """
    if stop.is_set():
        raise Interrupted("discovery was stopped; it continues at its cursor next time", code="interrupted")


def _until(stop: threading.Event, pages: Iterator[ListedPage]) -> Iterator[ListedPage]:
    # Pages may be held back for long; told to stop, nobody waits for them.
    for page in pages:
        check_stop(stop)
        yield page
