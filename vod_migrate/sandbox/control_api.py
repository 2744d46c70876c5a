"""The control API under /_sandbox/: settings, faults, counters, and the truth. JSON in, JSON or NDJSON out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from vod_migrate.sandbox.errors import BadRequest
from vod_migrate.sandbox.faults.config import FaultConfig, FaultPlanFile
from vod_migrate.sandbox.http import split_target
from vod_migrate.sandbox.model import explain
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.settings import AccountConfig, BucketConfig, CategoryConfig
from vod_migrate.sandbox.state import World
from vod_migrate.sandbox.vod import console
from vod_migrate.sandbox.vod.console import MediaChange, MediaImport, MediaName

_LINES_PER_CHUNK: Final = 500
_Model = TypeVar("_Model", bound=BaseModel)
_Query = dict[str, str]


class Control:
    """What a test or a person can ask of a running sandbox."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: dict[tuple[str, str], Callable[[_Query, Any], Any]] = {
            ("GET", "health"): lambda _, __: {"status": "ok", "buckets": sorted(world.buckets)},
            ("GET", "settings"): lambda _, __: world.settings.model_dump(mode="json"),
            ("PATCH", "settings"): self._patch_settings,
            ("GET", "faults"): lambda _, __: world.faults.summary(),
            ("PUT", "faults"): lambda _, body: {"armed": world.faults.replace(_plan(body))},
            ("POST", "faults"): lambda _, body: {"number": world.faults.add(_valid(FaultConfig, body))},
            ("DELETE", "faults"): self._remove_faults,
            ("GET", "counters"): lambda query, _: world.counters.summary(query.get("account")),
            ("DELETE", "counters"): self._reset_counters,
            ("GET", "accounts"): lambda _, __: [account.config.model_dump(mode="json") for account in world.accounts],
            ("POST", "accounts"): self._set_account,
            ("GET", "buckets"): lambda _, __: [self._describe(name) for name in sorted(world.buckets)],
            ("POST", "buckets"): self._set_bucket,
            ("POST", "categories"): self._add_category,
            ("GET", "media"): lambda query, _: console.show_media(world, _valid(MediaName, query)),
            ("POST", "media"): lambda _, body: {"registered": console.import_media(world, _valid(MediaImport, body))},
            ("PATCH", "media"): lambda _, body: console.change_media(world, _valid(MediaChange, body)),
            ("DELETE", "media"): lambda query, _: console.delete_media(world, _valid(MediaName, query)),
            ("GET", "truth"): lambda query, _: truth(world, query.get("bucket"), query.get("account")),
            ("GET", "expected"): lambda query, _: expected(world, query.get("bucket"), query.get("prefix", "")),
        }

    async def handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        """Answer one control request; an error is JSON that says why."""
        try:
            path, query = split_target(raw.raw_path)
            name = path.removeprefix("/_sandbox/").strip("/")
            route = self._routes.get((raw.method, name))
            if route is None:
                known = ", ".join(sorted(f"{method} {path}" for method, path in self._routes))
                raise BadRequest(f"There is no {raw.method} {name}; available: {known}.", status=404)  # noqa: TRY301 - one exit
            text = await raw.content.read()
            answer = route(dict(query), json.loads(text) if text else {})
        except BadRequest as error:
            return web.json_response({"error": str(error)}, status=error.status)
        except ValidationError as error:
            return web.json_response({"error": explain(error)}, status=400)
        except ValueError:
            return web.json_response({"error": "The body is not JSON."}, status=400)
        if isinstance(answer, Iterator):
            return await _stream(raw, answer)
        return web.json_response(answer)

    def _patch_settings(self, _: _Query, body: Any) -> Any:
        if not isinstance(body, dict):
            raise BadRequest("The body must be a JSON object of settings.")
        return self._world.change_settings(body).model_dump(mode="json")

    def _remove_faults(self, query: _Query, _: Any) -> Any:
        number = query.get("number")
        if number is not None and not number.isdigit():
            raise BadRequest("number must be the number of a fault.")
        return {"removed": self._world.faults.remove(None if number is None else int(number))}

    def _reset_counters(self, _: _Query, __: Any) -> Any:
        self._world.counters.reset()
        return {}

    def _set_account(self, _: _Query, body: Any) -> Any:
        return self._world.accounts.add(_valid(AccountConfig, body)).config.model_dump(mode="json")

    def _set_bucket(self, _: _Query, body: Any) -> Any:
        return self._describe(self._world.set_bucket(_valid(BucketConfig, body)).name)

    def _add_category(self, query: _Query, body: Any) -> Any:
        account = self._world.account(query.get("account"))
        return account.categories.configure(_valid(CategoryConfig, body)).as_reply()

    def _describe(self, name: str) -> dict[str, Any]:
        bucket = self._world.buckets[name]
        return {
            "name": name,
            "account": bucket.uid,
            "region": bucket.region,
            "in_vod": bucket.in_vod,
            "storage_address": bucket.storage_address,
            "generate": bucket.dataset.config.model_dump(mode="json") if bucket.dataset else None,
        }


def truth(world: World, bucket: str | None, uid: str | None) -> Iterator[dict[str, Any]]:
    """What is registered from a bucket; from every bucket, without a name."""
    account = world.account(uid)
    chosen = [world.bucket(bucket)] if bucket is not None else list(world.buckets.values())
    return (
        row
        for one in chosen
        for row in account.library.truth(world.settings.seed, account.uid, one.name, one.storage_address)
    )


def expected(world: World, bucket: str | None, prefix: str) -> Iterator[dict[str, Any]]:
    """Every object of a bucket, as a complete listing would show it."""
    if bucket is None:
        raise BadRequest("expected needs ?bucket=NAME.")
    return _expected(world.bucket(bucket), prefix)


def _expected(bucket: Bucket, prefix: str) -> Iterator[dict[str, Any]]:
    for key, entry in bucket.scan(prefix):
        if not key.startswith(prefix):
            return
        if entry is not None:
            yield {
                "key": key,
                "size": entry.size,
                "storage_class": entry.storage_class,
                "missing": entry.missing,
                "content": bucket.format_of(entry),
            }


def _plan(body: Any) -> list[FaultConfig]:
    return FaultPlanFile.model_validate(body if isinstance(body, dict) else {"faults": body}).faults


def _valid(model: type[_Model], body: Any) -> _Model:
    return model.model_validate(body)


async def _stream(raw: web.BaseRequest, rows: Iterator[dict[str, Any]]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    response.enable_chunked_encoding()
    await response.prepare(raw)
    while lines := [json.dumps(row, ensure_ascii=False) for row in islice(rows, _LINES_PER_CHUNK)]:
        await response.write(("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))
        # A fast reader never makes write() wait, but calls must still get their turn.
        await asyncio.sleep(0)
    await response.write_eof()
    return response
