"""How a plan is named and kept: its digest, and its body as Postgres takes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from vod_migrate.plan.model import Plan
from vod_migrate.results.run import Run
from vod_migrate.results.session import storable
from vod_migrate.results.summary import RunCounts


def digest_of(run: Run, compared: Mapping[str, object], *, selected: int, fingerprint: str) -> str:
    """SHA-256, 64 hex digits, of all that a plan promises: what the file says about sending, the options, and which objects were selected."""
    promised = {
        "account": run.account,
        "region": run.region,
        "settings": run.spec.promised(),
        "compared": dict(compared),
        "selected": selected,
        "fingerprint": fingerprint,
    }
    return hashlib.sha256(json.dumps(promised, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def counts_of(plan: Plan) -> RunCounts:
    """The numbers of a run that only planned; what it would send counts as pending."""
    return RunCounts(
        discovered=plan.listed,
        pending=plan.work,
        changed=plan.changed,
        gone=plan.gone,
        owned_elsewhere=plan.owned_elsewhere,
        unchanged=plan.unchanged,
        failed_before=plan.failed_before,
        queued_elsewhere=plan.queued_elsewhere,
        left_out={one.reason: one.count for one in sorted(plan.left_out, key=lambda one: one.reason)},
        leftovers=plan.leftovers,
    )


def stored_body(plan: Plan) -> dict[str, Any]:
    """The plan as JSON that Postgres takes: without NUL and without half characters, which keys of others may hold."""
    body: dict[str, Any] = _storable(plan.as_json())
    return body


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value.encode(errors="replace").decode())
    if isinstance(value, dict):
        return {_storable(name): _storable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_storable(part) for part in value]
    return value
