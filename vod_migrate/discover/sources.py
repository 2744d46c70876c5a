"""The pages of a run's source, whatever it is: the bucket's own listing, a manifest, an inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vod_migrate.connection import Connection
from vod_migrate.discover.hls import folder_of, folders_above, settled_pages
from vod_migrate.discover.inventory import inventory_pages
from vod_migrate.discover.manifest import manifest_pages
from vod_migrate.discover.oss import holds_playlist, list_pages, open_bucket
from vod_migrate.discover.page import ListedPage
from vod_migrate.results.rows import Run, Scan

__all__ = ["Pages", "source_pages"]

Pages = Callable[[Scan], Iterator[ListedPage]]
"""The pages of a scan from its cursor on."""


def source_pages(connection: Connection, run: Run, *, sleep: Callable[[float], None]) -> Pages:
    """What the run's migration names as its source. sleep: waits between tries."""
    source = run.spec.source
    hls = run.spec.select.hls == "playlists"

    def listed(scan: Scan) -> Iterator[ListedPage]:
        bucket = open_bucket(connection, run.bucket)
        pages = list_pages(bucket, scan.prefix, cursor=scan.cursor, after=scan.last_key, sleep=sleep)
        if not hls:
            return pages
        # A folder that the listing enters in its middle may have its playlist before that place.
        begun = set() if scan.last_key is None else folders_above(scan.last_key)
        top = folder_of(scan.prefix)
        unsure = {folder for folder in begun if folder.startswith(scan.prefix)} | {
            folder for folder in (top,) if folder != scan.prefix
        }
        return settled_pages(pages, look=lambda folder: holds_playlist(bucket, folder, sleep=sleep), unsure=unsure)

    def of_manifest(scan: Scan) -> Iterator[ListedPage]:
        if source.manifest is None:
            raise AssertionError("only asked where there is a manifest")
        return manifest_pages(connection, run.bucket, source.manifest, cursor=scan.cursor, hls=hls, sleep=sleep)

    def of_inventory(scan: Scan) -> Iterator[ListedPage]:
        if source.inventory is None:
            raise AssertionError("only asked where there is an inventory")
        return inventory_pages(connection, run.bucket, source.inventory, cursor=scan.cursor, hls=hls, sleep=sleep)

    if source.manifest is not None:
        return of_manifest
    return of_inventory if source.inventory is not None else listed
