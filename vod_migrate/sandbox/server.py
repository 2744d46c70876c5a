"""The HTTP server: one port for OSS, VOD and the control API. A call passes through jitter, quota and faults."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import struct
import time
from typing import Final

from aiohttp import web

from vod_migrate.sandbox.accounts import Caller
from vod_migrate.sandbox.control_api import Control
from vod_migrate.sandbox.counters import ApiCounters
from vod_migrate.sandbox.errors import BadRequest, Dropped, ServiceError
from vod_migrate.sandbox.faults.call import html, misbehave
from vod_migrate.sandbox.faults.plan import FaultHit, Subject
from vod_migrate.sandbox.http import HttpReply, Request, split_target
from vod_migrate.sandbox.journal import Journal
from vod_migrate.sandbox.oss.service import Oss, new_request_id
from vod_migrate.sandbox.service import Service
from vod_migrate.sandbox.settings import SandboxConfig
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod.service import Vod

_log = logging.getLogger(__name__)

# The request line may hold a whole batch: 57,983 bytes was the longest legal one measured.
_MAX_LINE_BYTES: Final = 140_000
_CHUNKS_BETWEEN_TURNS: Final = 16
LOOPBACK: Final = "127.0.0.1"
_SHUTDOWN_S: Final = 0.2
_SIGMA: Final = 0.5
_DRAIN_S: Final = 0.02


class SandboxServer:
    """A world behind a port. Use it from one event loop."""

    def __init__(self, config: SandboxConfig, journal: Journal | None = None) -> None:
        self.world = World(config, journal)
        self._oss = Oss(self.world)
        self._vod = Vod(self.world)
        self._control = Control(self.world)
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int = 0, *, host: str = LOOPBACK) -> int:
        """Listen. Returns the port; 0 picks a free one. Raises `OSError` if it is taken."""
        server = web.Server(
            self._handle, access_log=None, max_line_size=_MAX_LINE_BYTES, max_field_size=_MAX_LINE_BYTES,
            keepalive_timeout=75, auto_decompress=False,
        )  # fmt: skip
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=512).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        bound: int = runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """Stop listening and cut open connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self.world.journal is not None:
            self.world.journal.close()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        if raw.raw_path.startswith("/_sandbox/"):
            return await self._control.handle(raw)
        if len(raw.raw_path) > self.world.settings.max_url_bytes:
            return await _send(raw, html(414, "414 Request-URI Too Large"))
        try:
            path, query = split_target(raw.raw_path)
        except BadRequest as error:
            return web.Response(status=400, text=str(error))
        body = await raw.content.read()
        request = Request(method=raw.method, path=path, query=query, headers=raw.headers, body=body)
        service: Service = self._vod if Vod.recognises(request) else self._oss
        try:
            reply = await self._call(service, request)
        except Dropped as dropped:
            await _cut(raw, dropped.sent)
            return web.Response()
        except Exception:  # noqa: BLE001 - a bug is answered with 500
            _log.exception("The sandbox itself failed on %s %s", request.method, request.path)
            reply = service.refusal(service.broken(500), request)
        # By the clock of the sandbox, which a setting can move.
        reply.headers.setdefault("Date", self.world.timestamp("%a, %d %b %Y %H:%M:%S GMT"))
        return await _send(raw, reply)

    async def _call(self, service: Service, request: Request) -> HttpReply:
        """Handle one call, from its arrival to its reply. Raises `Dropped`."""
        world, settings = self.world, self.world.settings
        if settings.arrival_jitter_ms:
            await asyncio.sleep(world.random.expovariate(1_000 / settings.arrival_jitter_ms))
        api = service.api_of(request)
        caller, refusal = None, None
        try:
            caller = service.authenticate(request)
        except ServiceError as error:
            refusal = error
        uid = caller.account.uid if caller else ""
        row = world.counters.of(uid, api)
        with row.call(world.now()):
            if caller is None or refusal is not None:
                row.refused += 1
                return service.refusal(refusal or service.broken(500), request)
            about = Subject(api=api, uid=uid, named=lambda: service.keys_of(request))
            early, late = world.faults.delays(about)
            row.faults_by_kind.update(["latency"] if early or late else [])
            if early:
                await asyncio.sleep(early)
            hit = world.faults.for_call(about)
            if hit is not None:
                row.faults += 1
                row.faults_by_kind[hit.config.kind] += 1
            now = time.monotonic()
            denied = hit is not None and hit.config.kind == "throttle"
            if denied or not caller.account.accept(api, now, settings.quotas.get(api)):
                row.throttled += 1
                return (
                    service.refusal(service.throttled(), request)
                    if hit is None
                    else await misbehave(hit, service, request, None)
                )
            row.second.accept(now, None)
            row.accepted[int(world.now())] += 1
            if hit is not None and not hit.config.has_effect:
                return await misbehave(hit, service, request, None)
            reply = self._carry_out(service, request, caller, row, about, hit)
            if settings.latency_ms:
                await asyncio.sleep(self._latency_s())
            if late:
                await asyncio.sleep(late)
            return reply if hit is None else await misbehave(hit, service, request, reply)

    def _carry_out(
        self, service: Service, request: Request, caller: Caller, row: ApiCounters, about: Subject, hit: FaultHit | None
    ) -> HttpReply:
        try:
            reply, files = service.perform(about.api, request, caller)
        except ServiceError as error:
            row.refused += 1
            return service.refusal(error, request)
        row.effects += 1
        row.files += files
        faults = self.world.faults.for_reply(about, lambda fault: service.can_distort(fault, request, reply))
        row.faults_by_kind.update(fault.kind for fault in faults)
        row.faults += hit is None and bool(faults)
        row.ok += hit is None and not faults
        if self.world.journal is not None:
            kinds = [hit.config.kind] if hit is not None else [fault.kind for fault in faults]
            self.world.journal.call(
                reply.headers.get("x-acs-request-id", ""),
                signed=request.header("x-acs-date"),
                fault=kinds[0] if kinds else None,
            )
        return service.distorted(faults, request, reply) if faults else reply

    def _latency_s(self) -> float:
        mean_s = self.world.settings.latency_ms / 1_000
        match self.world.settings.latency_shape:
            case "exponential":
                return self.world.random.expovariate(1 / mean_s)
            case "lognormal":
                return self.world.random.lognormvariate(math.log(mean_s) - _SIGMA**2 / 2, _SIGMA)
            case _:
                return mean_s


async def _cut(raw: web.BaseRequest, sent: bytes) -> None:
    """Send `sent`, then reset the connection, as a crashed or overloaded peer does."""
    if raw.transport is None:
        return
    if sent:
        raw.transport.write(sent)
        # A reset discards what the other side has not read yet.
        await asyncio.sleep(_DRAIN_S)
    connection = raw.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.transport.abort()


async def _send(raw: web.BaseRequest, reply: HttpReply) -> web.StreamResponse:
    headers = reply.headers
    if "x-acs-request-id" not in headers:
        headers = {"x-oss-request-id": new_request_id(), "Server": "AliyunOSS", **headers}
    if raw.method == "HEAD" and reply.length is not None:
        return web.Response(status=reply.status, headers={**headers, "Content-Length": str(reply.length)})
    if reply.chunks is None:
        return web.Response(status=reply.status, headers=headers, body=reply.body)
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_length = reply.length
    await response.prepare(raw)
    for turn, chunk in enumerate(reply.chunks):
        await response.write(chunk)
        if turn % _CHUNKS_BETWEEN_TURNS == 0:
            # A fast reader never makes write() wait, but other calls must still get their turn.
            await asyncio.sleep(0)
    await response.write_eof()
    return response
