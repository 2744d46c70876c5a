"""What the tests of a reconciliation drive it with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rigging import BUCKET, Rig

from vod_migrate.audit.drift import Drift, Judgment, Mark
from vod_migrate.audit.reconciliation import Extent
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import parse_options
from vod_migrate.run.reconciliation import Reconciled, reconcile

WHOLE = Extent()


def compared(
    rig: Rig,
    *repair: Drift,
    apply: bool = False,
    migration: Migration | None = None,
    extent: Extent = WHOLE,
    stop: threading.Event | None = None,
    each: Callable[[Judgment], object] = lambda _: None,
    **options: Any,
) -> Reconciled:
    return reconcile(
        store=rig.store,
        connection=rig.connection,
        migration=migration or rig.migration(),
        options=parse_options(options),
        extent=extent,
        stop=stop or threading.Event(),
        repair=repair,
        apply=apply,
        each=each,
    )


def differences(found: Reconciled) -> dict[str, int]:
    return {drift.value: count for drift, count in found.balance.counts.items() if drift.mark is not Mark.AGREES}


def aged(rig: Rig) -> None:
    """What was registered was so an hour ago: of a younger media VOD may not know yet."""
    rig.rows("update vod_migrate.objects set settled_at = settled_at - interval '1 hour' returning 1")


def twin(rig: Rig, of: str, name: str = "twin.mp4") -> str:
    """Another media of a file, under another MediaId, which is returned."""
    rig.sandbox.put(BUCKET, name)
    rig.sandbox.import_media(BUCKET, prefix=name)
    media_id = rig.sandbox.truth(BUCKET)[name].media_id
    rig.sandbox.change_media(BUCKET, name, file_key=of)
    rig.sandbox.delete(BUCKET, name)
    return media_id
