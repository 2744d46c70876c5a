"""Pages of a sorted listing, each with what of it is only a part of a stream.

A playlist may come after thousands of its segments, with subfolders between. A page is held back until the folders around its segments are
known, and pages leave in the order in which they came, so that a stored cursor never passes an undecided object.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.streams import SUSPECT, Kin, Look, Streams, is_playlist, is_segment, kin_of

MOST_HELD_PAGES = 50
"""50,000 objects, about 25 MB; a folder that stays unknown for longer is looked into."""


def settled_pages(
    pages: Iterable[ListedPage],
    *,
    streams: Streams,
    look: Look,
    unsure: Callable[[str], bool] = lambda _: False,
    most: int = MOST_HELD_PAGES,
) -> Iterator[ListedPage]:
    """The pages of a sorted listing in their order, each with its parts and suspects.

    unsure: whether the listing shows a folder not at all, or not from its beginning.
    """
    held: deque[tuple[ListedPage, Sequence[Kin]]] = deque()
    folders = StreamFolders(streams, look, unsure)
    last = None
    for page in pages:
        last = page.objects[-1].key if page.objects else last
        for found in page.objects:
            if is_playlist(found.key):
                streams.note(found.key)
        held.append((page, kin_of(page.objects)))
        ended = page.cursor is None
        while held and (ended or len(held) > most or all(folders.settled(kin, last) for kin in held[0][1])):
            yield folders.judged(*held.popleft(), last, ended=ended)
        folders.forget(last, {folder for _, kin in held for one in kin for folder in (*one.around, one.shape[0])})
    for ready, kin in held:
        # A source that ends without saying so: what it did not show is not there.
        yield folders.judged(ready, kin, last, ended=True)


@dataclass
class StreamFolders:
    """What is known about the folders of a listing. unsure: as of `settled_pages`."""

    _streams: Streams
    _look: Look
    _unsure: Callable[[str], bool]
    _looked: dict[str, bool] = field(default_factory=dict)

    def settled(self, kin: Kin, last: str | None) -> bool:
        """Whether there is nothing to wait for: the listing has left the folders around, or says enough already."""
        if not kin.candidate or all(self._closed(folder, last) for folder in kin.around):
            return True
        return self._streams.verdict(kin) not in (None, SUSPECT)

    def judged(self, page: ListedPage, kin: Iterable[Kin], last: str | None, *, ended: bool) -> ListedPage:
        """The page with its parts and suspects; asks OSS where the listing alone cannot tell."""
        for one in kin:
            if one.candidate and self._streams.verdict(one) in (None, SUSPECT):
                for folder in one.around:
                    # A folder of millions of numbered films is not listed twice for a playlist that it will not have.
                    whole = folder == one.shape[0] and is_segment(one.name)
                    self._know(folder, last, ended=ended, whole=whole)
        return with_parts(page, kin, self._streams)

    def forget(self, last: str | None, waiting: set[str]) -> None:
        """Drops what the listing has left behind."""
        self._looked = {
            folder: whole
            for folder, whole in self._looked.items()
            if folder in waiting or last is None or last.startswith(folder) or self._unsure(folder)
        }
        self._streams.forget(last, waiting)

    def _closed(self, folder: str, last: str | None) -> bool:
        # An unsure one must be looked into anyway.
        return folder in self._looked or self._unsure(folder) or (last is not None and not last.startswith(folder))

    def _know(self, folder: str, last: str | None, *, ended: bool, whole: bool) -> None:
        passed = (ended or (last is not None and not last.startswith(folder))) and not self._unsure(folder)
        if passed or self._looked.get(folder, False) or (folder in self._looked and not whole):
            return
        self._looked[folder] = whole
        for key in self._look(folder, whole):
            self._streams.note(key)


def with_parts(page: ListedPage, kin: Iterable[Kin], streams: Streams) -> ListedPage:
    """The page with what the streams say about its keys."""
    parts: dict[str, str] = {}
    suspects: set[str] = set()
    for one in kin:
        reason = streams.verdict(one)
        if reason == SUSPECT:
            suspects.update(one.keys)
        elif reason is not None:
            parts |= dict.fromkeys(one.keys, reason)
    return replace(page, parts=parts, suspects=frozenset(suspects))
