"""What the tests of the results store set up: runs, pages, calls and settlements without a cloud."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable
from typing import Any

from vod_migrate.media import MediaObject
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.results.recorder import new_call_id
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import Scan, ScanKind, SelectedPage
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Place, Settlement

BUCKET = "media-archive"
MOMENT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


def begin(
    store: Store, run_id: str, *, migration: str = "nightly", gate: Gate = Gate.OPEN, plan: Any = None, **content: Any
) -> Run:
    """A run of a migration over the whole bucket."""
    options = RunOptions(mode=content.pop("mode", Mode.NEW))
    spec = parse_migration(
        {
            "name": migration,
            "source": {"bucket": BUCKET},
            "register": {"template_group_id": "VOD_NO_TRANSCODE"},
            **content,
        },
        origin="test",
    )
    asked = Run(
        run_id=run_id,
        account="default",
        region="cn-shanghai",
        migration=migration,
        bucket=BUCKET,
        mode=options.mode,
        options=options,
        spec=spec,
        spec_digest="d",
        gate=gate,
    )
    return store.prepare_run(asked, prefixes=[""], whole=True, leftovers=True, plan=plan)


def page(keys: Iterable[str], *, cursor: str | None = None, fetched: float | None = None) -> SelectedPage:
    """A page of objects, just fetched."""
    objects = tuple(
        MediaObject(bucket=BUCKET, key=key, size=1, etag="A" * 32, last_modified=MOMENT) for key in sorted(keys)
    )
    return SelectedPage(
        keys=tuple(found.key for found in objects),
        listed=len(objects),
        selected=objects,
        left_out={},
        cursor=cursor,
        fetched=time.monotonic() if fetched is None else fetched,
    )


def lister(store: Store, run: Run) -> Place:
    return store.take_place(run, slot="discover", host="h")


def prefix_scan(store: Store, run: Run) -> Scan:
    return next(scan for scan in store.open_scans(run) if scan.kind is ScanKind.PREFIX)


def list_all(store: Store, run: Run, keys: Iterable[str]) -> Scan:
    """Lists a whole bucket of these keys, leftovers first."""
    place = lister(store, run)
    for scan in store.open_scans(run):
        if scan.kind is ScanKind.LEFTOVERS:
            after = scan
            while found := store.leftover_page(run, after):
                after = store.merge_leftovers(run, place, after, found, left_out={})
            store.close_scan(run, place, after, state="complete")
    scan = prefix_scan(store, run)
    ordered = sorted(keys)
    for start in range(0, len(ordered), 1000):
        part = ordered[start : start + 1000]
        scan = store.merge_page(run, place, scan, page(part, cursor="more" if start + 1000 < len(ordered) else None))
    if not ordered:
        scan = store.merge_page(run, place, scan, page([]))
    store.close_scan(run, place, scan, state="complete")
    return store.scan(scan.scan_id)


def a_call(files: int = 1, answer: str = "ok", **fields: Any) -> CallRecord:
    return CallRecord(
        call_id=new_call_id(),
        started_at=dt.datetime.now(dt.UTC),
        seconds=0.1,
        answer=answer,
        files=files,
        request_id="00000000-0000-4000-8000-000000000000",
        **fields,
    )


def registered(key: str, call: CallRecord, media_id: str | None = None) -> Settlement:
    return Settlement(
        key=key,
        outcome="registered",
        media_id=media_id or f"m-{key}",
        sent={"Title": key},
        call_id=call.call_id,
    )


def settle(store: Store, run: Run, *, most: int = 10, place: Place | None = None) -> int:
    """Registers everything that is left of a run, ten objects a call. Returns how many."""
    place = place or store.take_place(run, slot="one", host="h")
    sent = 0
    known: tuple[int, ...] = ()
    while (claimed := store.claim(run, place, known=known)).works:
        known = claimed.blocks
        assert store.renew(place)
        for start in range(0, len(claimed.works), most):
            part = claimed.works[start : start + most]
            call = a_call(files=len(part))
            sent += store.record(run, place, [call], [registered(work.key, call) for work in part])
    store.leave(run, place)
    return sent


def finish(store: Store, run: Run, state: str = "succeeded") -> None:
    store.finish_run(run, state=state, summary={"counts": {"pending": 0, "unknown": 0}})


def lapse(store: Store, run: Run) -> None:
    """Everybody who works on a run is dead."""
    with store.connection() as connection:
        connection.execute(
            "update vod_migrate.workers set expires_at = now() - interval '1 h' where run_no = %s", (run.run_no,)
        )


def facts(store: Store) -> dict[str, tuple[str, str | None, str | None]]:
    """key: (state, media_id, code)."""
    with store.connection() as connection:
        rows = connection.execute(
            "select key, case when gone then 'gone' when registered then 'registered' else 'failed' end as state, media_id, code "
            "from vod_migrate.objects"
        ).fetchall()
    return {row["key"]: (row["state"], row["media_id"], row["code"]) for row in rows}
