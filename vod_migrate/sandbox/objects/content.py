"""The first bytes of files: the signature of each media format, and of files that are not media.

Signatures are those of the formats' own specifications, as `file(1)` knows them.
"""

from __future__ import annotations

from typing import Final

_EBML: Final = b"\x1a\x45\xdf\xa3"
_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_TS_PACKET: Final = 188
HEAD_BYTES: Final = 1_024

# The first bytes of a file, by its format.
_HEADS: Final[dict[str, bytes]] = {
    "mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41\0\0\0\x08free",
    "quicktime": b"\0\0\0\x14ftypqt  \0\0\2\0qt  \0\0\0\x08wide",
    "mpegts": (b"\x47\x40\x00\x10" + b"\xff" * (_TS_PACKET - 4)) * 5,
    "flv": b"FLV\x01\x05\0\0\0\x09\0\0\0\0",
    "mp3": b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64",
    "wav": b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\1\0\2\0",
    "avi": b"RIFF\xff\xff\xff\x7fAVI LIST",
    "matroska": _EBML + b"\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x88matroska",
    "webm": _EBML + b"\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm",
    "asf": _ASF,
    "mpegps": b"\0\0\1\xba\x44\0\4\0\4\1",
    "aac": b"\xff\xf1\x50\x80\x02\x1f\xfc",
    "flac": b"fLaC\0\0\0\x22",
    "ogg": b"OggS\0\2",
    "hls": b"#EXTM3U\n#EXT-X-VERSION:3\n",
    "realmedia": b".RMF\0\0\0\x12\0\0",
    "realaudio": b".ra\xfd\0\4",
    "amr": b"#!AMR\n",
    "caf": b"caff\0\1\0\0",
    "ape": b"MAC \x96\x0f",
    "ac3": b"\x0b\x77\0\0\x14\x40",
    "gif": b"GIF89a",
    "swf": b"FWS\x0a",
    "mj2": b"\0\0\0\x0cjP  \r\n\x87\n",
    "mjpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "dv": b"\x1f\x07\0\x3f",
}
# What identifies each format, the most specific first.
_SIGNATURES: Final[tuple[tuple[str, int, bytes], ...]] = (
    ("quicktime", 4, b"ftypqt  "),
    ("mp4", 4, b"ftyp"),
    ("flv", 0, b"FLV\x01"),
    ("mp3", 0, b"ID3"),
    ("wav", 8, b"WAVE"),
    ("avi", 8, b"AVI "),
    ("asf", 0, _ASF),
    ("mpegps", 0, b"\0\0\1\xba"),
    ("flac", 0, b"fLaC"),
    ("ogg", 0, b"OggS"),
    ("hls", 0, b"#EXTM3U"),
    ("realmedia", 0, b".RMF"),
    ("realaudio", 0, b".ra\xfd"),
    ("amr", 0, b"#!AMR"),
    ("caf", 0, b"caff"),
    ("ape", 0, b"MAC "),
    ("ac3", 0, b"\x0b\x77"),
    ("gif", 0, b"GIF8"),
    ("swf", 0, b"FWS"),
    ("mj2", 4, b"jP  "),
    ("mjpeg", 0, b"\xff\xd8\xff"),
    ("dv", 0, b"\x1f\x07\0"),
    ("aac", 0, b"\xff\xf1"),
    ("mp3", 0, b"\xff\xfb"),
)
_FORMAT_OF: Final[dict[str, str]] = {
    extension: name
    for name, extensions in {
        "mp4": "mp4 m4v m4a 3gp f4v",
        "quicktime": "mov qt",
        "mpegts": "ts mts m2t",
        "asf": "asf wmv wma",
        "mpegps": "mpg mpeg mpe dat vob",
        "matroska": "mkv",
        "hls": "m3u8",
        "realmedia": "rm rmvb",
        "realaudio": "ra",
        "wav": "wav acm",
        **{
            name: name
            for name in [
                "flv",
                "mp3",
                "avi",
                "webm",
                "aac",
                "flac",
                "ogg",
                "amr",
                "caf",
                "ape",
                "ac3",
                "gif",
                "swf",
                "mj2",
                "mjpeg",
                "dv",
            ]
        },
    }.items()
    for extension in extensions.split()
}
_OTHER: Final[dict[str, bytes]] = {
    "html": b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n",
    "zeros": bytes(HEAD_BYTES),
    "text": b"This file is not media.\n",
}
NOT_MEDIA: Final = tuple(_OTHER)


def extension_of(key: str) -> str:
    """The extension of a key in lower case without the dot, empty if it has none."""
    name = key.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def format_of_name(key: str) -> str:
    """The format that the extension of a key stands for; `text` if it is not a media extension."""
    return _FORMAT_OF.get(extension_of(key), "text")


def head(name: str) -> bytes:
    """The first bytes of a file of this format, or of one of `NOT_MEDIA`."""
    return _HEADS.get(name) or _OTHER[name]


def sample(key: str) -> bytes:
    """A small file of the format that the extension of the key stands for."""
    return head(format_of_name(key))


def recognised(first: bytes) -> str:
    """The format of a file with these first bytes: a media format, `empty`, or one of `NOT_MEDIA`."""
    if not first:
        return "empty"
    for name, offset, signature in _SIGNATURES:
        if first.startswith(signature, offset):
            return name
    if first.startswith(_EBML):
        return "webm" if b"webm" in first[:64] else "matroska"
    if first[:1] == b"\x47" and first[_TS_PACKET : _TS_PACKET + 1] in {b"\x47", b""}:
        return "mpegts"
    if first.lstrip()[:1] == b"<":
        return "html"
    return "text" if any(first) else "zeros"


def is_media(name: str) -> bool:
    """Whether VOD could decode a file of that format."""
    return name in _HEADS
