"""What the real SDK raises or returns instead of a reply means one error of the tree."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from batches import batch_of
from darabonba.exceptions import RetryError, UnretryableException
from darabonba.policy.retry import RetryPolicyContext
from generated_replies import CODES, ODD
from scripted_vod import Answer, ScriptedVod

from vod_migrate.cloud.vod import classify
from vod_migrate.errors import (
    AccountStopped,
    BrokenReply,
    Denied,
    InvalidCredentials,
    NetworkTrouble,
    RegisterError,
    RequestRefused,
    Retryable,
    ServiceTrouble,
    Suspended,
    Throttled,
)
from vod_migrate.media import Reply

Ask = Callable[..., Reply]


@pytest.fixture(scope="module")
def vod() -> Iterator[ScriptedVod]:
    with ScriptedVod() as running:
        yield running


@pytest.fixture
def ask(vod: ScriptedVod) -> Ask:
    """Sends one batch of one file through the real SDK to a server that answers as told."""
    return lambda *answer, **more: vod.ask(batch_of(1), Answer.of(*answer, **more))


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


@pytest.mark.parametrize("seed", range(10))
def test_any_exception_of_the_sdk_is_one_error_of_the_tree(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    for _ in range(200):
        told = {
            "code": dice.choice([*CODES, *ODD]),
            "message": dice.choice([*CODES, *ODD]),
            "request_id": dice.choice(ODD),
            "status_code": dice.choice([400, 403, 404, 429, 500, 503, 599, 0, -2, None, "400"]),
        }
        inner = dice.choice([None, OSError("x"), KeyError("x"), RecursionError(), AttributeError(), UnicodeError()])
        wrapped = UnretryableException(RetryPolicyContext(exception=inner))
        kinds: list[Callable[[], Exception]] = [
            lambda told=told, kind=kind: kind(**told)  # type: ignore[misc]
            for kind in (ClientException, ServerException, ThrottlingException)
        ]
        error = classify(dice.choice([*(kind() for kind in kinds), wrapped]))
        assert isinstance(error, Retryable | RequestRefused | AccountStopped)
        assert "\x00" not in f"{error}{error.code}{error.request_id}".encode().decode()
        assert len(str(error)) < 900
