"""Names that programs give to files which nobody wants in a media library, and names that only look so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MACHINE_FOLDERS: dict[str, tuple[str, ...]] = {
    "recycle bins": (
        "#recycle", "@Recycle", "$RECYCLE.BIN", "RECYCLER", ".recycle", ".Trash", ".Trash-*", ".Trashes", "Network Trash Folder",
        ".stversions", ".smbdelete*",
    ),
    "thumbnails and metadata of storage systems": (
        "@eaDir", ".@__thumb", ".thumbnails", ".picasaoriginals", ".AppleDouble", ".AppleDB", ".AppleDesktop", "__MACOSX",
        ".Spotlight-V100", ".fseventsd", ".DocumentRevisions-V100", ".TemporaryItems", "Temporary Items",
        "System Volume Information", "lost+found",
    ),
    "snapshots": ("#snapshot", "@Recently-Snapshot", ".snapshot", ".snapshots", ".zfs"),
    "unfinished transfers": (
        "@tmp", ".rsync-partial", ".~tmp~", ".dropbox.cache", ".tmp.drivedownload", ".tmp.driveupload", ".uploads-in-progress",
        ".ossutil_checkpoint", ".ossutil_output",
    ),
}  # fmt: skip
"""Folders, by what makes them: Synology, QNAP, Samba, Windows, macOS, Linux desktops, Syncthing, rsync, Dropbox, Google Drive, ossutil."""

MACHINE_FILES: dict[str, tuple[str, ...]] = {
    "metadata of operating systems": ("._*", ".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini"),
    "locks": ("~$*", ".~lock.*#"),
    "unfinished downloads": (
        "*.part", "*.partial", "*.crdownload", "*.opdownload", "*.download", "*.downloading", "*.aria2", "*.!ut", "*.!qB", "*.bc!",
        "*.td", "*.xltd",
    ),
    "unfinished uploads": (
        "*.filepart", "*.tmp", "*.temp", ".in.*.", ".pureftpd-upload.*", ".syncthing.*", "~syncthing~*", ".goutputstream-*",
    ),
    "deleted files that were open": (".nfs0*", ".fuse_hidden*"),
}  # fmt: skip
"""Files, by what they are: of macOS, Windows, Office, browsers and download managers, WinSCP, FTP servers, Syncthing, GNOME, NFS, FUSE."""

_EXACT = "RECYCLER"
"""In other letters it may be somebody's word."""

_WORDS = r"(?:trash|recycle[rd]?|recycle[ _-]?bin|deleted|te?mp|temporary|thumb(?:s|nails?)?|caches?|incomplete|unfinished|uploading)"
_SUSPECT_FOLDER = re.compile(rf"^[.~].|(?<![^\W_]){_WORDS}(?![^\W_])|回收站|垃圾箱|已删除|临时|缩略图", re.IGNORECASE)
_SUSPECT_NAME = re.compile(
    r"[.~].|.*[._-](?:part|partial|te?mp|incomplete|uploading)\.[^.]+$", re.IGNORECASE | re.DOTALL
)
_FOLDERS_KEPT = 4096


def is_machine_made(key: str) -> bool:
    """Whether a key names, or lies in, what only a program calls so."""
    folder, _, name = key.rpartition("/")
    return (
        name.lower().endswith(_ENDINGS)
        or _MACHINE_NAME.fullmatch(name) is not None
        or (bool(folder) and any(map(_is_machine_folder, folder.split("/"))))
    )


def looks_machine_made(key: str) -> bool:
    """Whether it might be such a file, under a name that people give, too."""
    folder, _, name = key.rpartition("/")
    return _SUSPECT_NAME.match(name) is not None or (bool(folder) and any(map(_is_suspect_folder, folder.split("/"))))


# Keys of one page share most of their folders.
@lru_cache(_FOLDERS_KEPT)
def _is_machine_folder(name: str) -> bool:
    return _MACHINE_FOLDER.fullmatch(name) is not None


@lru_cache(_FOLDERS_KEPT)
def _is_suspect_folder(name: str) -> bool:
    return _SUSPECT_FOLDER.search(name) is not None


def _names_of(groups: dict[str, tuple[str, ...]]) -> list[str]:
    return [name for group in groups.values() for name in group]


def _any_of(names: Iterable[str]) -> str:
    patterns = (re.escape(name).replace(r"\*", "[^/]*") for name in names)
    return "|".join(f"(?-i:{pattern})" if pattern == _EXACT else pattern for pattern in patterns)


def _is_ending(name: str) -> bool:
    return name.startswith("*") and "*" not in name[1:]


_ENDINGS = tuple(name[1:].lower() for name in _names_of(MACHINE_FILES) if _is_ending(name))
_MACHINE_NAME = re.compile(
    _any_of(name for name in _names_of(MACHINE_FILES) if not _is_ending(name)), re.IGNORECASE | re.DOTALL
)
_MACHINE_FOLDER = re.compile(_any_of(_names_of(MACHINE_FOLDERS)), re.IGNORECASE | re.DOTALL)
