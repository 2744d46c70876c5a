"""Corrects what VOD has where a migration would describe its registered objects otherwise now."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vod_migrate.audit.correction import Change, CorrectionCounts, Corrector
from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import VodMigrateError
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.results.actions import Deed
from vod_migrate.results.store import Store
from vod_migrate.run.parts import Parts, selection_of
from vod_migrate.run.request import Origin, build_request
from vod_migrate.run.settle import finishing


def correct(
    *,
    store: Store,
    connection: Connection,
    migration: Migration,
    options: RunOptions,
    stop: threading.Event,
    by: str,
    apply: bool = False,
    each: Callable[[Change], object] = lambda _: None,
) -> CorrectionCounts:
    """Compares, and corrects only if `apply`, under a run of its own. by: who asked; each: is given every change.

    Raises:
        BadOption: see `prepare`. SourceError: the source cannot be listed. RegisterError. Interrupted. StoreUnreachable.
    """
    asked = build_request(connection=connection, migration=migration, options=options, origin=Origin())
    parts = Parts(store=store, connection=connection, run=asked.run, stop=stop)
    corrector = Corrector(
        store=store,
        connection=connection,
        run=asked.run,
        prefixes=asked.prefixes,
        selection=selection_of(asked.run),
        describer=parts.describer(parts.lookups(create=apply and migration.describe.categories == "create")),
        stop=stop,
        each=each,
    )
    if not apply:
        for _ in corrector.corrections():
            pass
        return corrector.counts
    run = store.prepare_run(asked.run, prefixes=(), whole=False)
    with finishing(store, run, interrupted_by=VodMigrateError):
        store.note_run_action(run, Deed.UPDATED, by=by)
        corrector.correct(run)
    return corrector.counts
