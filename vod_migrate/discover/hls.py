"""HLS: in a folder with a playlist, the segments are not media of their own.

A listing is sorted, but a playlist may come after thousands of its segments, with subfolders between. A page is held back
until every folder that it has segments of is decided, and pages leave in the order in which they came, so that a stored cursor
never passes an undecided object.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from vod_migrate.discover.page import ListedPage

MOST_HELD_PAGES = 50
"""50,000 objects, about 25 MB; a folder that stays undecided for longer is looked into."""

_SEGMENTS = ("ts", "m4s", "m4v")
# init.mp4, init-0.mp4, video_init.mp4, stream0_init_2.mp4: as ffmpeg, Shaka Packager, Bento4 and VOD's own transcoding name them.
_INIT = re.compile(r"(?:^|[-_.])init(?:[-_.]?\d+)*\.mp4$", re.IGNORECASE)


def folder_of(key: str) -> str:
    """The folder of a key, with its '/'; '' at the top of the bucket."""
    return key[: key.rfind("/") + 1]


def folders_above(key: str) -> set[str]:
    """Every folder that a key lies in, '' among them."""
    parts = key.split("/")[:-1]
    return {"".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts) + 1)}


def is_playlist(key: str) -> bool:
    """Whether a key is an HLS playlist."""
    return key[-5:].lower() == ".m3u8"


def is_segment(key: str) -> bool:
    """Whether a key would be an HLS segment if its folder had a playlist: .ts, .m4s, .m4v, and an .mp4 called init."""
    extension = key.rpartition(".")[2].lower()
    return extension in _SEGMENTS or (extension == "mp4" and _INIT.search(key.rpartition("/")[2]) is not None)


def settled_pages(
    pages: Iterable[ListedPage],
    *,
    look: Callable[[str], bool],
    unsure: Iterable[str] = (),
    most: int = MOST_HELD_PAGES,
) -> Iterator[ListedPage]:
    """The pages of a sorted listing in their order, each with the folders that hold a playlist.

    look: whether a folder holds a playlist, asked of OSS; unsure: folders that began before the first page.
    """
    held: deque[tuple[ListedPage, set[str]]] = deque()
    folders = _Folders(look, set(unsure))
    for page in pages:
        last = page.objects[-1].key if page.objects else None
        held.append((page, folders.read(page)))
        ended = page.cursor is None
        while held and (ended or len(held) > most or all(folders.decided(one, last) for one in held[0][1])):
            ready, segments = held.popleft()
            yield replace(ready, playlists=frozenset(one for one in segments if folders.has_playlist(one, last, ended)))
        folders.forget(last, {one for _, waiting in held for one in waiting})
    for ready, segments in held:
        # A source that ends without saying so: what it did not show is not there.
        yield replace(ready, playlists=frozenset(one for one in segments if folders.has_playlist(one, None, True)))


class _Folders:
    """What is known about the folders of a sorted listing."""

    def __init__(self, look: Callable[[str], bool], unsure: set[str]) -> None:
        self._look = look
        self._unsure = unsure
        self._found: set[str] = set()
        self._none: set[str] = set()

    def read(self, page: ListedPage) -> set[str]:
        """Takes a page in; returns the folders that it has segments of."""
        segments = set()
        for found in page.objects:
            if is_playlist(found.key):
                self._found.add(folder_of(found.key))
            elif is_segment(found.key):
                segments.add(folder_of(found.key))
        return segments

    def decided(self, folder: str, last: str | None) -> bool:
        """Whether it is known, or the listing has left the folder; one that began earlier must be looked into anyway."""
        if folder in self._found or folder in self._none or folder in self._unsure:
            return True
        return last is not None and not last.startswith(folder)

    def has_playlist(self, folder: str, last: str | None, ended: bool) -> bool:
        """The verdict; asks OSS where the listing alone cannot tell."""
        if folder in self._found:
            return True
        if folder in self._none:
            return False
        complete = ended or (last is not None and not last.startswith(folder))
        if complete and folder not in self._unsure:
            return False
        (self._found if self._look(folder) else self._none).add(folder)
        return folder in self._found

    def forget(self, last: str | None, waiting: set[str]) -> None:
        """Drops what the listing has left behind, so that memory stays flat."""
        for known in (self._found, self._none):
            known -= {one for one in known if one not in waiting and last is not None and not last.startswith(one)}
