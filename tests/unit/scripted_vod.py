"""A server that answers as told, and the real SDK in front of it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.media import Batch, Reply
from vod_migrate.migration.registration import Register
from vod_migrate.register.client import RegisterMediaClient

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True, kw_only=True)
class Answer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class ScriptedVod:
    """Sends batches through the real SDK and has each answered as told."""

    def __init__(self) -> None:
        self._answer = Answer(body=b"")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._proxies = {name: os.environ.pop(name) for name in PROXIES if name in os.environ}

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
        self._client = RegisterMediaClient(connection, Register(template_group_id="x"), connections=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        os.environ.update(self._proxies)

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
