"""RestoreObject: the rules of its page (2025) and of the EC pages 0016-00000701 to 0016-00000715."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from lxml import etree

from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import HttpReply, Request
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.objects.restore import Restore
from vod_migrate.sandbox.oss.objects import check_digest, existing, malformed_xml
from vod_migrate.sandbox.settings import RestoreKind

DAY_S: Final = 86_400
# From the lowest priority to the highest.
_TIERS: Final = ("Bulk", "Standard", "Expedited")
_DEFAULT_TIER: Final = "Standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class _ClassRules:
    """What a storage class allows. `tiers` is empty if there is no choice of priority."""

    max_days: int
    tiers: tuple[str, ...] = ()


_RULES: Final = {
    "Archive": _ClassRules(max_days=7),
    "ColdArchive": _ClassRules(max_days=365, tiers=_TIERS),
    "DeepColdArchive": _ClassRules(max_days=365, tiers=("Standard", "Expedited")),
}


def restore_object(
    bucket: Bucket, key: str, request: Request, *, now: float, durations_s: Mapping[RestoreKind, float]
) -> HttpReply:
    """Start a restore (202), extend a finished one (200), or raise the priority of one in progress (202)."""
    check_digest(request)
    entry = existing(bucket, key, request)
    rules = _RULES.get(entry.storage_class)
    if rules is None:
        raise OssError("OperationNotSupported", 400, "The operation is not supported for this resource.")
    days, tier = _read_request(request.body, rules)
    kind = f"{entry.storage_class}.{tier}" if rules.tiers else entry.storage_class
    duration_s = durations_s.get(cast("RestoreKind", kind), 0)
    current = bucket.restore(key)
    if current is not None and current.readable(now):
        latest = current.ready_at + rules.max_days * DAY_S
        expires_at = max(current.expires_at, min(latest, current.expires_at + days * DAY_S))
        bucket.set_restore(key, Restore(tier=current.tier, ready_at=current.ready_at, expires_at=expires_at))
        return HttpReply(headers={"x-oss-object-restore-priority": current.tier} if rules.tiers else {})
    ready_at = now + duration_s
    if current is not None and current.ongoing(now):
        if _TIERS.index(tier) <= _TIERS.index(current.tier):
            raise OssError("RestoreAlreadyInProgress", 409, "The restore operation is in progress.")
        ready_at = min(ready_at, current.ready_at)
    bucket.set_restore(key, Restore(tier=tier, ready_at=ready_at, expires_at=ready_at + days * DAY_S))
    return HttpReply(status=202)


def _read_request(body: bytes, rules: _ClassRules) -> tuple[int, str]:
    """Days and tier of a RestoreRequest. Only Archive has a default number of days: one."""
    if not body:
        if rules.tiers:
            raise malformed_xml()
        return 1, _DEFAULT_TIER
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise malformed_xml() from None
    if root.tag != "RestoreRequest" or {child.tag for child in root} - {"Days", "JobParameters"}:
        raise malformed_xml()
    days = (root.findtext("Days") or "").strip()
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= rules.max_days):
        raise malformed_xml()
    job = root.find("JobParameters")
    tier = _DEFAULT_TIER if job is None else (job.findtext("Tier") or _DEFAULT_TIER).strip()
    if job is not None and tier not in rules.tiers:
        raise malformed_xml()
    return int(days), tier
