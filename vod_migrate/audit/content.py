"""What the first bytes of a file say about it. The signatures are those of `puremagic`."""

from __future__ import annotations

from dataclasses import dataclass

import puremagic

from vod_migrate.migration.source import MEDIA_EXTENSIONS

BEGINNING = 1_024
"""Bytes that are read: the signature of an MPEG-TS packet repeats after 188, all others stand in the first hundred."""

_CONTAINERS = (
    {"mp4", "m4v", "m4a", "mov", "qt", "3gp", "f4v", "mj2"},
    {"mkv", "webm"},
    {"asf", "wmv", "wma"},
    {"mpg", "mpeg", "mpe", "dat", "vob", "ts", "mts", "m2t"},
    {"rm", "rmvb", "ra"},
    {"wav", "acm"},
    {"mp3", "aac"},
)
"""Extensions of one container, or of streams that begin alike: which of them a file has says nothing about what is in it."""
_VAGUE = {"acm", "dat"}
"""To `puremagic` the one is any program, and the other anything."""
_STILLS = {"jp2": "mj2", "jpg": "mjpeg"}
"""Formats of pictures that a film may be made of."""
_TEXT = frozenset(range(0x20, 0x100)) | frozenset(b"\t\n\r\f")


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """name: of the format, None where it is not known. extensions: those that fit; media: VOD takes files of this format."""

    name: str | None
    extensions: frozenset[str] = frozenset()
    media: bool = False


def content_of(beginning: bytes) -> Content:
    """What a file is that begins so; a file without a byte has no content to tell."""
    if not beginning:
        return Content(name=None)
    if not any(beginning):
        return Content(name="a block of zeros")
    try:
        found = puremagic.magic_string(beginning)
    except puremagic.PureError:
        found = []
    extensions = [one.extension.removeprefix(".").lower() for one in found]
    media = [name for one in extensions if (name := _STILLS.get(one, one)) in MEDIA_EXTENSIONS and name not in _VAGUE]
    if media:
        fitting = set(media).union(*(family for family in _CONTAINERS if not family.isdisjoint(media)))
        return Content(name=media[0], extensions=frozenset(fitting), media=True)
    if found:
        return Content(name=found[0].name or found[0].extension.removeprefix("."))
    return Content(name="text") if _TEXT.issuperset(beginning) else Content(name=None)
