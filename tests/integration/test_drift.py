"""Each kind of drift is made as it happens in life, found alone, and put right where it can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from comparisons import aged, compared, differences, twin
from rigging import BUCKET, Rig, put

from vod_migrate.audit.drift import KINDS, REPAIRABLE, Drift, Judgment

OBJECTS = 7


def body(text: str) -> bytes:
    return b"\x00\x00\x00\x18ftypmp42 " + text.encode()


def taken(rig: Rig, key: str) -> None:
    """The results gave the MediaId to an object of another bucket."""
    rig.sandbox.put(BUCKET, key)
    rig.sandbox.import_media(BUCKET, prefix=key)
    rig.rows(
        "with other as (insert into vod_migrate.sources (account, bucket) values ('default', 'other-bucket') returning source_id) "
        "insert into vod_migrate.objects (source_id, migration_id, run_no, registered, key, media_id) "
        "select source_id, (select min(migration_id) from vod_migrate.migrations), 0, true, 'x.mp4', %s from other returning 1",
        rig.sandbox.truth(BUCKET)[key].media_id,
    )


def lost(rig: Rig, key: str) -> None:
    """VOD has a media of a file that OSS lists and VOD does not find."""
    rig.sandbox.generate(BUCKET, count=1, prefix="lost/", missing=1, dirt=0)
    (missing,) = [name for name, one in rig.sandbox.expected(BUCKET, "lost/").items() if one.missing]
    twin(rig, missing, key)
    compared(rig, Drift.NOT_RECORDED, apply=True)


def imported(rig: Rig, key: str) -> None:
    rig.sandbox.put(BUCKET, key)
    rig.sandbox.import_media(BUCKET, prefix=key)


@dataclass(frozen=True, kw_only=True)
class Case:
    """How a drift of one key comes about. present: whether it is there before the run; fails: whether VOD refuses it; after: the run."""

    after: Callable[[Rig, str], object]
    present: bool = True
    fails: bool = False


CASES = {
    Drift.NEW: Case(present=False, after=lambda rig, key: rig.sandbox.put(BUCKET, key)),
    Drift.GONE: Case(after=lambda rig, key: rig.sandbox.delete(BUCKET, key)),
    Drift.FAILED_AND_GONE: Case(fails=True, after=lambda rig, key: rig.sandbox.delete(BUCKET, key)),
    Drift.MEDIA_WITHOUT_FILE: Case(
        present=False, after=lambda rig, key: (imported(rig, key), rig.sandbox.delete(BUCKET, key))
    ),
    Drift.MEDIA_DELETED: Case(after=lambda rig, key: rig.sandbox.delete_media(BUCKET, key)),
    Drift.OTHER_FILE: Case(after=lambda rig, key: rig.sandbox.change_media(BUCKET, key, file_key="f00003.mp4")),
    Drift.MEDIA_BLOCKED: Case(after=lambda rig, key: rig.sandbox.change_media(BUCKET, key, status="Blocked")),
    Drift.MEDIA_FAILED: Case(after=lambda rig, key: rig.sandbox.change_media(BUCKET, key, status="TranscodeFail")),
    Drift.SOURCE_DELETED: Case(present=False, after=lost),
    Drift.RETURNED: Case(after=lambda rig, key: rig.sandbox.put(BUCKET, key, body("first"))),
    Drift.SIZE_CHANGED: Case(after=lambda rig, key: rig.sandbox.put(BUCKET, key, body("the second"))),
    Drift.CONTENT_CHANGED: Case(after=lambda rig, key: rig.sandbox.put(BUCKET, key, body("third"))),
    Drift.SIZE_IN_VOD: Case(after=lambda rig, key: rig.sandbox.change_media(BUCKET, key, size=7)),
    Drift.FAILED: Case(fails=True, after=lambda _rig, _key: None),
    Drift.NOT_RECORDED: Case(present=False, after=imported),
    Drift.SECOND_MEDIA: Case(after=twin),
    Drift.MEDIA_ID_TAKEN: Case(present=False, after=taken),
    Drift.OWNED_ELSEWHERE: Case(after=lambda _rig, _key: None),
    Drift.LEFT_OUT: Case(after=lambda _rig, _key: None),
    Drift.ARCHIVED: Case(after=lambda rig, key: rig.sandbox.put(BUCKET, key, body("first"), storage_class="Archive")),
}
KEYS = {drift: f"{drift}/采访 + 7%25 🎬.mp4" for drift in CASES}


@pytest.fixture
def drifted(rig: Rig) -> Rig:
    """A bucket of which all but a few objects agree, and one object of each kind of drift."""
    put(rig.sandbox, OBJECTS)
    for drift, case in CASES.items():
        if case.present:
            rig.sandbox.put(BUCKET, KEYS[drift], body("first"))
        if case.fails:
            rig.sandbox.fault("fail_files", rate=1, keys=KEYS[drift])
    rig.run(rig.migration("other", source={"prefixes": [KEYS[Drift.OWNED_ELSEWHERE]]}))
    rig.run()
    assert differences(compared(rig)) == {"failed": 2, "owned_elsewhere": 1}
    rig.sandbox.delete(BUCKET, KEYS[Drift.RETURNED])
    assert compared(rig, Drift.GONE, apply=True).planned[Drift.GONE] == 1
    aged(rig)
    for drift, case in CASES.items():
        case.after(rig, KEYS[drift])
    return rig


def test_each_kind_of_drift_is_found_once_no_other_is_reported_and_each_repair_ends_its_own(drifted: Rig) -> None:
    selective = drifted.migration(select={"exclude": ["left_out/*"]})
    seen: list[Judgment] = []
    found = compared(drifted, migration=selective, each=seen.append)
    told = {one.drift: one for one in seen if one.drift is not Drift.SAME}
    assert differences(found) == {drift.value: 1 for drift in CASES}
    assert {
        drift: one.key for drift, one in told.items() if drift not in (Drift.SOURCE_DELETED, Drift.SECOND_MEDIA)
    } == {drift: key for drift, key in KEYS.items() if drift not in (Drift.SOURCE_DELETED, Drift.SECOND_MEDIA)}
    assert told[Drift.SOURCE_DELETED].key.startswith("lost/")
    assert found.balance.counts[Drift.SAME] == OBJECTS + 1
    left = set(CASES)
    for drift in REPAIRABLE:
        before = drifted.results()
        shown = compared(drifted, drift, migration=selective)
        assert (shown.planned, shown.repaired, drifted.results()) == (Counter({drift: 1}), None, before)
        repaired = compared(drifted, drift, migration=selective, apply=True)
        assert repaired.left == len(left) - 2  # one is repaired, and one is not compared
        left.remove(drift)
        if repaired.repaired is not None and repaired.repaired.registers:
            drifted.run(selective, prefixes=[KEYS[drift]])
        assert differences(compared(drifted, migration=selective)) == {one.value: 1 for one in CASES if one in left}
    assert left.isdisjoint(REPAIRABLE)
    totals = (
        "select state, code, sum(objects)::int from vod_migrate.totals join vod_migrate.migrations using (migration_id) "
        "where name = 'nightly' group by 1, 2 having sum(objects) <> 0 order by 1, 2"
    )
    counted = drifted.rows(totals)
    drifted.store.recount()
    assert drifted.rows(totals) == counted


def test_every_kind_that_differs_has_a_case_and_a_fix() -> None:
    assert {drift for drift in Drift if drift.differs} <= set(CASES)
    assert all(kind.fix for drift, kind in KINDS.items() if drift.differs)
