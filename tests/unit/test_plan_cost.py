"""What a plan says about money: exact, with its arithmetic, and nothing where nothing has a price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.plan.cost import Cost, CostLine, estimated_cost, money
from vod_migrate.plan.model import LookupCounts, PlannedPrefix

PREFIXES = (PlannedPrefix(prefix="a/", listed=40_000_001, selected=1), PlannedPrefix(prefix="b/", listed=0, selected=0))


def migration(prices: Any, **content: Any) -> Migration:
    source = {"bucket": "media", **content.pop("source", {})}
    register = content.pop("register", {"template_group_id": "VOD_NO_TRANSCODE"})
    return parse_migration({"name": "a", "source": source, "register": register, "prices": prices}, origin="a test")


def cost(prices: Any, *, size: int = 3_000_000_000_000, unsized: int = 0, **content: Any) -> Cost | None:
    return estimated_cost(
        migration(prices, **content), PREFIXES, LookupCounts(), calls=4_000_001, size=size, unsized=unsized
    )


def test_each_line_is_quantity_times_price_and_the_total_is_their_sum() -> None:
    prices = {
        "oss_10k_requests": 0.01,
        "register_10k_calls": "0.1",
        "registered_gb": 0.12,
        "transcoded_minute": 0.0326,
        "minutes_per_gb": 16.7,
    }
    found = cost(prices, register={"template_group_id": "0123456789"})
    assert found is not None
    assert [line.arithmetic for line in found.lines] == [
        # 40,001 pages and one to see the end; and one for the prefix that is empty
        "40,003 OSS requests / 10,000 × 0.01 = 0.04",
        "4,000,001 RegisterMedia calls / 10,000 × 0.1 = 40.00",
        "3,000 GB registered × 0.12 = 360.00",
        "50,100 minutes transcoded (16.7 a GB) × 0.0326 = 1,633.26",
    ]
    assert found.total == Decimal("0.04") + Decimal("40.0000") + Decimal(360) + Decimal("1633.26")
    assert (found.currency, money(found.total)) == ("CNY", "2,033.30")


def test_what_is_not_transcoded_or_has_no_price_has_no_line() -> None:
    transcoding = {"transcoded_minute": 1, "minutes_per_gb": 10}
    assert cost(None) is None
    assert cost({}) is None
    assert cost(transcoding) is None, "the template group transcodes nothing"
    found = cost(transcoding, register={"workflow_id": "w" * 32})
    assert found is not None
    assert [line.amount for line in found.lines] == [30_000]


def test_a_manifest_lists_nothing_and_asks_about_each_row_only_if_it_is_to_be_checked() -> None:
    for check, asked in (("none", 0), ("head", 40_000_001)):
        manifest = {"location": "oss://media/a.csv", "check": check}
        found = cost({"oss_10k_requests": 1}, source={"manifest": manifest})
        assert found is not None
        assert [line.quantity for line in found.lines] == [asked]


@pytest.mark.parametrize(
    ("amount", "shown"), [("0", "0.00"), ("0.0004", "0.0004"), ("1234.5", "1,234.50"), ("0.125", "0.125")]
)
def test_money_has_two_digits_after_the_point_or_those_that_say_more(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


def test_cents_are_not_lost_in_binary_fractions() -> None:
    found = cost({"oss_10k_requests": 0.1, "register_10k_calls": 0.2}, size=0)
    assert found is not None
    assert found.total == sum(line.amount for line in found.lines)
    assert CostLine.model_validate(found.lines[0].model_dump(mode="json")) == found.lines[0]


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({"currency": "yuan"}, "prices.currency"),
        ({"oss_10k_requests": -1}, "prices.oss_10k_requests"),
        ({"register_10k_calls": "cheap"}, "prices.register_10k_calls"),
        ({"registered_gb": float("nan")}, "prices.registered_gb"),
        ({"registered_gb": float("inf")}, "prices.registered_gb"),
        ({"registered_gb": True}, "prices.registered_gb"),
        ({"registered_gb": 10**9}, "prices.registered_gb"),
        ({"transcoded_minute": 1}, "minutes_per_gb is missing"),
        ({"minutes_per_gb": 1}, "transcoded_minute is missing"),
        ({"transcoded_minute": 1, "minutes_per_gb": 0}, "prices.minutes_per_gb"),
        ({"register_10k": 1}, "did you mean"),
        (5, "prices"),
    ],
)
def test_a_price_that_is_none_is_refused_by_its_name(prices: Any, told: str) -> None:
    with pytest.raises(BadMigrationFile, match=told):
        migration(prices)
