"""What a description has to ask for: the number of a category, made where allowed, and whether a cover exists.

Both are remembered for as long as the worker lives. What may go away by itself is waited out, as for RegisterMedia: no object
fails because a service was away. AddCategory and GetCategories have quota rows of their own, shared by all workers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vod_migrate.cloud.clients import open_vod
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.retry import patiently
from vod_migrate.errors import BrokenReply, RequestRefused, Throttled
from vod_migrate.media import Rejected
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock

if TYPE_CHECKING:
    from vod_migrate.cloud.vod import VodClient

log = logging.getLogger(__name__)

GET_CATEGORIES = "GetCategories"
ADD_CATEGORY = "AddCategory"
CALLS_PER_SECOND = {GET_CATEGORIES: 47.0, ADD_CATEGORY: 28.0}
"""94 % of the documented 50 and 30 calls/s an account (QPS limits page, 2024-10)."""
ROOT = -1
"""The parent of the top categories (GetCategories page)."""
PAGE_SIZE = 100
MOST_PAGES = 100
FRESH_SECONDS = 60.0
"""A category that was missing is looked for again after this: a person may have made it meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Children:
    """What one category holds, by name, and when it was read (seconds, monotonic)."""

    ids: Mapping[str, int]
    at: float


class Categories:
    """Finds categories by path, and makes them once however many workers need them at the same moment."""

    def __init__(self, connection: Connection, *, store: Store, create: bool, stop: threading.Event) -> None:
        """create: whether a category that does not exist is made; stop: ends every waiting."""
        self._connection = connection
        self._store = store
        self._create = create
        self._clock = StopClock(stop)
        self._children: dict[int, _Children] = {}
        self._lock = threading.Lock()
        self._paces: dict[str, RateLimiter] = {}
        self._client: VodClient | None = None

    def find(self, path: tuple[str, ...]) -> int | Rejected:
        """The CateId of a path.

        Raises:
            AccountStopped: the credentials may not call the API. Interrupted: told to stop. StoreUnreachable.
        """
        with self._lock:
            parent = ROOT
            for depth, name in enumerate(path, start=1):
                found = self._child(parent, name)
                if found is None:
                    if not self._create:
                        return _missing(path, depth)
                    made = self._made(parent, path[:depth])
                    if isinstance(made, Rejected):
                        return made
                    found = made
                parent = found
            return parent

    def _child(self, parent: int, name: str) -> int | None:
        known = self._children.get(parent)
        if known is None or (name not in known.ids and time.monotonic() - known.at > FRESH_SECONDS):
            known = self._read(parent)
        return known.ids.get(name)

    def _made(self, parent: int, path: tuple[str, ...]) -> int | Rejected:
        # Somebody else may have made it since we looked; VOD itself would make a second one of the same name.
        with self._store.category_lock(self._connection.account, "/".join(path)):
            try:
                return patiently(lambda: self._read_or_add(parent, path), sleep=self._clock.sleep)
            except RequestRefused as error:
                return Rejected(
                    code="category_refused", message=f"VOD did not create the category {'/'.join(path)!r}: {error}"
                )

    def _read_or_add(self, parent: int, path: tuple[str, ...]) -> int:
        # Read before each try: an AddCategory without an answer may have had its effect.
        known = self._read(parent)
        if path[-1] in known.ids:
            return known.ids[path[-1]]
        body = self._call_once(ADD_CATEGORY, cate_name=path[-1], parent_id=parent)
        cate_id = _whole((body.get("Category") or {}).get("CateId"), ADD_CATEGORY)
        log.info("category %r created: CateId %d", "/".join(path), cate_id)
        self._children[parent] = _Children(ids={**known.ids, path[-1]: cate_id}, at=known.at)
        return cate_id

    def _read(self, parent: int) -> _Children:
        ids = children_of(self._call, parent)
        self._children[parent] = _Children(ids=ids, at=time.monotonic())
        return self._children[parent]

    def _call(self, api: str, **fields: Any) -> Mapping[str, Any]:
        return patiently(lambda: self._call_once(api, **fields), sleep=self._clock.sleep)

    def _call_once(self, api: str, **fields: Any) -> Mapping[str, Any]:
        self._client = self._client or open_vod(self._connection)
        pace = self._pace(api)
        pace.wait()
        try:
            return self._client.call(api, **fields)
        except Throttled as error:
            pace.throttled(retry_after=error.retry_after)
            raise

    def _pace(self, api: str) -> RateLimiter:
        if api not in self._paces:
            account = self._connection.account
            self._store.keep_quota(account, api, CALLS_PER_SECOND[api])
            self._paces[api] = RateLimiter(self._store, account=account, clock=self._clock, api=api)
        return self._paces[api]


def children_of(ask: Callable[..., Mapping[str, Any]], parent: int) -> dict[str, int]:
    """The subcategories of a category: CateId by name. ask: calls an API of VOD by its name, with the SDK's fields."""
    ids: dict[str, int] = {}
    for page in range(1, MOST_PAGES + 1):
        body = ask(
            GET_CATEGORIES,
            cate_id=parent,
            page_no=page,
            page_size=PAGE_SIZE,
            sort_by="CreationTime:Asc",
            type="default",
        )
        listed = ((body.get("SubCategories") or {}).get("Category")) or []
        for item in listed:
            # Of two categories with the same name the older one counts, on every worker.
            ids.setdefault(str(item.get("CateName")), _whole(item.get("CateId"), GET_CATEGORIES))
        if len(listed) < PAGE_SIZE:
            break
    return ids


def _whole(value: Any, api: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise BrokenReply(f"VOD answered {api} with the CateId {value!r}", http_status=200)


def _missing(path: tuple[str, ...], depth: int) -> Rejected:
    known = "/".join(path[:depth])
    return Rejected(
        code="category_missing",
        message=f"there is no category {known!r}"
        + (f" (of {'/'.join(path)!r})" if depth < len(path) else "")
        + "; create it in the console, or set describe.categories: create",
    )
