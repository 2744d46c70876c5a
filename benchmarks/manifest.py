"""How long a manifest of 1,000,000 rows takes to read, and how much memory: python benchmarks/manifest.py [ROWS]."""

from __future__ import annotations

import datetime as dt
import resource
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.discover.manifest import manifest_pages
from vod_migrate.discover.selection import Selection
from vod_migrate.migration.source import Manifest, Select

FIELDS = {
    "access_key_id": "id",
    "access_key_secret": "secret",
    "region": "cn-shanghai",
    "oss_endpoint": "http://127.0.0.1:9",
}


def read(path: Path) -> tuple[int, int]:
    """How many objects a manifest holds, and how many of them are selected."""
    connection = connection_from_fields(FIELDS, origin="the benchmark")
    selection = Selection(Select(), now=dt.datetime.now(dt.UTC))
    objects = selected = 0
    for page in manifest_pages(connection, "media-archive", Manifest(location=str(path))):
        objects += len(page.objects)
        selected += len(selection.select(page).kept)
    return objects, selected


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.csv", Path(folder) / "large.csv"
        for path, count in ((small, rows // 10), (large, rows)):
            with path.open("w", encoding="utf-8") as file:
                file.write("key,size,etag,last_modified,storage_class,title\n")
                for n in range(count):
                    file.write(
                        f"archive/{n // 1000:05}/clip-{n:08}.mp4,1048576,E{n:031},2024-05-01T10:00:00Z,IA,Clip {n}\n"
                    )
        read(small)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        objects, selected = read(large)
        seconds = time.perf_counter() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        megabytes = large.stat().st_size / 1e6
        print(
            f"{objects:,} rows of {megabytes:,.0f} MB, {selected:,} selected, in {seconds:.1f} s ({objects / seconds:,.0f}/s)"
        )
        print(
            f"resident memory: {before / 1024:.0f} MiB after a tenth of the rows, {grown / 1024:+.1f} MiB for all of them"
        )
        tracemalloc.start()
        read(small)
        print(
            f"Python's own peak while reading {rows // 10:,} rows: {tracemalloc.get_traced_memory()[1] / 2**20:.1f} MiB"
        )


if __name__ == "__main__":
    main()
