"""A generated data set: any number of keys, computed from the seed.

The keys lie in blocks of about 1,000. The folder names of blocks ascend, so the block of any key is found by bisection,
and a block's entries are a pure function of the seed and the block's number. A few blocks are remembered.
"""

from __future__ import annotations

import hashlib
import random
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

from vod_migrate.sandbox.objects import content, names
from vod_migrate.sandbox.objects.object import StoredObject
from vod_migrate.sandbox.settings import DatasetConfig

BLOCK_KEYS: Final = 1_000
_REMEMBERED_BLOCKS: Final = 32
_EPOCH: Final = date(2024, 1, 1)
_SPAN_DAYS: Final = 600
_TYPICAL_SIZES: Final = 512
_HLS_SEGMENTS: Final = (8, 60)
_MARKER_SHARE: Final = 0.1
_EMPTY_SHARE: Final = 0.004
_INFREQUENT_SHARE: Final = 0.05
_PATTERN_BYTES: Final = 65_536
_MISLABELLED: Final = ("mp3", "matroska", "avi", "flv")

# Made once: a key takes a microsecond or two, and formatting a time would be a third of that.
_TIMES: Final = [f"T{minute // 60:02d}:{minute % 60:02d}:{minute * 7 % 60:02d}.000Z" for minute in range(1_440)]
_ENTRY: Final = StoredObject._make

Rollup = Callable[[str], str | None]


class Dataset:
    """The objects of one `DatasetConfig`, in UTF-8 byte order."""

    def __init__(self, config: DatasetConfig) -> None:
        self.config = config
        days = config.dates.days if config.dates else 1
        self.blocks = 0 if config.count == 0 else min(config.count, max(-(-config.count // BLOCK_KEYS), days))
        self._width = max(5, len(str(self.blocks)))
        self._memory: OrderedDict[int, tuple[list[str], list[StoredObject]]] = OrderedDict()
        dirt = config.dirt
        self._long = config.long_keys if config.long_keys is not None else min(0.002 * dirt, 1)
        self._hls = config.hls if config.hls is not None else min(0.05 * dirt, 1)
        self._archived = config.archived if config.archived is not None else min(0.02 * dirt, 1)
        size, rng = config.size, random.Random(config.seed)  # noqa: S311 - repeatable on purpose
        self._sizes = [size.median * rng.lognormvariate(0, size.sigma) for _ in range(_TYPICAL_SIZES)]
        total = 0.0
        self._dirt: list[tuple[float, names.Maker]] = []
        for share, maker in names.DIRT:
            total += share * dirt
            self._dirt.append((total, maker))

    def folder(self, number: int) -> str:
        """The folder of a block, `/` included: no other block's keys begin with it."""
        config = self.config
        day = f"{self._day(number).isoformat()}/" if config.dates else ""
        suffix = names.FOLDERS[(number * 7 + config.seed) % len(names.FOLDERS)] if config.dirt else ""
        return f"{config.prefix}{day}{number:0{self._width}d}{suffix}/"

    def find(self, key: str) -> StoredObject | None:
        """The object of that key."""
        number = self._block_of(key)
        if number is None:
            return None
        keys, entries = self._block(number)
        place = bisect_left(keys, key)
        return entries[place] if place < len(keys) and keys[place] == key else None

    def scan(
        self, start: str, *, inclusive: bool, rollup: Rollup, holes: Callable[[str], bool]
    ) -> Iterator[tuple[str, StoredObject | None]]:
        """Keys from `start` on with their entries, ascending.

        Where `rollup` puts a whole block under one common prefix, `(folder, None)` stands for it, without a look at
        its entries, unless `holes(folder)` says that some of its objects were deleted.
        """
        number = self._last_not_above(start)
        if number >= 0 and start.startswith(self.folder(number)):
            keys, entries = self._block(number)
            place = bisect_left(keys, start) if inclusive else bisect_right(keys, start)
            for entry in entries[place:]:
                yield entry.key, entry
        for following in range(number + 1, self.blocks):
            folder = self.folder(following)
            if rollup(folder) is not None and not holes(folder):
                yield folder, None
            else:
                for entry in self._block(following)[1]:
                    yield entry.key, entry

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """`length` deterministic bytes of an object from offset `start` on, in pieces."""
        head = self._head(key)
        if start < len(head) and length > 0:
            piece = head[start:][:length]
            yield piece
            start += len(piece)
            length -= len(piece)
        pattern = hashlib.shake_128(f"{self.config.seed}:{key}".encode()).digest(_PATTERN_BYTES)
        while length > 0:
            piece = pattern[start % _PATTERN_BYTES :][:length]
            yield piece
            start += len(piece)
            length -= len(piece)

    def format_of(self, key: str) -> str:
        """The format of an object's content: that of its extension, unless it is one of the corrupt or mislabelled."""
        config, promised = self.config, content.format_of_name(key)
        if not config.corrupt + config.mislabelled or not content.is_media(promised):
            return promised
        digest = hashlib.blake2b(f"{config.seed}:{key}".encode(), digest_size=8).digest()
        luck = int.from_bytes(digest[:6], "big") / 2**48
        if luck < config.corrupt:
            return content.NOT_MEDIA[digest[6] % len(content.NOT_MEDIA)]
        if luck < config.corrupt + config.mislabelled:
            others = [name for name in _MISLABELLED if name != promised]
            return others[digest[6] % len(others)]
        return promised

    def _head(self, key: str) -> bytes:
        name = self.format_of(key)
        return self._playlist(key) if name == "hls" else content.head(name)

    def _playlist(self, key: str) -> bytes:
        """The playlist of an HLS folder: it names each segment beside it, and empty lines pad it to its size."""
        folder = key.rpartition("/")[0] + "/"
        number = self._block_of(key)
        keys, entries = self._block(number) if number is not None else ([], [])
        place = bisect_left(keys, key)
        size = entries[place].size if place < len(keys) and keys[place] == key else 0
        beside = (name for name in keys[bisect_left(keys, folder) :] if name.startswith(folder) and name != key)
        lines = "".join(f"#EXTINF:6.0,\n{name.removeprefix(folder)}\n" for name in beside if name.endswith(".ts"))
        text = content.head("hls") + f"#EXT-X-TARGETDURATION:6\n{lines}#EXT-X-ENDLIST\n".encode()
        return text.ljust(size, b"\n")

    def _last_not_above(self, key: str) -> int:
        low, high = 0, self.blocks
        while low < high:
            middle = (low + high) // 2
            if self.folder(middle) <= key:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _block_of(self, key: str) -> int | None:
        number = self._last_not_above(key)
        return number if number >= 0 and key.startswith(self.folder(number)) else None

    def _day(self, number: int) -> date:
        dates = self.config.dates
        if dates is None:
            return _EPOCH + timedelta(days=_SPAN_DAYS * number // self.blocks)
        return dates.start + timedelta(days=number * dates.days // self.blocks)

    def _block(self, number: int) -> tuple[list[str], list[StoredObject]]:
        known = self._memory.get(number)
        if known is not None:
            self._memory.move_to_end(number)
            return known
        entries = self._make(number)
        block = [entry.key for entry in entries], entries
        self._memory[number] = block
        if len(self._memory) > _REMEMBERED_BLOCKS:
            self._memory.popitem(last=False)
        return block

    def _make(self, number: int) -> list[StoredObject]:
        config = self.config
        count = config.count * (number + 1) // self.blocks - config.count * number // self.blocks
        rng = random.Random(f"{config.seed}/{number}")  # noqa: S311 - repeatable on purpose
        folder = self.folder(number)
        made: list[tuple[str, int]] = []
        if config.dirt and count > 1 and rng.random() < _MARKER_SHARE * config.dirt:
            made.append((folder, 0))
        made.extend(self._hls_folders(rng, folder, count - len(made)))
        made.extend(self._files(rng, folder, count - len(made)))
        made.sort()
        return self._entries(rng, made, number)

    def _hls_folders(self, rng: random.Random, folder: str, room: int) -> list[tuple[str, int]]:
        made: list[tuple[str, int]] = []
        wanted = int(room * self._hls + rng.random() * _HLS_SEGMENTS[0] * 2 * bool(self._hls))
        while len(made) + _HLS_SEGMENTS[0] <= min(wanted, room):
            inside = f"{folder}stream-{len(made):05d}/"
            segments = min(rng.randint(*_HLS_SEGMENTS), min(wanted, room) - len(made)) - 1
            made.append((f"{inside}index.m3u8", 40 * segments + 120))
            made.extend((f"{inside}seg-{place:05d}.ts", rng.randint(300_000, 3_000_000)) for place in range(segments))
        return made

    def _files(self, rng: random.Random, folder: str, count: int) -> list[tuple[str, int]]:
        draw, sizes, dirt = rng.random, self._sizes, self._dirt
        clean = names.usual if self.config.dirt else names.plain
        dirty, long_share, empty = dirt[-1][0], self._long, _EMPTY_SHARE * self.config.dirt
        maximum, choices = self.config.size.maximum, len(sizes)
        made: list[tuple[str, int]] = []
        for serial in range(count):
            luck = draw()
            if luck >= dirty:
                name = clean(rng, serial)
            else:
                name = next(maker for limit, maker in dirt if luck < limit)(rng, serial)
            if long_share and draw() < long_share:
                name = names.long_name(rng, serial, folder)
            # One of a few typical sizes, moved by up to 10 %: drawing from the distribution itself takes longer than
            # everything else about a key.
            size = 0 if empty and draw() < empty else int(sizes[int(draw() * choices)] * (0.9 + 0.2 * draw())) + 1
            made.append((folder + name, min(size, maximum)))
        return made

    def _entries(self, rng: random.Random, made: list[tuple[str, int]], number: int) -> list[StoredObject]:
        config, draw, archived, hidden = self.config, rng.random, self._archived, self.config.missing
        infrequent = 1_000 * _INFREQUENT_SHARE * config.dirt
        day = self._day(number).isoformat()
        fixed = f"{config.last_modified:%Y-%m-%dT%H:%M:%S}.000Z" if config.last_modified else None
        etags = rng.randbytes(16 * len(made)).hex().upper()
        entries: list[StoredObject] = []
        for place, (key, size) in enumerate(made):
            marker = key[-1] == "/"
            storage_class = "Standard"
            if archived and draw() < archived and not marker:
                storage_class = "ColdArchive" if size % 4 == 0 else "Archive"
            elif size % 1_000 < infrequent and not marker:
                storage_class = "IA"
            missing = hidden > 0 and draw() < hidden and not marker
            etag = etags[place * 32 : place * 32 + 32]
            modified = fixed or f"{day}{_TIMES[int(draw() * len(_TIMES))]}"
            entries.append(_ENTRY((key, size, etag, storage_class, modified, missing)))
        return entries


def no_rollup(_: str) -> None:
    """For scans that want every key."""
    return
