"""What the real SDK raises or returns means one thing: an outcome, or one error of the tree."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from batches import HOST, batch_of
from darabonba.exceptions import RetryError, UnretryableException
from darabonba.policy.retry import RetryPolicyContext

from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.cloud.vod import classify
from vod_migrate.errors import (
    AccountStopped,
    BrokenReply,
    Denied,
    InvalidCredentials,
    NetworkTrouble,
    RegisterError,
    RequestRefused,
    ServiceTrouble,
    Suspended,
    Throttled,
)
from vod_migrate.media import Reply, Verdict
from vod_migrate.migration.registration import Register
from vod_migrate.register.client import RegisterMediaClient

Ask = Callable[..., Reply]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Sends one batch of one file through the real SDK to a server that answers as told."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    told: dict[str, Any] = {}

    class Scripted(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.send_response(told["status"])
            for name, value in told["headers"].items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told["body"])))
            self.end_headers()
            self.wfile.write(told["body"])

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    connection = connection_from_fields(
        {
            "access_key_id": "id",
            "access_key_secret": "hidden-secret",
            "region": "cn-shanghai",
            "vod_endpoint": f"http://127.0.0.1:{server.server_port}",
        },
        origin="test",
    )
    client = RegisterMediaClient(connection, Register(template_group_id="x"), connections=1)

    def send(body: Any, status: int = 200, **headers: str) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        told.update(body=raw, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return client.register(batch_of(1))

    yield send
    server.shutdown()
    server.server_close()


ROW = {"FileURL": f"http://{HOST}/film%200.mp4", "MediaId": "m0", "NewRegister": True}


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        pytest.param({"RegisteredMediaList": [ROW]}, Verdict.REGISTERED, id="one list only"),
        pytest.param({"RegisteredMediaList": [None, 7, ROW]}, Verdict.REGISTERED, id="among things of other types"),
        pytest.param({"FailedFileURLs": [ROW["FileURL"]]}, Verdict.FAILED, id="the other list only"),
        pytest.param({"FailedFileURLs": ROW["FileURL"]}, Verdict.FAILED, id="a string for a list"),
        pytest.param({"RegisteredMediaList": [], "FailedFileURLs": []}, Verdict.UNKNOWN, id="both lists empty"),
    ],
)
def test_an_answer_reads_the_same_through_the_sdk(ask: Ask, body: dict[str, Any], verdict: Verdict) -> None:
    assert ask({"RequestId": "r", **body}).outcomes[0].verdict is verdict


@pytest.mark.parametrize(
    "body",
    [{}, {"RequestId": "r"}, {"Code": "X", "Message": "m"}, [1], 7, b"null", b'"text"', b"", b"<html>502</html>", b"{"],
)
def test_an_answer_without_either_list_is_broken_and_costs_no_object_an_attempt(ask: Ask, body: Any) -> None:
    with pytest.raises(BrokenReply):
        ask(body)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(400, {"Code": "InvalidParameter", "Message": "m"}, RequestRefused, id="a refusal"),
        pytest.param(400, {"Code": "Throttling.User", "Message": "m"}, Throttled, id="throttled"),
        pytest.param(429, {"Message": "slow down"}, Throttled, id="too many requests, by a gateway"),
        pytest.param(403, {"Code": "Forbidden.RAM", "Message": "m"}, Denied, id="denied"),
        pytest.param(503, {"Code": "ServiceUnAvailable", "Message": "m"}, ServiceTrouble, id="a server error"),
        pytest.param(500, {}, ServiceTrouble, id="a server error without a word"),
        pytest.param(403, {"error": "blocked by policy"}, BrokenReply, id="a proxy that speaks JSON"),
        pytest.param(400, [1], BrokenReply, id="JSON that is no object"),
        pytest.param(414, b"<html>URI too long</html>", BrokenReply, id="a gateway that speaks HTML"),
    ],
)
def test_an_error_answer_has_its_kind_through_the_sdk(ask: Ask, status: int, body: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        ask(body, status=status)
    assert type(caught.value) is kind
    assert "hidden-secret" not in str(caught.value)


def test_the_services_word_for_how_long_arrives_in_seconds(ask: Ask) -> None:
    with pytest.raises(Throttled) as caught:
        ask({"Code": "Throttling.User", "Message": "m"}, status=400, x_acs_retry_after="1500")
    assert caught.value.retry_after == 1.5


def test_what_no_table_can_keep_is_gone_from_a_message(ask: Ask) -> None:
    with pytest.raises(RequestRefused) as caught:
        ask(b'{"Code":"X\\u0000","Message":"a\\ud800\\u0000b","RequestId":"r\\u0000"}', status=400)
    for text in (str(caught.value), caught.value.code, caught.value.request_id or ""):
        text.encode()
        assert "\x00" not in text


KINDS = [
    ("InvalidAccessKeyId.NotFound", 404, InvalidCredentials),
    ("InvalidAccessKeyId.Inactive", 403, InvalidCredentials),
    ("SignatureDoesNotMatch", 400, InvalidCredentials),
    ("IncompleteSignature", 400, InvalidCredentials),
    ("InvalidSecurityToken.Expired", 400, InvalidCredentials),
    ("MissingSecurityToken", 400, InvalidCredentials),
    ("MissingAccessKeyId", 400, InvalidCredentials),
    ("InvalidTimeStamp.Expired", 400, AccountStopped),
    ("SignatureNonceUsed", 400, ServiceTrouble),
    ("OperationDenied", 403, Suspended),
    ("OperationDenied.Suspended", 403, Suspended),
    ("Forbidden", 403, Denied),
    ("NoPermission", 403, Denied),
    ("Throttling", 400, Throttled),
    ("Throttling.Api", 503, Throttled),
    ("InternalError", 500, ServiceTrouble),
    ("ServiceUnAvailable", 503, ServiceTrouble),
    ("MissingParameter", 400, RequestRefused),
    ("InvalidTemplateGroupId.NotFound", 404, RequestRefused),
    ("SomethingNew", 418, RequestRefused),
    ("SomethingNew", 599, ServiceTrouble),
]


@pytest.mark.parametrize(("code", "status", "kind"), KINDS)
@pytest.mark.parametrize("raised", [ClientException, ServerException, ThrottlingException])
def test_a_code_means_the_same_whichever_class_the_sdk_chose(
    raised: type[Exception], code: str, status: int, kind: type[RegisterError]
) -> None:
    error = classify(raised(code=code, status_code=status, message="because", request_id="r-1"))  # type: ignore[call-arg]
    assert type(error) is kind
    assert (error.code, error.http_status, error.request_id) == (code, status, "r-1")
    assert "because" in str(error)
    assert code in str(error)


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (RetryError("Connection refused"), NetworkTrouble),
        (ConnectionResetError("reset"), NetworkTrouble),
        (TimeoutError(), NetworkTrouble),
        (RuntimeError('Failed to parse the value as json format, Value: "<html>".'), BrokenReply),
        (AttributeError("'list' object has no attribute 'get'"), BrokenReply),
        (None, NetworkTrouble),
    ],
)
def test_what_the_sdk_gives_up_on_is_trouble_of_the_way_or_a_broken_reply(
    inner: Exception | None, kind: type[RegisterError]
) -> None:
    assert type(classify(UnretryableException(RetryPolicyContext(exception=inner)))) is kind


def test_a_long_page_of_a_proxy_is_cut_short() -> None:
    error = classify(ClientException(code="X", status_code=400, message="word " * 5_000))
    assert len(str(error)) < 500
