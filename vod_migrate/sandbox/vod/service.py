"""VOD: which action a request is, whether its signer may do it, and the error JSON."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from vod_migrate.sandbox.accounts import Account, Caller
from vod_migrate.sandbox.errors import ServiceError, VodError
from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.faults.reply import distorted
from vod_migrate.sandbox.http import HttpReply, Request
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod import register, signature, transcoding, update, videos
from vod_migrate.sandbox.vod.parameters import Parameters
from vod_migrate.sandbox.vod.search import Listings

VERSION: Final = "2017-03-21"
Question = Callable[[Account, Parameters], dict[str, Any]]
Action = Callable[[Account, Parameters], tuple[dict[str, Any], int]]


class Vod:
    """The VOD service of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nonces = signature.Nonces()
        self._actions: dict[str, Action] = {
            "RegisterMedia": lambda account, parameters: register.register_media(world, account, parameters),
            "ListTranscodeTemplateGroup": lambda account, _: (account.templates.list(), 0),
            "GetTranscodeTemplateGroup": lambda account, parameters: (account.templates.get(parameters), 0),
            "AddTranscodeTemplateGroup": lambda account, parameters: (
                account.templates.add(parameters, world.timestamp("%Y-%m-%dT%H:%M:%SZ")),
                0,
            ),
            "GetCategories": lambda account, parameters: (account.categories.show(parameters), 0),
            "AddCategory": lambda account, parameters: (account.categories.add(parameters), 0),
            "UpdateVideoInfos": lambda account, parameters: update.update_video_infos(world, account, parameters),
        }
        listings = Listings(world)
        questions: dict[str, Question] = {
            "GetVideoInfo": lambda account, parameters: videos.video_info(world, account, parameters),
            "GetVideoInfos": lambda account, parameters: videos.video_infos(world, account, parameters),
            "BatchGetMediaInfos": lambda account, parameters: videos.media_infos(world, account, parameters),
            "GetMezzanineInfo": lambda account, parameters: videos.mezzanine_info(world, account, parameters),
            "GetPlayInfo": lambda account, parameters: videos.play_info(world, account, parameters),
            "SearchMedia": listings.search_media,
            "GetVideoList": listings.video_list,
            "ListTranscodeTask": lambda account, parameters: transcoding.list_transcode_tasks(
                world, account, parameters
            ),
            "GetTranscodeTask": lambda account, parameters: transcoding.transcode_task(world, account, parameters),
        }
        self._actions |= {name: _without_files(question) for name, question in questions.items()}

    @staticmethod
    def recognises(request: Request) -> bool:
        """Whether a request is for VOD: OSS has no action."""
        if request.path != "/":
            return False
        return bool(request.header("x-acs-action")) or any(name == "Action" for name, _ in request.query)

    def api_of(self, request: Request) -> str:
        """The action, as the request names it."""
        return request.header("x-acs-action") or request.parameters.get("Action", "")

    def keys_of(self, request: Request) -> Iterable[str]:
        """The keys of the files of a RegisterMedia call."""
        try:
            return register.keys_of(_parameters(request))
        except VodError:
            return ()

    def authenticate(self, request: Request) -> Caller:
        """The signer of the request."""
        return signature.authenticate(request, self._world.accounts, self._nonces, self._world.now())

    def perform(self, api: str, request: Request, caller: Caller) -> tuple[HttpReply, int]:
        """Carry out the action."""
        action = self._actions.get(api)
        if action is None:
            raise VodError(
                "InvalidAction.NotFound", 404, "Specified api is not found, please check your url and method."
            )
        if (request.header("x-acs-version") or request.parameters.get("Version", "")) != VERSION:
            raise VodError("InvalidVersion", 400, "Specified parameter Version is not valid.")
        if request.method not in {"GET", "POST"}:
            raise VodError("UnsupportedHTTPMethod", 405, "This http method is not supported.")
        if not caller.account.config.activated:
            raise VodError("OperationDenied", 403, "Your account does not open VOD service yet.")
        if caller.account.config.suspended:
            raise VodError("OperationDenied.Suspended", 403, "Your VOD service is suspended.")
        if not caller.may(f"vod:{api}"):
            raise VodError(
                "Forbidden.RAM", 403,
                "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
            )  # fmt: skip
        result, files = action(caller.account, _parameters(request))
        return _json_reply(200, {"RequestId": _new_request_id(), **result}), files

    def can_distort(self, fault: FaultConfig, request: Request, reply: HttpReply) -> bool:  # noqa: ARG002 - the protocol
        """Every reply can be changed."""
        return True

    def distorted(self, faults: Sequence[FaultConfig], request: Request, reply: HttpReply) -> HttpReply:  # noqa: ARG002 - the protocol
        """The reply of RegisterMedia as these faults change it."""
        body = json.loads(reply.body)
        for fault in faults:
            body = distorted(fault, body)
        return HttpReply(headers=reply.headers, body=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))

    def throttled(self, *, retry_after_ms: int | None = None) -> ServiceError:
        """Over the quota. Code and message: limits page of VOD, 2021."""
        wait = self._world.settings.retry_after_ms if retry_after_ms is None else retry_after_ms
        return VodError("Throttling.User", 400, "Request was denied due to user flow control.", retry_after_ms=wait)

    def refused(self, code: str, status: int, message: str, *, retry_after_ms: int | None) -> ServiceError:
        """Any code."""
        return VodError(code, status, message, retry_after_ms=retry_after_ms)

    def broken(self, status: int) -> ServiceError:
        """A 500 or a 503. The capital A is the vendor's spelling."""
        if status == 500:  # noqa: PLR2004 - an HTTP status
            return VodError("InternalError", 500, "The request processing has failed due to some unknown error.")
        return VodError("ServiceUnAvailable", 503, "The request has failed due to a temporary failure of the server.")

    def refusal(self, error: ServiceError, request: Request) -> HttpReply:
        """The error JSON of the common gateway."""
        body = {
            "RequestId": _new_request_id(),
            "HostId": request.header("Host"),
            "Code": error.code,
            "Message": error.message,
            "Recommend": f"https://api.alibabacloud.com/troubleshoot?q={error.code}&product=vod",
        }
        headers = error.headers if isinstance(error, VodError) else {}
        return _json_reply(error.status, body, headers)


def _without_files(question: Question) -> Action:
    return lambda account, parameters: (question(account, parameters), 0)


def _parameters(request: Request) -> Parameters:
    return {**request.parameters, **dict(signature.body_parameters(request))}


def _json_reply(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> HttpReply:
    request_id = str(body["RequestId"])
    return HttpReply(
        status=status,
        headers={"Content-Type": "application/json;charset=utf-8", "x-acs-request-id": request_id, **(headers or {})},
        body=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
    )


def _new_request_id() -> str:
    return str(uuid.uuid4()).upper()
