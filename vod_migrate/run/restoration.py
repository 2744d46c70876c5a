"""Restores what a migration would register if it were not archived: a readable copy of each object, for some days.

Nothing is remembered: OSS itself says what is being restored and what can be read, so the next call goes on where this one ended.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.oss import BucketClient, RestoreAnswer
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.selection import sample_of
from vod_migrate.discover.source import RunSource
from vod_migrate.errors import Interrupted, SourceError, VodMigrateError
from vod_migrate.media import MediaObject
from vod_migrate.results.scan import SAMPLES
from vod_migrate.results.store import Store
from vod_migrate.run.parts import selection_of
from vod_migrate.run.request import RunRequest
from vod_migrate.shutdown import StopClock

TIERS: dict[str, tuple[str, ...]] = {
    "Archive": (),
    "ColdArchive": ("Expedited", "Standard", "Bulk"),
    "DeepColdArchive": ("Expedited", "Standard"),
}
"""The priorities that a storage class has (RestoreObject page, 2025); Archive has no choice."""

MOST_DAYS = {"Archive": 7, "ColdArchive": 365, "DeepColdArchive": 365}
"""For how long a copy can be ordered, in days (the same page)."""

_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreOrder:
    """What to ask for. tier, days: of each copy, as far as its class allows; begin: False only counts. most_*: of one call, None for all."""

    days: int
    tier: str
    most_objects: int | None = None
    most_bytes: int | None = None
    begin: bool = False


@dataclass(kw_only=True, slots=True)
class Amount:
    """Some objects, and how large they are together."""

    objects: int = 0
    bytes: int = 0

    def add(self, found: MediaObject) -> None:
        """One more."""
        self.objects += 1
        self.bytes += found.size or 0


@dataclass(kw_only=True, slots=True)
class Refusals:
    """The objects that cannot be restored for one reason, with a few of their keys."""

    objects: int = 0
    samples: list[str] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class RestoreResult:
    """What was found, and what was begun (or would be).

    wanted: what is to be restored, by storage class; chosen: of them, within the limits; begun: what OSS accepted. registered: archived
    objects that have been registered, and are left alone; ongoing, readable: copies in progress and finished. limited: the order's limit
    ended it before everything was chosen; stopped: why it ended early.
    """

    wanted: dict[str, Amount] = field(default_factory=dict)
    chosen: dict[str, Amount] = field(default_factory=dict)
    begun: Amount = field(default_factory=Amount)
    registered: int = 0
    ongoing: int = 0
    readable: int = 0
    expires: dt.datetime | None = None
    refused: dict[str, Refusals] = field(default_factory=dict)
    limited: bool = False
    stopped: VodMigrateError | None = None

    def refuse(self, found: MediaObject, why: str) -> None:
        """Notes an object that cannot be restored."""
        group = self.refused.setdefault(why, Refusals())
        group.objects += 1
        if len(group.samples) < SAMPLES:
            group.samples.append(sample_of(found.key))


class Restoration:
    """Restores the archived objects of one migration."""

    def __init__(
        self, *, store: Store, connection: Connection, asked: RunRequest, order: RestoreOrder, stop: threading.Event
    ) -> None:
        """asked: what a run would list; it is not stored."""
        # Copies that exist are told apart from objects without one, whatever the file says about them.
        rules = asked.run.spec.select.model_copy(update={"archived": "restored", "restored_min_days": 0})
        self._run = replace(asked.run, spec=asked.run.spec.model_copy(update={"select": rules}))
        self._store = store
        self._connection = connection
        self._prefixes = asked.prefixes
        self._order = order
        self._stop = stop
        self._selection = selection_of(self._run)
        self.result = RestoreResult()

    def run(self) -> RestoreResult:
        """Lists, chooses, and begins what the order allows. What went wrong midway is in the result: what was begun stays begun.

        Raises:
            SourceError: the source cannot be listed. Interrupted: `stop` was set. Both only where nothing was begun yet.
        """
        try:
            self._restore(open_bucket(self._connection, self._run.bucket))
        except VodMigrateError as error:
            if not self.result.begun.objects:
                raise
            self.result.stopped = error
        return self.result

    def _restore(self, client: BucketClient) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="restore") as threads:
            for page in self._pages():
                chosen = self._choose(self._archived(page))
                if self._order.begin:
                    self._settle(chosen, list(threads.map(lambda found: self._ask(client, found), chosen)))
                if self._stop.is_set():
                    raise Interrupted("restoring was stopped; run the command again to continue", code="interrupted")
                if self.result.stopped is not None or (self._order.begin and self.result.limited):
                    break

    def _pages(self) -> Iterator[ListedPage]:
        source = RunSource(self._connection, self._run)
        for prefix in self._prefixes:
            yield from source.pages(prefix, self._stop)

    def _archived(self, page: ListedPage) -> Sequence[MediaObject]:
        """What a run would take if it were not archived, and nobody has registered yet."""
        archived = []
        for found in page.objects:
            reason = self._selection.reason(found, part=page.parts.get(found.key))
            if reason == "archived":
                archived.append(found)
            self.result.ongoing += reason == "being_restored"
            if reason is None and found.restored is not None:
                self.result.readable += 1
                expires = found.restored.expires
                if expires is not None:
                    self.result.expires = min(expires, self.result.expires or expires)
        if not archived:
            return ()
        keys = [found.key for found in archived]
        registered = self._store.registered_among(self._run.account, self._run.bucket, keys)
        self.result.registered += len(registered)
        return [found for found in archived if found.key not in registered]

    def _choose(self, archived: Sequence[MediaObject]) -> list[MediaObject]:
        result, order, chosen = self.result, self._order, []
        for found in archived:
            name = found.storage_class or ""
            result.wanted.setdefault(name, Amount()).add(found)
            if TIERS.get(name) and order.tier not in TIERS[name]:
                result.refuse(found, f"{name} has no tier {order.tier}: choose {' or '.join(TIERS[name])}")
                continue
            if order.most_bytes is not None and (found.size or 0) > order.most_bytes:
                result.refuse(found, "this object alone is larger than --max-bytes: raise the limit")
                continue
            result.limited = result.limited or self._beyond(found)
            if not result.limited:
                result.chosen.setdefault(name, Amount()).add(found)
                chosen.append(found)
        return chosen

    def _beyond(self, found: MediaObject) -> bool:
        objects = sum(one.objects for one in self.result.chosen.values()) + 1
        size = sum(one.bytes for one in self.result.chosen.values()) + (found.size or 0)
        most = self._order
        return (most.most_objects is not None and objects > most.most_objects) or (
            most.most_bytes is not None and size > most.most_bytes
        )

    def _ask(self, client: BucketClient, found: MediaObject) -> RestoreAnswer | VodMigrateError | None:
        name = found.storage_class or ""
        days = min(self._order.days, MOST_DAYS.get(name, self._order.days))
        tier = self._order.tier if TIERS.get(name) else None
        if self._stop.is_set() or self.result.stopped is not None:
            return None
        try:
            clock = StopClock(self._stop)
            return patiently(lambda: client.restore(found.key, days=days, tier=tier), sleep=clock.sleep, tries=TRIES)
        except VodMigrateError as error:
            if type(error) is not SourceError:
                # The next object would meet the same.
                self.result.stopped = error
            return error

    def _settle(self, chosen: Sequence[MediaObject], answers: Sequence[RestoreAnswer | VodMigrateError | None]) -> None:
        for found, answer in zip(chosen, answers, strict=True):
            if answer is RestoreAnswer.BEGUN:
                self.result.begun.add(found)
            elif answer is RestoreAnswer.ONGOING:
                self.result.ongoing += 1
            elif answer is RestoreAnswer.READABLE:
                self.result.readable += 1
            elif answer is RestoreAnswer.NOT_ARCHIVED:
                self.result.refuse(found, "it is no longer archived, so a run registers it")
            elif answer is RestoreAnswer.MISSING:
                self.result.refuse(found, "it no longer exists")
            elif type(answer) is SourceError:
                self.result.refuse(found, str(answer).replace(found.key, "KEY"))
