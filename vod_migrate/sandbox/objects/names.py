"""The names that people give their files: most plain, some Chinese, some with every character that is special in a URL."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

MAX_KEY_BYTES: Final = 1_023
# FileURL may have 1,024 bytes; long keys fall on both sides of that limit.
MAX_URL_BYTES: Final = 1_024
URL_HEAD_BYTES: Final = len("https://media-archive.oss-cn-shanghai.aliyuncs.com/")

_EXTENSIONS: Final = (
    (".mp4",) * 66 + (".mov",) * 9 + (".mp3",) * 8 + (".mkv",) * 4 + (".m4a",) * 3 + (".flv",) * 3
    + (".webm",) * 2 + (".wav",) * 2 + (".avi",) * 2 + (".aac",)
)  # fmt: skip
_CAPITAL: Final = (".MP4", ".MOV", ".Mp4", ".MP3", ".M4V")
_OTHER: Final = (".txt", ".jpg", ".srt", ".xml", ".jpg", ".JPG", ".md5")
_TOPICS: Final = ("采访", "新闻联播", "春节晚会", "纪录片", "访谈录", "產品發佈會", "体育", "现场直播")
_PEOPLE: Final = ("王小明", "李娜", "张伟", "陳大文", "刘洋")
_WORDS: Final = ("final cut", "take 2", "b roll", "raw footage", "sound check")
_SPECIAL: Final = (
    "a+b", "100%", "take#1", "why?", "r&d", "x=y", "one;two", "it's", 'the "best"', "[draft]", "{v2}", "a,b",
    "50$", "me@work", "~tmp", "wow!", "(copy)", "a*b", "p|q", "c^2", "`q`", "<tag>", "a:b", "back\\slash",
)  # fmt: skip
_EMOJI: Final = ("🎬", "🎉 party", "🇨🇳", "👨‍👩‍👧", "❤️")
_LITERAL: Final = ("%41bc", "a%2Fb", "%E4%B8", "100%25", "%2B", "%zz")
FOLDERS: Final = (
    "", "-interviews", "-采访", " raw footage", "+b-roll", "-señal", "#2", "-100%", "&co", "-素材 01", "", "-news",
)  # fmt: skip

Maker = Callable[[random.Random, int], str]


def plain(_: random.Random, serial: int) -> str:
    """ASCII and .mp4: what every tool can handle."""
    return f"clip-{serial:05d}.mp4"


def usual(rng: random.Random, serial: int) -> str:
    """A plain name with one of the usual extensions."""
    return f"clip-{serial:05d}{_EXTENSIONS[int(rng.random() * 100)]}"


def _chinese(rng: random.Random, serial: int) -> str:
    return f"{rng.choice(_TOPICS)}_{rng.choice(_PEOPLE)}_{serial:05d}.mp4"


def _spaced(rng: random.Random, serial: int) -> str:
    return f"{rng.choice(_WORDS)} {serial:05d}.mov"


def _special(rng: random.Random, serial: int) -> str:
    return f"{rng.choice(_SPECIAL)} {serial:05d}.mp4"


def _emoji(rng: random.Random, serial: int) -> str:
    return f"{rng.choice(_EMOJI)}-{serial:05d}.mp4"


def _literal(rng: random.Random, serial: int) -> str:
    return f"{rng.choice(_LITERAL)}-{serial:05d}.mp4"


def _capital(rng: random.Random, serial: int) -> str:
    return f"DSC{serial:05d}{rng.choice(_CAPITAL)}"


def _other(rng: random.Random, serial: int) -> str:
    return f"notes-{serial:05d}{rng.choice(_OTHER)}"


def _bare(_: random.Random, serial: int) -> str:
    return f"RECORDING{serial:05d}"


# Shares of keys at dirt 1. Together 0.26; the rest is usual.
DIRT: Final[tuple[tuple[float, Maker], ...]] = (
    (0.10, _chinese),
    (0.04, _spaced),
    (0.04, _special),
    (0.01, _emoji),
    (0.01, _literal),
    (0.03, _capital),
    (0.025, _other),
    (0.005, _bare),
)


def long_name(rng: random.Random, serial: int, folder: str) -> str:
    """A name that brings the key near 1,023 bytes, or its percent-encoded URL to either side of 1,024."""
    head, tail = f"long-{serial:05d}-", ".mp4"
    if rng.random() < 0.5:  # noqa: PLR2004 - half of each
        room = MAX_KEY_BYTES - len((folder + head + tail).encode())
        return head + "x" * (room - rng.randrange(12)) + tail
    encoded = URL_HEAD_BYTES + len(quote(folder + head + tail, safe="/~"))
    target = MAX_URL_BYTES + rng.randint(-40, 40)
    characters, rest = divmod(max(target - encoded, 0), len("%E9%95%BF"))
    return head + "长" * characters + "y" * rest + tail
