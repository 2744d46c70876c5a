"""Standard output and error as they really are: in any encoding, closed, or on a full disk."""

from __future__ import annotations

import errno
import io
import json
import sys
from contextlib import suppress
from typing import IO, Any, cast

import typer

from vod_migrate.errors import BadSetting


def settle_streams() -> None:
    """Lets no character and no full disk end a command with a traceback.

    What the encoding of stdout lacks is printed as `?`. A stdout that cannot be written to raises BadSetting, except a closed
    pipe, which the command line ends by itself; messages on stderr that cannot be written are lost.
    """
    # Only the interpreter's own streams: a test's stand-ins stay as they are.
    if type(sys.stdout) is io.TextIOWrapper:
        sys.stdout = _rewrapped(sys.stdout, _Output, errors="replace")
    if type(sys.stderr) is io.TextIOWrapper:
        sys.stderr = _rewrapped(sys.stderr, _Messages, errors="backslashreplace")


def print_json(value: Any, *, err: bool = False, indent: int | None = None) -> None:
    """Prints JSON; if the stream's encoding lacks one of its characters, they are escaped."""
    typer.echo(json_text(value, err=err, indent=indent), err=err)


def json_text(value: Any, *, err: bool = False, indent: int | None = None) -> str:
    """What `print_json` prints on a stream."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    return text


class _Output(io.BufferedWriter):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _told(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise _told(error) from error


class _Messages(io.BufferedWriter):
    def write(self, data: Any, /) -> int:
        with suppress(OSError):
            super().write(data)
        return len(data)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _told(error: OSError) -> Exception:
    if error.errno == errno.EPIPE:
        return error
    return BadSetting(
        f"the output cannot be written ({error.strerror or error}): free space, or write it to another place. What is in the "
        "results database is not affected"
    )


def _rewrapped(stream: io.TextIOWrapper, kind: type[io.BufferedWriter], *, errors: str) -> io.TextIOWrapper:
    encoding, line_buffering = stream.encoding, stream.line_buffering
    binary = stream.detach()
    raw = cast("io.RawIOBase", binary.detach() if isinstance(binary, io.BufferedWriter) else binary)
    return io.TextIOWrapper(
        cast("IO[bytes]", kind(raw)), encoding=encoding, errors=errors, line_buffering=line_buffering
    )
