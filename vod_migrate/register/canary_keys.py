"""Which keys are the oddest, and what a few files have in common. Pure.

What goes wrong with keys goes wrong with the odd ones: the vendor does not say how a key stands in a FileURL. A canary therefore
holds as many *kinds* of oddness as ten files can, rather than ten of one kind, and two plain keys beside them: where those are
registered and the odd ones are not, the fault is in the oddness.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from urllib.parse import quote

from vod_migrate.media import FILES_PER_CALL, MediaObject

PLAIN_KEYS = 2
_LONG_URL_BYTES = 600
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u20e3]")

TRAITS: dict[str, Callable[[str], bool]] = {
    "not ASCII": lambda key: not key.isascii(),
    "emoji": lambda key: _EMOJI.search(key) is not None,
    "decomposed letters": lambda key: not key.isascii() and unicodedata.normalize("NFC", key) != key,
    "a space": lambda key: " " in key,
    "a plus sign": lambda key: "+" in key,
    "a percent sign": lambda key: "%" in key,
    "apparent percent-encoding": lambda key: re.search("%[0-9A-Fa-f]{2}", key) is not None,
    "a URL delimiter": lambda key: re.search("[?#&=;@:]", key) is not None,
    "quotes or brackets": lambda key: re.search(r"""["'<>\\^`{}|\[\]()]""", key) is not None,
    "unprintable characters": lambda key: not key.isprintable(),
    "odd slashes": lambda key: re.search(r"//|(?:^|/)\.{1,2}/", key) is not None,
    "a leading or trailing space": lambda key: re.search("(?:^|/) | (?:/|$)", key) is not None,
    "an unusual length": lambda key: len(quote(key)) > _LONG_URL_BYTES,
}
"""What can be odd about a key, most of it about how it stands in a URL."""


def key_traits(key: str) -> frozenset[str]:
    """The kinds of oddness of a key; none for a plain one."""
    return frozenset(name for name, shows in TRAITS.items() if shows(key))


def pick_canary(objects: Sequence[MediaObject], *, most: int = FILES_PER_CALL) -> list[MediaObject]:
    """The oddest of some objects, each adding kinds that those before it lack, and two plain ones; in the order of choosing.

    With fewer odd keys than places, the plain ones fill up.
    """
    rest = [(key_traits(found.key), found) for found in objects]
    chosen: list[MediaObject] = []
    covered: set[str] = set()
    while rest and len(chosen) < most - PLAIN_KEYS:
        best = max(rest, key=lambda one: (len(one[0] - covered), len(one[0]), len(one[1].key), one[1].key))
        if not best[0]:
            break
        covered |= best[0]
        chosen.append(best[1])
        rest.remove(best)
    plainest = sorted(range(len(rest)), key=lambda place: (len(rest[place][0]), place))
    chosen.extend(rest[place][1] for place in plainest[: most - len(chosen)])
    return chosen


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A file of the canary that was not registered as it should be. code, message: of the answer about it."""

    found: MediaObject
    code: str
    message: str


def in_common(failures: Sequence[Failure]) -> list[str]:
    """What all of some failures share, in words: code, extension, folder, storage class, oddness; what only some have is left out."""
    shared: list[str] = []
    keys = [failure.found.key for failure in failures]
    codes = {failure.code for failure in failures}
    if len(codes) == 1:
        shared.append(f"the reply {codes.pop()}")
    extensions = {
        key.rpartition("/")[2].rpartition(".")[2].lower() if "." in key.rpartition("/")[2] else "" for key in keys
    }
    if len(extensions) == 1:
        only = extensions.pop()
        shared.append(f"the extension .{only}" if only else "that they have no extension")
    folder = commonprefix(keys)  # noqa: RUF071 - cut at a slash
    folder = folder[: folder.rfind("/") + 1]
    if folder:
        shared.append(f"the folder {folder!r}")
    classes = {failure.found.storage_class for failure in failures} - {None}
    if len(classes) == 1 and (kind := classes.pop()) != "Standard":
        shared.append(f"the storage class {kind}")
    traits = [key_traits(key) for key in keys]
    shared.extend(f"{trait} in the key" for trait in TRAITS if all(trait in one for one in traits))
    return shared
