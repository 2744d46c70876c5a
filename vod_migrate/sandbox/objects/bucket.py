"""A bucket: a generated data set (or none) with uploads and deletions over it."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from itertools import islice
from operator import itemgetter

from vod_migrate.sandbox.objects import content
from vod_migrate.sandbox.objects.dataset import Dataset, Rollup, no_rollup
from vod_migrate.sandbox.objects.object import ARCHIVED_CLASSES, StoredObject, UnfinishedUpload, Upload
from vod_migrate.sandbox.objects.restore import Restore
from vod_migrate.sandbox.settings import DatasetConfig


class Bucket:
    """The objects of one bucket, in UTF-8 byte order, and who may see them."""

    def __init__(self, *, name: str, uid: str, region: str, in_vod: bool, storage_class: str, created: str) -> None:
        self.name = name
        self.uid = uid
        self.region = region
        self.in_vod = in_vod
        self.storage_class = storage_class
        self.created = created
        self.dataset: Dataset | None = None
        self._uploads: dict[str, Upload] = {}
        self._uploaded: list[str] = []
        self._deleted: list[str] = []
        self._restores: dict[str, Restore] = {}
        self.unfinished: dict[str, UnfinishedUpload] = {}

    @property
    def storage_address(self) -> str:
        """The public host of the bucket."""
        return f"{self.name}.oss-{self.region}.aliyuncs.com"

    @property
    def empty(self) -> bool:
        """Whether it has no objects."""
        return not any(True for _ in islice(self.scan(""), 1))

    def generate(self, config: DatasetConfig) -> None:
        """Replace the generated data set; uploads stay, deletions of generated objects are forgotten."""
        self.dataset = Dataset(config)
        self._deleted = []
        self._restores = {}

    def put(self, upload: Upload) -> None:
        """Store an object, or replace the one with its key."""
        key = upload.entry.key
        if key not in self._uploads:
            insort(self._uploaded, key)
        self._uploads[key] = upload
        self._restores.pop(key, None)

    def delete(self, key: str) -> None:
        """Remove an object. As in OSS, a missing key is not an error."""
        self._restores.pop(key, None)
        if self._uploads.pop(key, None) is not None:
            del self._uploaded[bisect_left(self._uploaded, key)]
        if self.dataset is not None and not self._is_deleted(key) and self.dataset.find(key) is not None:
            insort(self._deleted, key)

    def upload(self, key: str) -> Upload | None:
        """The uploaded object of that key, with its content."""
        return self._uploads.get(key)

    @property
    def has_restores(self) -> bool:
        """Whether any object has a restore, perhaps an expired one."""
        return bool(self._restores)

    def restore(self, key: str) -> Restore | None:
        """The last restore of an object, perhaps expired."""
        return self._restores.get(key)

    def set_restore(self, key: str, restore: Restore) -> None:
        """Start a restore, or replace the one before it."""
        self._restores[key] = restore

    def readable(self, entry: StoredObject, now: float) -> bool:
        """Whether an object can be read: it is not archived, or has a restored copy."""
        if entry.storage_class not in ARCHIVED_CLASSES:
            return True
        restore = self._restores.get(entry.key)
        return restore is not None and restore.readable(now)

    def format_of(self, entry: StoredObject) -> str:
        """The format of an object's content, by its first bytes: see `objects.content`."""
        upload = self._uploads.get(entry.key)
        if upload is not None:
            return content.recognised(upload.content[: content.HEAD_BYTES])
        if self.dataset is None or not entry.size:
            return "empty"
        return self.dataset.format_of(entry.key)

    def find(self, key: str) -> StoredObject | None:
        """The object of that key, uploaded or generated."""
        upload = self._uploads.get(key)
        if upload is not None:
            return upload.entry
        if self.dataset is None or self._is_deleted(key):
            return None
        return self.dataset.find(key)

    def scan(
        self, start: str, *, inclusive: bool = True, rollup: Rollup = no_rollup
    ) -> Iterator[tuple[str, StoredObject | None]]:
        """Keys from `start` on, ascending, each with its entry; see `Dataset.scan` for entries that are None."""
        if self.dataset is None:
            return self._scan_uploads(start, inclusive=inclusive)
        generated = self.dataset.scan(start, inclusive=inclusive, rollup=rollup, holes=self._holes())
        if not self._uploaded and not self._deleted:
            return generated
        visible = (found for found in generated if found[0] not in self._uploads and not self._is_deleted(found[0]))
        return heapq.merge(visible, self._scan_uploads(start, inclusive=inclusive), key=itemgetter(0))

    def _scan_uploads(self, start: str, *, inclusive: bool) -> Iterator[tuple[str, StoredObject | None]]:
        place = (bisect_left if inclusive else bisect_right)(self._uploaded, start)
        while place < len(self._uploaded):
            key = self._uploaded[place]
            yield key, self._uploads[key].entry
            place += 1

    def _holes(self) -> Callable[[str], bool]:
        deleted = self._deleted

        def holes(folder: str) -> bool:
            place = bisect_left(deleted, folder)
            return place < len(deleted) and deleted[place].startswith(folder)

        return holes

    def _is_deleted(self, key: str) -> bool:
        place = bisect_left(self._deleted, key)
        return place < len(self._deleted) and self._deleted[place] == key
