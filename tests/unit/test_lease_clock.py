"""Whether a call may begin, by a worker's own clock."""

from __future__ import annotations

import time

import pytest

from vod_migrate.register.lease import Lease


def test_a_lease_that_ended_and_was_renewed_while_a_call_waited_does_not_let_it_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lease = Lease(10)
    assert not lease.lapsed()
    now += 5
    lease.renewed(now)
    assert lease.holds_since(), "it was renewed in time"
    now += 11
    assert not lease.holds_since()
    lease.renewed(now)
    assert lease.holds()
    assert not lease.holds_since(), "somebody may have claimed what the call carries"
    assert lease.lapsed()
    assert lease.holds_since(), "the database was asked since"
