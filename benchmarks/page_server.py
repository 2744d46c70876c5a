"""Serves ListObjectsV2 for a bucket that it makes up, from prepared pages, so that what is measured is the lister and not the server.

    python -c 'import page_server; page_server.run()' KEYS

Folders of 1,000 keys. It prints its port, and then takes commands, one a line: `delay MILLISECONDS` and `changed PAGES` (how many of the first
pages are sent with other ETags). It neither checks signatures nor knows prefixes.
"""

from __future__ import annotations

import asyncio
import re
import sys
from bisect import bisect_right
from urllib.parse import unquote

import uvloop

PAGE = 1_000
_PARAMETER = re.compile(rb"[?&](start-after|continuation-token|max-keys|marker)=([^& ]*)")


def contents(number: int, etag: bytes) -> bytes:
    """The element of one object of a folder, whose own number is @@@@@."""
    return (
        b"<Contents><Key>archive%%2F2024-@@@@@%%2Fclip-@@@@@%03d.mp4</Key><LastModified>2024-05-01T10:00:00.000Z</LastModified>"
        b'<ETag>"%s%028d"</ETag><Type>Normal</Type><Size>1048576</Size><StorageClass>Standard</StorageClass></Contents>'
    ) % (number, etag, number)


ELEMENTS = {etag: [contents(number, etag) for number in range(PAGE)] for etag in (b"AAAA", b"BBBB")}
WHOLE = {etag: b"".join(elements) for etag, elements in ELEMENTS.items()}


def key(number: int) -> str:
    """The key of an object, by its place in the bucket."""
    folder, place = divmod(number, PAGE)
    return f"archive/2024-{folder:05}/clip-{folder:05}{place:03}.mp4"


class Server:
    """What it answers, and how late."""

    def __init__(self, keys: int) -> None:
        self.keys = keys
        self.delay = 0.0
        self.changed = 0

    def body(self, target: bytes) -> bytes:
        """The page that a request asks for."""
        asked = {name.decode(): unquote(value.decode()) for name, value in _PARAMETER.findall(target)}
        place = asked.get("continuation-token") or asked.get("start-after") or asked.get("marker") or ""
        first = bisect_right(range(self.keys), place, key=key)
        last = min(first + int(asked.get("max-keys") or 100), self.keys)
        found = b"".join(self._folders(first, last))
        token = f"<NextContinuationToken>{key(last - 1)}</NextContinuationToken>" if last < self.keys else ""
        head = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult><Name>media-archive</Name><Prefix></Prefix>'
            f"<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>{str(last < self.keys).lower()}</IsTruncated>{token}"
        )
        return head.encode() + found + b"<KeyCount>%d</KeyCount></ListBucketResult>" % max(0, last - first)

    def _folders(self, first: int, last: int) -> list[bytes]:
        found = []
        while first < last:
            folder, place = divmod(first, PAGE)
            count = min(PAGE - place, last - first)
            etag = b"BBBB" if folder < self.changed else b"AAAA"
            text = WHOLE[etag] if count == PAGE else b"".join(ELEMENTS[etag][place : place + count])
            found.append(text.replace(b"@@@@@", b"%05d" % folder))
            first += count
        return found

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if self.delay:
                    await asyncio.sleep(self.delay)
                body = self.body(head.split(b" ", 2)[1])
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nx-oss-request-id: 1\r\nContent-Length: %d\r\n\r\n"
                    % len(body)
                )
                writer.write(body)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


async def main() -> None:
    """Serves until its input ends."""
    served = Server(int(sys.argv[1]))
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        what, value = line.split()
        if what == "delay":
            served.delay = float(value) / 1000
        else:
            served.changed = int(value)
        print("done", flush=True)


def run() -> None:
    """The server as a process of its own, for the number of keys in its first argument."""
    uvloop.run(main())
