"""Standard output and error as they really are: in any encoding, closed, or on a full disk."""

from __future__ import annotations

import errno
import io
import json
import sys
from collections.abc import Callable
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
        sys.stdout = _rewrapped(sys.stdout, _refuse, errors="replace")
    if type(sys.stderr) is io.TextIOWrapper:
        sys.stderr = _rewrapped(sys.stderr, lambda _: None, errors="backslashreplace")


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


class _Guarded(io.BufferedWriter):
    """A stream of which somebody is told what could not be written."""

    def __init__(self, raw: io.RawIOBase, failed: Callable[[OSError], None]) -> None:
        super().__init__(raw)
        self._failed = failed

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self._failed(error)
            return len(data)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._failed(error)


def _refuse(error: OSError) -> None:
    if error.errno == errno.EPIPE:
        raise error
    raise BadSetting(
        f"the output cannot be written ({error.strerror or error}): free space, or write it to another place. What is in the "
        "results database is not affected"
    ) from error


def _rewrapped(stream: io.TextIOWrapper, failed: Callable[[OSError], None], *, errors: str) -> io.TextIOWrapper:
    encoding, line_buffering = stream.encoding, stream.line_buffering
    binary = stream.detach()
    raw = cast("io.RawIOBase", binary.detach() if isinstance(binary, io.BufferedWriter) else binary)
    return io.TextIOWrapper(
        cast("IO[bytes]", _Guarded(raw, failed)), encoding=encoding, errors=errors, line_buffering=line_buffering
    )
