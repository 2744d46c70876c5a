"""Which files are only parts of an HLS or DASH stream, and so are no media of their own.

The text of each playlist says so, where it can be read (256 KiB of each, 5,000 texts a scan, two steps from a master playlist to others). Where it
cannot, or does not name every file, the layout of the folders tells, or lets suspect; what is only suspected is registered, and shown.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from vod_migrate.discover.stream_text import Shape, StreamText, folder_of, shape_of
from vod_migrate.media import MediaObject

log = logging.getLogger(__name__)

HLS_PART, DASH_PART = "hls_segment", "dash_segment"
SUSPECT = "looks_segment"

MOST_TEXTS = 5_000
"""Read in one scan: sixteen at a time, at 30 ms each, that is ten seconds."""

_AT_ONCE = 16
_DEPTH = 2
_MOST_BESIDE = 16
_SEGMENTS = frozenset(("ts", "m4s", "m4v"))
_OTHERS = frozenset(("aac", "ac3", "m2t", "m4a", "mp3", "mp4", "flac", "webm", "dat"))
# init.mp4, init-0.mp4, video_init.mp4, stream0_init_2.mp4: as ffmpeg, Shaka Packager, Bento4 and VOD's own transcoding name them.
_INIT = re.compile(r"(?:^|[-_.])init(?:[-_.]?\d+)*\.mp4$", re.IGNORECASE)
# seg0.aac, segment-3.mp4, chunk-stream0-00001.mp4, fileSequence12.mp4: as packagers name segments.
_NUMBERED_SEGMENT = re.compile(
    r"(?:^|[-_.])(?:seg|segment|chunk|frag|fragment|filesequence)[-_.]?(?:stream)?\d", re.IGNORECASE
)
_NUMBERED = re.compile(r"\d\.[^.]+$")
_ONLY_A_NUMBER = re.compile(r"\d+\.[^.]+$")

Look = Callable[[str, bool], Sequence[str]]
"""The playlists and manifests that a folder itself holds, asked of OSS. The flag: look through all of the folder, however large."""

Read = Callable[[str], StreamText | None]
"""What a playlist or manifest says; None where it may not be read."""


def folders_above(key: str) -> set[str]:
    """Every folder that a key lies in, '' among them."""
    parts = key.split("/")[:-1]
    return {"".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts) + 1)}


def is_playlist(key: str) -> bool:
    """Whether a key is an HLS playlist or a DASH manifest."""
    return key[-5:].lower() == ".m3u8" or key[-4:].lower() == ".mpd"


def is_segment(key: str) -> bool:
    """Whether a key has the name of a segment: .ts, .m4s, .m4v, and an .mp4 called init."""
    extension = key.rpartition(".")[2].lower()
    return extension in _SEGMENTS or (extension == "mp4" and _INIT.search(key.rpartition("/")[2]) is not None)


def is_candidate(name: str) -> bool:
    """Whether a file waits until the folders around it are known: it may well be a segment."""
    if is_segment(name) or _NUMBERED_SEGMENT.search(name) is not None:
        return True
    extension = name.rpartition(".")[2].lower()
    return _NUMBERED.search(name) is not None if extension == "aac" else _ONLY_A_NUMBER.fullmatch(name) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kin:
    """The keys of a page that share a folder and the shape of their names. candidate: see is_candidate."""

    shape: Shape
    name: str
    candidate: bool
    keys: list[str] = field(default_factory=list)

    @property
    def around(self) -> tuple[str, ...]:
        """Its folder and the one above it: where its playlist is looked for."""
        return _around(self.shape[0], 1)


def kin_of(objects: Iterable[MediaObject]) -> list[Kin]:
    """The keys that may be parts of a stream."""
    found: dict[Shape, Kin] = {}
    for one in objects:
        extension = one.key.rpartition(".")[2].lower()
        if extension not in _SEGMENTS and extension not in _OTHERS:
            continue
        shape = shape_of(one.key)
        kin = found.get(shape)
        if kin is None:
            name = one.key[len(shape[0]) :]
            kin = found[shape] = Kin(shape=shape, name=name, candidate=is_candidate(name))
        kin.keys.append(one.key)
    return list(found.values())


class Streams:
    """The playlists that are known, and what follows from them."""

    def __init__(self, *, read: Read, most: int = MOST_TEXTS) -> None:
        self._read = read
        self._left = most
        # Its threads begin with the first text, and end when nobody has the pool any more.
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="playlist")
        self._waiting: dict[str, list[str]] = defaultdict(list)  # by folder: not read yet
        self._vague: dict[str, str] = {}  # folder: reason of the playlists there that do not name every file
        self._exact: set[str] = set()  # folders with a playlist that does
        self._recent: dict[str, dict[str, None]] = defaultdict(dict)  # by folder: the last ones below it with playlists
        self._named: dict[Shape, str] = {}

    def note(self, key: str) -> None:
        """A playlist or manifest is there."""
        folder = folder_of(key)
        self._waiting[folder].append(key)
        if folder:
            beside = self._recent[_around(folder, 1)[-1]]
            beside[folder] = None
            if len(beside) > _MOST_BESIDE:
                del beside[next(iter(beside))]

    def verdict(self, kin: Kin) -> str | None:
        """Why these keys are left out, or SUSPECT; None where nothing is known against them."""
        if kin.shape in self._named:
            return self._named[kin.shape]
        around = _around(kin.shape[0], _DEPTH)
        beside = self._recent.get(around[1], {}) if kin.candidate and len(around) > 1 else {}
        for folders in (around, beside):
            self._read_texts(list(folders))
            if kin.shape in self._named:
                return self._named[kin.shape]
        return self._by_layout(kin.name, around)

    def forget(self, last: str | None, waiting: set[str]) -> None:
        """Drops what a sorted listing has left behind, so that memory stays flat."""

        def is_past(folder: str) -> bool:
            return last is not None and folder < last and not last.startswith(folder) and folder not in waiting

        for above in [one for one in self._recent if is_past(one)]:
            del self._recent[above]
        recent = {folder for beside in self._recent.values() for folder in beside}
        for folder in [one for one in self._waiting if is_past(one) and one not in recent]:
            del self._waiting[folder]
        for folder in [one for one in self._vague if is_past(one)]:
            del self._vague[folder]
        self._exact = {folder for folder in self._exact if not is_past(folder)}
        for shape in [one for one in self._named if is_past(one[0])]:
            del self._named[shape]

    def _read_texts(self, folders: Iterable[str]) -> None:
        keys = [key for folder in folders for key in self._waiting.pop(folder, ())]
        if not keys:
            return
        chosen, rest = keys[: self._left], keys[self._left :]
        self._left -= len(chosen)
        if rest:
            log.warning(
                "%d playlists are not read, because a scan reads at most %d; the folder layout decides",
                len(rest),
                MOST_TEXTS,
            )
        texts: dict[str, StreamText | None] = dict.fromkeys(rest)
        texts |= dict(zip(chosen, self._threads.map(self._read, chosen), strict=True))
        for key, text in texts.items():
            self._take(key, text)

    def _take(self, key: str, text: StreamText | None) -> None:
        folder, reason = folder_of(key), DASH_PART if key.lower().endswith(".mpd") else HLS_PART
        if text is not None and text.plain:
            return
        complete = text is not None and text.says_something and text.complete
        texts = [] if text is None else [text]
        if text is not None and text.children:
            below, all_read = self._children(text.children)
            texts += below
            complete = complete and all_read
        for one in texts:
            for shape in one.parts:
                if reason == HLS_PART or shape not in self._named:
                    self._named[shape] = reason
            for shape in one.whole:
                self._named.setdefault(shape, SUSPECT)
        if complete:
            self._exact.add(folder)
        elif reason == HLS_PART or folder not in self._vague:
            self._vague[folder] = reason

    def _children(self, keys: Sequence[str]) -> tuple[list[StreamText], bool]:
        """What further playlists say, down to their own; whether all of it could be read."""
        found: list[StreamText] = []
        complete, seen, level = True, set(keys), list(keys)
        for _ in range(_DEPTH):
            chosen = level[: self._left]
            self._left -= len(chosen)
            texts = list(self._threads.map(self._read, chosen))
            complete = complete and len(chosen) == len(level) and all(one is not None and one.complete for one in texts)
            told = [one for one in texts if one is not None]
            found += told
            level = [child for one in told for child in one.children if child not in seen]
            seen |= set(level)
            if not level:
                return found, complete
        return found, False

    def _by_layout(self, name: str, around: Sequence[str]) -> str | None:
        beside, *above = around
        plain = is_segment(name)
        sure = _NUMBERED_SEGMENT.search(name) is not None
        if beside in self._vague:
            if plain or sure:
                return self._vague[beside]
            return SUSPECT if _NUMBERED.search(name) is not None else None
        if above and above[0] in self._vague:
            if sure or (plain and (_NUMBERED.search(name) is not None or _INIT.search(name) is not None)):
                return self._vague[above[0]]
            return SUSPECT if plain or _ONLY_A_NUMBER.fullmatch(name) is not None else None
        if any(folder in self._vague for folder in above):
            return SUSPECT if plain or sure else None
        return SUSPECT if beside in self._exact and plain else None


def _around(folder: str, depth: int) -> tuple[str, ...]:
    """A folder and those above it, so many levels up."""
    found = [folder]
    for _ in range(depth):
        if not folder:
            break
        folder = folder[: folder.rfind("/", 0, -1) + 1]
        found.append(folder)
    return tuple(found)
