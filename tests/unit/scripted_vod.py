"""A server that answers as told, and the real SDK in front of it."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from generated_replies import CODES, ODD

from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.media import Batch, Reply
from vod_migrate.migration.registration import Register
from vod_migrate.register.client import RegisterMediaClient


@dataclass(frozen=True, kw_only=True)
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Any, status: int = 200, **headers: str) -> Self:
        """body: bytes, or what is sent as JSON; the names of headers with _ for -."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return cls(body=raw, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    @classmethod
    def any(cls, dice: random.Random, body: Any) -> Self:
        """A body, or an error, with some bytes changed and a status and headers that need not fit it."""
        if dice.random() < 0.3:
            body = {"Code": dice.choice(CODES), "Message": dice.choice([*CODES, *ODD]), "RequestId": dice.choice(ODD)}
        raw = bytearray(json.dumps(body).encode())
        for _ in range(dice.choice([0, 0, 0, 1, 3, 50])):
            place = dice.randrange(len(raw) + 1)
            raw[place : place + dice.choice([0, 1, 2, 500])] = dice.randbytes(dice.choice([0, 1, 2]))
        raw = dice.choice([raw, raw, raw, raw[: len(raw) // 2], b"[" * 100_000, b"\xff\xfe" + raw])
        status = dice.choice([200, 200, 200, 200, 201, 302, 400, 403, 404, 414, 429, 500, 502, 503])
        headers = dice.choice([{}, {}, {"x-acs-retry-after": dice.choice(["5", "-1", "x", ""])}])
        return cls(body=bytes(raw), status=status, headers=headers)


class ScriptedVod:
    """Sends batches through the real SDK and has each answered as told."""

    def __init__(self) -> None:
        self._answer = Answer(body=b"")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        connection = connection_from_fields(
            {
                "access_key_id": "id",
                "access_key_secret": "hidden-secret",
                "region": "cn-shanghai",
                "vod_endpoint": f"http://127.0.0.1:{self._server.server_port}",
            },
            origin="test",
        )
        self._client = RegisterMediaClient(connection, Register(template_group_id="x"))
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ask(self, sent: Batch, answer: Answer) -> Reply:
        self._answer = answer
        return self._client.register(sent)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: two would wait 40 ms for each other.
            wbufsize = 65_536

            def do_POST(self) -> None:
                answer = scripted._answer
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                return

        return Handler
