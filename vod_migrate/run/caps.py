"""The rates of a run's and a migration's own, kept where the workers find them."""

from __future__ import annotations

from vod_migrate.rate.limiter import API, run_scope
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store


def keep_caps(store: Store, run: Run) -> None:
    """Stores the caps of a run and its migration."""
    store.settle_migration_cap(run, API)
    if run.options.calls_per_second is not None:
        store.keep_cap(run.account, API, run_scope(run.run_id), run.options.calls_per_second)
