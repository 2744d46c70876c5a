"""Experiments: a failed file is sent once more, alone and otherwise than before, to learn whether that was the reason.

What VOD takes is registered, and recorded so. Each experiment is a call within the account's rate, like any other.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

from vod_migrate.audit.cause import differs
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.describe.file_url import file_url
from vod_migrate.errors import RequestRefused, Throttled
from vod_migrate.media import Batch, Description, Entry
from vod_migrate.rate.limiter import RateLimiter, agree_on_rate
from vod_migrate.register.client import RegisterMediaClient
from vod_migrate.register.recorder import settle
from vod_migrate.results.diagnoses import FailedObject, FoundCause
from vod_migrate.results.recorder import new_call_id
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Place
from vod_migrate.shutdown import StopClock

_OPTIONAL = ("Description", "Tags", "CoverURL", "CateId", "ReferenceId")


class Experiments:
    """For the failures of one run. stop: ends every waiting."""

    def __init__(self, store: Store, connection: Connection, run: Run, *, stop: threading.Event) -> None:
        self._store = store
        self._run = run
        self._address = connection.storage_address(run.bucket)
        self._client = RegisterMediaClient(connection, run.spec.register_)
        self._clock = StopClock(stop)
        agree_on_rate(store, account=connection.account, configured=connection.calls_per_second)
        self._rate = RateLimiter(store, account=connection.account, clock=self._clock)
        self._place = Place(token=uuid.uuid4(), slot="experiment", worker_no=0)

    def proven(self, failed: FailedObject, found: FoundCause) -> FoundCause:
        """What an experiment proves, or what was found before.

        Raises:
            RegisterError: VOD cannot be asked. Interrupted. StoreUnreachable.
        """
        ruled_out = dict.fromkeys(found.ruled_out)
        for cause, evidence, entry in self._variants(failed):
            if patiently(lambda entry=entry: self._taken(entry), sleep=self._clock.sleep, tries=TRIES):  # type: ignore[misc]
                told = f"registered {evidence}"
                return FoundCause(cause=cause, certain=True, evidence=told, ruled_out=tuple(ruled_out))
            ruled_out[cause] = None
        kept = FoundCause(cause="", certain=False, evidence="") if found.cause in ruled_out else found
        return replace(kept, ruled_out=tuple(ruled_out))

    def _variants(self, failed: FailedObject) -> Iterator[tuple[str, str, Entry]]:
        """Each cause to try, what is different, and what to send."""
        encoding = self._run.spec.register_.url_encoding
        other = "raw" if encoding == "percent" else "percent"
        sent = failed.sent
        described = Description(
            title=str(sent.get("Title") or failed.key),
            description=sent.get("Description"),
            tags=tuple(str(sent.get("Tags") or "").split(",")) if sent.get("Tags") else (),
            cover_url=sent.get("CoverURL"),
            cate_id=sent.get("CateId"),
            reference_id=sent.get("ReferenceId"),
        )
        if differs(self._address, failed.key):
            yield "url_encoding", f"as {other}", self._entry(failed, described, other)
        if left_out := [name for name in _OPTIONAL if name in sent]:
            bare = self._entry(failed, Description(title=described.title), encoding)
            yield "optional_field", f"without {', '.join(left_out)}", bare

    def _entry(self, failed: FailedObject, described: Description, encoding: str) -> Entry:
        url = file_url(self._address, failed.key, encoding=encoding)
        return Entry(key=failed.key, file_url=url, description=described)

    def _taken(self, entry: Entry) -> bool:
        """Sends one file, and records it if VOD took it."""
        self._rate.wait()
        started, began = dt.datetime.now(dt.UTC), time.monotonic()
        try:
            reply = self._client.register(Batch(storage_address=self._address, entries=(entry,)))
        except Throttled as error:
            self._rate.throttled(retry_after=error.retry_after)
            raise
        except RequestRefused:
            return False
        (outcome,) = reply.outcomes
        if outcome.media_id is None:
            return False
        call = CallRecord(
            call_id=new_call_id(),
            started_at=started,
            seconds=time.monotonic() - began,
            answer="ok",
            files=1,
            http_status=200,
            request_id=reply.request_id,
        )
        self._store.record(self._run, self._place, [call], [settle(entry, outcome, call.call_id)])
        return True
