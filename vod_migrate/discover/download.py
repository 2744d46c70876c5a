"""A manifest or inventory as a file on this machine: what lies in OSS is copied to a temporary file first.

So a connection that breaks costs a part of the copy and not the scan, a checksum is compared before the first row is used, and the file
cannot change while it is read. The copy takes disk (TMPDIR), not memory.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import Location
from vod_migrate.errors import ManifestBroken

_GZIP_MAGIC = b"\x1f\x8b"
_NO_TABLE = {
    b"\xff\xfe\x00\x00": "is UTF-32: save it as UTF-8",
    b"\x00\x00\xfe\xff": "is UTF-32: save it as UTF-8",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
    b"PK\x03\x04": "is a workbook or a zip archive: save the sheet as CSV UTF-8, or unpack it",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook: save the sheet as CSV UTF-8",
    b"PAR1": "is Parquet: set source.manifest.format: parquet",
    b"BZh": "is compressed with bzip2: unpack it, or compress it with gzip",
    b"\xfd7zXZ": "is compressed with xz: unpack it, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd: unpack it, or compress it with gzip",
    b"7z\xbc\xaf": "is a 7z archive: unpack it",
    b"%PDF": "is a PDF document: write a CSV",
    b"{\\rtf": "is a text document (RTF): save it as plain text",
    b"ORC": "is an ORC file: write Parquet, CSV or JSON Lines",
    b"Obj\x01": "is an Avro file: write Parquet, CSV or JSON Lines",
    b"SQLite f": "is an SQLite database: export the table as CSV",
    b"<": "is HTML or XML, such as the page that asks to sign in: fetch the file itself",
}
"""What a file that should be text may be instead, by its first bytes."""
_TAR_MAGIC = slice(257, 262), b"ustar"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """A file to read. version: changes when its content does."""

    name: str
    path: Path
    version: str

    def md5(self) -> str:
        """The MD5 of its bytes, in lower-case hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def fetched(
    connection: Connection | None, place: Location, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[SourceFile]:
    """The file on this machine, for as long as the context lasts. connection: None only for a path.

    Raises:
        ManifestBroken: it does not exist, is a folder, or cannot be read. SourceDenied, SourceUnavailable.
    """
    if not place.bucket:
        path = Path(place.path)
        try:
            told = path.stat()
            path.open("rb").close()
        except OSError as error:
            raise ManifestBroken(f"{path} cannot be read: {error.strerror or error}") from error
        yield SourceFile(name=str(place), path=path, version=f"{told.st_size}-{told.st_mtime_ns}")
        return
    if connection is None:
        raise AssertionError("a source in OSS needs a connection")
    with ExitStack() as kept:
        try:
            path = Path(kept.enter_context(TemporaryDirectory(prefix="vod-migrate-")), "source")
            with path.open("wb") as file:
                version = open_bucket(connection, place.bucket).copy(place.path, file, sleep=sleep)
        except OSError as error:
            raise ManifestBroken(
                f"{place} cannot be copied to the temporary folder ({error.strerror or error}): free space there, or set TMPDIR "
                "to another folder"
            ) from error
        yield SourceFile(name=str(place), path=path, version=version)


@contextmanager
def opened(source: SourceFile) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where it is gzip.

    Raises:
        ManifestBroken: it is not text or gzip, by its first bytes.
    """
    with source.path.open("rb") as raw:
        begin = raw.read(_TAR_MAGIC[0].stop)
        raw.seek(0)
        _refuse_other_formats(source, begin)
        if not begin.startswith(_GZIP_MAGIC):
            if source.name.lower().endswith(".gz") and begin:
                raise ManifestBroken(
                    f"{source.name} has the extension .gz, but is not a gzip file: compress it, or rename it"
                )
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            with suppress(*BROKEN_GZIP):  # told by who reads on, with the line
                _refuse_other_formats(source, unpacked.peek(_TAR_MAGIC[0].stop))
            yield cast("IO[bytes]", unpacked)


def _refuse_other_formats(source: SourceFile, begin: bytes) -> None:
    place, tar = _TAR_MAGIC
    if begin[place] == tar:
        raise ManifestBroken(f"{source.name} is a tar archive: unpack it")
    text = begin.removeprefix(codecs.BOM_UTF8)
    for magic, problem in _NO_TABLE.items():
        if text.startswith(magic):
            raise ManifestBroken(f"{source.name} {problem}")


BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)
"""What a gzip file raises that was cut off or damaged."""
