"""The pace's arithmetic stands twice, in register/quota.py and in SQL: here both are asked the same questions."""

from __future__ import annotations

import pytest

from vod_migrate.rate.limiter import CUT, LOWEST, MOST_CUT, share_after_refusal, share_in_force
from vod_migrate.results.store import Store

ACCOUNT = ("studio", "RegisterMedia")


def test_the_share_in_force_is_the_same_in_sql(store: Store) -> None:
    with store.connection() as connection:
        for share in (0.1, 0.33, 0.64, 0.999, 1.0):
            for seconds in (-5.0, 0.0, 0.5, 1.0, 7.0, 20.0, 44.0, 60.0, 1e7):
                row = connection.execute(
                    "select vod_migrate_share(%s, clock_timestamp() - make_interval(secs => %s))", (share, seconds)
                ).fetchone()
                assert row is not None
                # The function reads the clock again, some microseconds later.
                assert row[0] == pytest.approx(share_in_force(share=share, seconds_since_cut=seconds), abs=1e-3)


def test_what_a_refusal_leaves_is_the_same_in_sql(store: Store) -> None:
    for rate in (0.2, 1.0, 20.0, 47.0, 1000.0):
        for share in (0.1, 0.11, 0.5, 1.0):
            store.set_quota(*ACCOUNT, rate)
            with store.connection() as connection:
                connection.execute("update quotas set factor = %s, cut_at = clock_timestamp()", (share,))
            store.slow_down(*ACCOUNT, cut=CUT, most_cut=MOST_CUT, lowest=LOWEST, pause=0.0)
            with store.connection() as connection:
                row = connection.execute("select factor from quotas").fetchone()
            assert row is not None
            assert row[0] == pytest.approx(share_after_refusal(share=share, rate=rate), abs=2e-3), (rate, share)
