"""What a fault does to one call that gets no proper reply."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Final

from vod_migrate.sandbox.errors import Dropped
from vod_migrate.sandbox.faults.kinds import CODES
from vod_migrate.sandbox.faults.plan import FaultHit
from vod_migrate.sandbox.http import HttpReply, Request
from vod_migrate.sandbox.service import Service

_HTML: Final = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr></body></html>"
_NO_EFFECT_BODY: Final = json.dumps({"RequestId": "0", "RegisteredMediaList": [], "FailedFileURLs": []}).encode()


async def misbehave(hit: FaultHit, service: Service, request: Request, reply: HttpReply | None) -> HttpReply:
    """The reply to a call that a fault hit; `reply` is the proper one, None before the effect. Raises `Dropped`."""
    config = hit.config
    match config.kind:
        case "http_500" | "http_503":
            return service.refusal(service.broken(int(config.kind[-3:])), request)
        case "error" | "throttle":
            return _refused(hit, service, request)
        case "html_502":
            return html(502, "502 Bad Gateway")
        case "html_414":
            return html(414, "414 Request-URI Too Large")
        case "empty_200":
            return HttpReply(headers={"Content-Type": "application/json;charset=utf-8"})
        case "malformed_200":
            proper = reply or HttpReply(
                headers={"Content-Type": "application/json;charset=utf-8"}, body=_NO_EFFECT_BODY
            )
            return HttpReply(headers=proper.headers, body=proper.body[: len(proper.body) // 2])
        case "timeout":
            await asyncio.sleep(config.seconds)
    if reply is None or config.at_byte is None:
        raise Dropped
    answer = as_sent(reply)
    # The whole of it would be a proper reply.
    most = len(answer) - 1
    raise Dropped(answer[: int(hit.draw * len(answer)) if config.at_byte == "any" else min(most, config.at_byte)])


def _refused(hit: FaultHit, service: Service, request: Request) -> HttpReply:
    config = hit.config
    usual = service.throttled(retry_after_ms=config.retry_after_ms)
    if config.code is None:
        return service.refusal(usual, request)
    status, message = CODES.get(config.code, (400, "A fault refuses this call."))
    error = service.refused(
        config.code, config.status or status, message, retry_after_ms=config.retry_after_ms
    )  # fmt: skip
    return service.refusal(error, request)


def html(status: int, title: str) -> HttpReply:
    """An HTML error page of a gateway."""
    return HttpReply(status=status, headers={"Content-Type": "text/html"}, body=_HTML.format(title).encode())


def as_sent(reply: HttpReply) -> bytes:
    """A reply as HTTP/1.1 bytes; if it is streamed, only its head."""
    length = len(reply.body) if reply.length is None else reply.length
    head = "".join(f"{name}: {value}\r\n" for name, value in {**reply.headers, "Content-Length": length}.items())
    return f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n{head}\r\n".encode() + reply.body
