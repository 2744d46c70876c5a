"""Where a registered object would be described otherwise now: compared with what was sent, and corrected with UpdateVideoInfos.

Page by page, so that memory does not grow with the number of objects. UpdateVideoInfos changes the fields that it is given and no
others: it cannot clear one, nor change a ReferenceId.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from vod_migrate.audit.vod_queries import VodQueries
from vod_migrate.cloud.connection import Connection
from vod_migrate.describe.describer import Describer
from vod_migrate.describe.metadata import metadata
from vod_migrate.discover.selection import Selection, storable
from vod_migrate.discover.source import RunSource
from vod_migrate.errors import Interrupted, RequestRefused
from vod_migrate.media import Rejected
from vod_migrate.results.corrections import Correction, SentDescription
from vod_migrate.results.run import Run
from vod_migrate.results.scan import SAMPLES
from vod_migrate.results.store import Store

UPDATE_VIDEO_INFOS = "UpdateVideoInfos"
MOST_MEDIA = 20
"""Media in one call (UpdateVideoInfos page)."""
CALLS_PER_SECOND = 28.0
"""94 % of 30 calls/s an account (the same page)."""

_CHANGEABLE = ("Title", "Description", "Tags", "CoverURL", "CateId")
_THREADS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One field of one object. old, new: None where it has none."""

    key: str
    media_id: str
    name: str
    old: Any
    new: Any


@dataclass(kw_only=True)
class CorrectionCounts:
    """What was found and done, in objects.

    compared: registered, selected and described; differ: to be corrected; updated: VOD took the correction; lost: VOD has no such media;
    refused: VOD refused the correction, and refusals: with which messages. fields: to be changed, by name; kept: what cannot be changed.
    changed: objects whose content is another than when they were registered; rejected: cannot be described now.
    """

    listed: int = 0
    compared: int = 0
    differ: int = 0
    updated: int = 0
    lost: int = 0
    refused: int = 0
    changed: int = 0
    rejected: int = 0
    calls: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Change]] = field(default_factory=dict)
    changed_keys: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        numbers = ("listed", "compared", "differ", "updated", "lost", "refused", "changed", "rejected", "calls")
        return {
            **{name: getattr(self, name) for name in numbers},
            "fields": dict(self.fields),
            "kept": dict(self.kept),
            "samples": {
                name: [{"key": one.key, "media_id": one.media_id, "old": one.old, "new": one.new} for one in samples]
                for name, samples in self.samples.items()
            },
            "changed_keys": self.changed_keys,
            "refusals": self.refusals,
        }


@dataclass(kw_only=True)
class Corrector:
    """Compares and corrects the descriptions of one migration. counts: so far.

    run: what a run of the migration would be. prefixes: what it lists; each: is given every change; stop: ends every waiting.
    """

    store: Store
    connection: Connection
    run: Run
    prefixes: Sequence[str]
    selection: Selection
    describer: Describer
    stop: threading.Event
    each: Callable[[Change], object]
    counts: CorrectionCounts = field(default_factory=CorrectionCounts)

    def __post_init__(self) -> None:
        self._vod = VodQueries(self.connection, self.store, {UPDATE_VIDEO_INFOS: CALLS_PER_SECOND}, stop=self.stop)

    def corrections(self) -> Iterator[Correction]:
        """What is to be corrected, as it is found.

        Raises:
            SourceError: the source cannot be listed. Interrupted. StoreUnreachable.
        """
        shelf = self.store.shelf(self.run.account, self.run.migration, self.run.bucket)
        source = RunSource(self.connection, self.run)
        for prefix in self.prefixes:
            for page in source.pages(prefix, self.stop):
                if self.stop.is_set():
                    raise Interrupted("the comparison was stopped; run the command again", code="interrupted")
                self.counts.listed += len(page.objects)
                taken = [
                    found
                    for found in page.objects
                    if storable(found.key) and self.selection.reason(found, part=page.parts.get(found.key)) is None
                ]
                known = self.store.sent_of_keys(shelf, [found.key for found in taken])
                for found in taken:
                    if found.key not in known:
                        continue
                    described = self.describer.describe(found)
                    if isinstance(described, Rejected):
                        self.counts.rejected += 1
                        continue
                    self._look_at_content(found.key, found.etag, known[found.key].etag)
                    correction = self._compared(known[found.key], metadata(described))
                    if correction is not None:
                        yield correction

    def correct(self, run: Run) -> None:
        """Corrects everything in VOD, and records it under a run as it goes: ended in the middle, another correction goes on with the rest.

        Raises:
            As `corrections`. RegisterError: VOD cannot be asked.
        """
        found = self.corrections()
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="update") as threads:
            while parts := [part for _ in range(_THREADS) if (part := list(islice(found, MOST_MEDIA)))]:
                for answers in threads.map(self._update, parts):
                    counted = Counter(answer for _, answer in answers)
                    self.counts.lost += counted["lost"]
                    self.counts.refused += counted["refused"]
                    taken = [one for one, answer in answers if answer == "taken"]
                    self.counts.updated += self.store.save_sent(run, taken)

    def _look_at_content(self, key: str, now: str | None, then: str | None) -> None:
        if now is None or then is None or now.strip('"').upper() == then.strip('"').upper():
            return
        self.counts.changed += 1
        if len(self.counts.changed_keys) < SAMPLES:
            self.counts.changed_keys.append(key)

    def _compared(self, known: SentDescription, now: Mapping[str, Any]) -> Correction | None:
        self.counts.compared += 1
        fields = {}
        for name in sorted((known.sent.keys() | now.keys()) - {"FileURL"}):
            old, new = known.sent.get(name), now.get(name)
            if old == new:
                continue
            if new is None or name not in _CHANGEABLE:
                self.counts.kept[name] += 1
                continue
            fields[name] = new
            self.counts.fields[name] += 1
            change = Change(key=known.key, media_id=known.media_id, name=name, old=old, new=new)
            self.each(change)
            if self.counts.fields[name] <= SAMPLES:
                self.counts.samples.setdefault(name, []).append(change)
        if not fields:
            return None
        self.counts.differ += 1
        return Correction(of=known, fields=fields)

    def _update(self, part: Sequence[Correction]) -> list[tuple[Correction, str]]:
        """Corrects up to 20 media, each of which is taken, lost or refused. A refused call is halved until the one stands alone."""
        content = [{"VideoId": one.of.media_id, **one.fields} for one in part]
        self.counts.calls += 1
        try:
            body = self._vod.call(UPDATE_VIDEO_INFOS, update_content=json.dumps(content, ensure_ascii=False))
        except RequestRefused as refusal:
            if len(part) == 1:
                if str(refusal) not in self.counts.refusals and len(self.counts.refusals) < SAMPLES:
                    self.counts.refusals.append(str(refusal))
                return [(part[0], "refused")]
            half = len(part) // 2
            return self._update(part[:half]) + self._update(part[half:])
        lost = map(str, body.get("NonExistVideoIds") or ())
        forbidden = map(str, body.get("ForbiddenVideoIds") or ())
        answers = dict.fromkeys(forbidden, "refused") | dict.fromkeys(lost, "lost")
        return [(one, answers.get(one.of.media_id, "taken")) for one in part]
