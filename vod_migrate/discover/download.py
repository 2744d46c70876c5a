"""A manifest or inventory as a file on this machine: what lies in OSS is copied to a temporary file first.

So a connection that breaks costs a part of the copy and not the scan, a checksum is compared before the first row is used, and the file
cannot change while it is read. The copy takes disk (TMPDIR), not memory.
"""

from __future__ import annotations

import gzip
import hashlib
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

import oss2
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import Location, open_bucket, reading_error
from vod_migrate.errors import ManifestBroken, SourceUnavailable

_CHUNK = 1 << 20


_TRIES = 8


_GZIP_MAGIC = b"\x1f\x8b"


_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """A file to read. version: changes when its content does; md5: of its bytes, in lower-case hex, '' where not asked for."""

    name: str
    path: Path
    version: str
    md5: str = ""


@contextmanager
def fetched(
    connection: Connection | None, place: Location, *, md5: bool = False, sleep: Callable[[float], None] = time.sleep
) -> Iterator[SourceFile]:
    """The file on this machine, for as long as the context lasts. connection: None only for a path.

    Raises:
        ManifestBroken: it does not exist, is a folder, or cannot be read. SourceDenied, SourceUnavailable.
    """
    if not place.bucket:
        path = Path(place.path)
        try:
            told = path.stat()
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, _md5).hexdigest() if md5 else ""
        except OSError as error:
            raise ManifestBroken(f"{path} cannot be read: {error.strerror or error}") from error
        yield SourceFile(name=str(place), path=path, version=f"{told.st_size}-{told.st_mtime_ns}", md5=digest)
        return
    if connection is None:
        raise AssertionError("what lies in OSS needs a connection")
    with TemporaryDirectory(prefix="vod-migrate-") as folder:
        path = Path(folder) / "source"
        version = _copied(connection, place, path, sleep)
        digest = ""
        if md5:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, _md5).hexdigest()
        yield SourceFile(name=str(place), path=path, version=version, md5=digest)


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _copied(connection: Connection, place: Location, path: Path, sleep: Callable[[float], None]) -> str:
    """Copies an object, going on where a connection broke. Returns its ETag."""
    bucket = open_bucket(connection, place.bucket)
    etag = ""
    with path.open("wb") as file:
        for attempt in Retrying(
            retry=retry_if_exception_type(SourceUnavailable),
            wait=wait_random_exponential(multiplier=0.5, max=30),
            stop=stop_after_attempt(_TRIES),
            sleep=sleep,
            reraise=True,
        ):
            with attempt:
                etag = _rest(bucket, place, file, etag)
    return etag


def _rest(bucket: oss2.Bucket, place: Location, file: IO[bytes], etag: str) -> str:
    have = file.tell()
    wanted = {"If-Match": f'"{etag}"'} if etag else {}
    try:
        if have and have >= int(bucket.head_object(place.path).content_length):
            return etag
        answer = bucket.get_object(place.path, byte_range=(have, None) if have else None, headers=wanted)
        etag = str(answer.etag or "").strip('"')
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
    except oss2.exceptions.OssError as error:
        raise reading_error(error, place) from error
    except OSError as error:
        raise SourceUnavailable(f"the copy of {place} from OSS broke off ({error})") from error
    length = answer.content_length
    if length is not None and file.tell() - have < int(length):
        raise SourceUnavailable(f"OSS sent {file.tell() - have:,} of the {int(length):,} bytes of {place}")
    return etag


@contextmanager
def opened(source: SourceFile) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where it is gzip.

    Raises:
        ManifestBroken: it is called .gz and is no gzip, or is UTF-16.
    """
    with source.path.open("rb") as raw:
        begin = raw.read(2)
        raw.seek(0)
        if begin in _UTF_16:
            raise ManifestBroken(f"{source.name} is UTF-16: save it as UTF-8")
        if begin != _GZIP_MAGIC:
            if source.name.lower().endswith(".gz") and begin:
                raise ManifestBroken(f"{source.name} is called .gz, but is no gzip file: unpack nothing, or rename it")
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield cast("IO[bytes]", unpacked)


BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)
"""What a gzip file raises that was cut off or damaged."""
