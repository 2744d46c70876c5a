"""What the text of an HLS playlist (RFC 8216) or a DASH manifest (ISO/IEC 23009-1) says about the files of its stream.

A file is remembered by its folder and the shape of its name, digits apart (`seg-#.ts`): a live playlist names only its last segments, and of
a long one only the beginning is read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from lxml import etree

from vod_migrate.cloud.location import NotAnAddress, located

Shape = tuple[str, str]
"""A folder (ending in '/', '' for the top) and a file name whose digits are one '#' for each run of them."""

MOST_BYTES = 256 << 10
"""Of one text: about 5,000 segments."""
MOST_SHAPES = 5_000
"""Of one text, for segments that are named at random; beyond them the layout tells, too."""
MOST_CHILDREN = 64

_DIGITS = re.compile(r"\d+")
_URI = re.compile(r'[:,]URI="([^"]*)"')
_GZIP = b"\x1f\x8b"
_PART_TAGS = ("#EXT-X-MAP:", "#EXT-X-KEY:", "#EXT-X-SESSION-KEY:", "#EXT-X-PART:", "#EXT-X-PRELOAD-HINT:")
_CHILD_TAGS = ("#EXT-X-MEDIA:", "#EXT-X-I-FRAME-STREAM-INF:")
_END_TAGS = ("#EXT-X-ENDLIST", "#EXT-X-PLAYLIST-TYPE:VOD")
_VARIABLE = re.compile(r"\$(RepresentationID|Bandwidth|Number|Time|SubNumber)?(?:%0\d+d)?\$")


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamText:
    """What one text says.

    parts: files of the stream, keys and initialization included; whole: files that hold one track each, and can be played; children:
    further playlists. complete: it names every file of its stream, as far as its children do. plain: a list of films, no stream at all.
    elsewhere: it names files that are not in this bucket.
    """

    parts: frozenset[Shape] = frozenset()
    whole: frozenset[Shape] = frozenset()
    children: tuple[str, ...] = ()
    complete: bool = False
    plain: bool = False
    elsewhere: bool = False

    @property
    def says_something(self) -> bool:
        """Whether the files of the stream follow from it."""
        return bool(self.parts or self.whole or self.children or self.elsewhere)


def folder_of(key: str) -> str:
    """The folder of a key, with its '/'; '' at the top of the bucket."""
    return key[: key.rfind("/") + 1]


def shape_of(key: str) -> Shape:
    """The shape of a file."""
    folder, slash, name = key.rpartition("/")
    return folder + slash, _DIGITS.sub("#", name)


def read_text(key: str, raw: bytes, *, bucket: str, whole: bool) -> StreamText:
    """What a playlist or manifest says; nothing where it is none. whole: `raw` is all of it, and not only its beginning."""
    if raw.startswith(_GZIP):
        try:
            raw = zlib.decompressobj(wbits=31).decompress(raw, MOST_BYTES)
        except zlib.error:
            return StreamText()
    text = raw.decode("utf-8-sig", "replace")
    folder = folder_of(key)

    def resolve(uri: str, base: str = folder) -> str | None:
        return _key(uri, base, bucket)

    return _dash(raw, folder, resolve) if key.lower().endswith(".mpd") else _hls(text, resolve, whole=whole)


def _hls(text: str, resolve: Callable[[str], str | None], *, whole: bool) -> StreamText:
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    if not lines or not lines[0].startswith("#EXTM3U"):
        return StreamText()
    if not any(line.startswith("#EXT-X-") for line in lines):
        return StreamText(plain=any(not line.startswith("#") for line in lines))
    if not whole:
        lines.pop()  # perhaps half a line
    shapes, children, elsewhere = set(), [], False
    for uri, is_child in _named(lines):
        key = resolve(uri)
        if key is None:
            elsewhere = True
        elif is_child or key.lower().endswith(".m3u8"):
            children.append(key)
        else:
            shapes.add(shape_of(key))
    ended = bool(children) or any(line.startswith(_END_TAGS) for line in lines)
    return StreamText(
        parts=frozenset(shapes) if len(shapes) <= MOST_SHAPES else frozenset(),
        children=tuple(dict.fromkeys(children))[:MOST_CHILDREN],
        complete=whole and ended and len(shapes) <= MOST_SHAPES and len(children) <= MOST_CHILDREN,
        elsewhere=elsewhere,
    )


def _named(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """The addresses of a playlist, and whether each is another playlist's."""
    variant = False
    for line in lines:
        if not line.startswith("#"):
            yield line, variant
            variant = False
        elif line.startswith("#EXT-X-STREAM-INF"):
            variant = True
        elif line.startswith(_PART_TAGS):
            yield from ((uri, False) for uri in _URI.findall(line))
        elif line.startswith(_CHILD_TAGS):
            yield from ((uri, True) for uri in _URI.findall(line))


def _dash(raw: bytes, folder: str, resolve: Callable[[str, str], str | None]) -> StreamText:
    try:
        root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return StreamText()
    if _name(root) != "MPD":
        return StreamText()
    parts: set[Shape] = set()
    whole: set[Shape] = set()
    for element in root.iter():
        if _name(element) == "Representation" and len(parts) + len(whole) <= MOST_SHAPES:
            _add_representation(element, folder, resolve, parts, whole)
    return StreamText(
        parts=frozenset(parts), whole=frozenset(whole - parts), complete=len(parts) + len(whole) <= MOST_SHAPES
    )


def _add_representation(
    element: Any, folder: str, resolve: Callable[[str, str], str | None], parts: set[Shape], whole: set[Shape]
) -> None:
    levels = [*reversed(list(element.iterancestors())), element]
    base: str | None = folder
    own_file = False
    templates: dict[str, str] = {}
    segments: list[str] = []
    for level in levels:
        for child in level:
            name = _name(child)
            if name == "BaseURL" and base is not None:
                base = resolve((child.text or "").strip(), folder_of(base))
                own_file = base is not None and not base.endswith("/")
            elif name == "SegmentTemplate":
                templates |= {
                    part: str(value) for part, value in child.attrib.items() if part in ("media", "initialization")
                }
            elif name == "SegmentList":
                segments += _list_of(child)
    if base is None:
        return
    uris = [*(_filled(uri, element) for uri in templates.values()), *segments]
    for uri in uris:
        key = resolve(uri, folder_of(base))
        if key is not None:
            parts.add(shape_of(key))
    if own_file:
        (parts if segments else whole).add(shape_of(base))


def _list_of(element: Any) -> list[str]:
    found = [child.get("media") for child in element if _name(child) == "SegmentURL"]
    found += [child.get("sourceURL") for child in element if _name(child) == "Initialization"]
    return [uri for uri in found if uri]


def _filled(template: str, representation: Any) -> str:
    values = {"RepresentationID": representation.get("id") or "", "Bandwidth": representation.get("bandwidth") or "0"}
    return _VARIABLE.sub(lambda found: values.get(found[1] or "", "0") if found[1] else "$", template)


def _name(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _key(uri: str, folder: str, bucket: str) -> str | None:
    """The key that an address names, None where it is not in this bucket."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", uri):
        try:
            found = located(uri if ":" in uri.partition("/")[0] else f"https:{uri}")
        except NotAnAddress:
            return None
        return unquote(found.path) if found is not None and found.bucket == bucket else None
    path = unquote(uri.partition("#")[0].partition("?")[0])
    if not path:
        return None
    steps: list[str] = [] if path.startswith("/") else folder.split("/")[:-1]
    for step in path.removeprefix("/").split("/"):
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step != ".":
            steps.append(step)
    return "/".join(steps)
