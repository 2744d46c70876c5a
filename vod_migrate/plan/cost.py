"""What a planned run costs, by the prices of its migration file. Exact decimals throughout: no sum of money is a binary fraction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from vod_migrate.discover.page import PAGE_KEYS

if TYPE_CHECKING:
    from vod_migrate.migration.model import Migration
    from vod_migrate.plan.model import LookupCounts, PlannedPrefix

_TEN_THOUSAND = Decimal(10_000)
_GB = Decimal(10**9)
_SHOWN = Decimal("0.0001")


class PlanPart(BaseModel):
    """Frozen; a field that a newer version has added to a saved plan is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CostLine(PlanPart):
    """amount = quantity / per * price, rounded to a ten-thousandth. what: is counted, in the plural."""

    what: str
    quantity: Decimal
    per: Decimal
    price: Decimal
    amount: Decimal

    @property
    def arithmetic(self) -> str:
        """'40,001 OSS requests / 10,000 × 0.01 = 0.04'."""
        divided = "" if self.per == 1 else f" / {self.per:,f}"
        return f"{_plain(self.quantity)} {self.what}{divided} × {_plain(self.price)} = {money(self.amount)}"


class Cost(PlanPart):
    """The lines that have a price, and their sum. unsized: objects whose bytes are not known, so that nothing of them is counted."""

    currency: str
    lines: tuple[CostLine, ...]
    total: Decimal
    unsized: int = 0


def money(amount: Decimal) -> str:
    """With two digits after the point, or up to four where those say more: '1,234.50', '0.0004'."""
    text = f"{amount.quantize(_SHOWN):,f}"
    return text[:-2] + text[-2:].rstrip("0")


def estimated_cost(
    spec: Migration, prefixes: Sequence[PlannedPrefix], lookups: LookupCounts, *, calls: int, size: int, unsized: int
) -> Cost | None:
    """What a run costs; None where the file names no price that applies. calls: of RegisterMedia; size: bytes that are registered."""
    prices = spec.prices
    if prices is None:
        return None

    def counted() -> Iterator[tuple[str, Decimal, Decimal, Decimal | None]]:
        yield "OSS requests", Decimal(oss_requests(spec, prefixes, lookups)), _TEN_THOUSAND, prices.oss_10k_requests
        yield "RegisterMedia calls", Decimal(calls), _TEN_THOUSAND, prices.register_10k_calls
        volume = (size / _GB).quantize(_SHOWN, ROUND_HALF_UP)
        yield "GB registered", volume, Decimal(1), prices.registered_gb
        if spec.register_.processes and prices.minutes_per_gb is not None:
            minutes = (size / _GB * prices.minutes_per_gb).quantize(_SHOWN, ROUND_HALF_UP)
            yield (
                f"minutes transcoded ({_plain(prices.minutes_per_gb)} a GB)",
                minutes,
                Decimal(1),
                prices.transcoded_minute,
            )

    lines = tuple(
        CostLine(
            what=what,
            quantity=quantity,
            per=per,
            price=price,
            amount=(quantity / per * price).quantize(_SHOWN, ROUND_HALF_UP),
        )
        for what, quantity, per, price in counted()
        if price is not None
    )
    if not lines:
        return None
    return Cost(
        currency=prices.currency, lines=lines, total=sum((line.amount for line in lines), Decimal(0)), unsized=unsized
    )


def oss_requests(spec: Migration, prefixes: Sequence[PlannedPrefix], lookups: LookupCounts) -> int:
    """Requests that the run makes to OSS; looking for playlists may take some more.

    A page of 1,000 objects each, one more to see that a listing is complete, and one for each object or cover that is looked at alone.
    """
    if spec.source.listed:
        asked = sum(-(-one.listed // PAGE_KEYS) + 1 for one in prefixes)
    else:
        manifest = spec.source.manifest
        asked = sum(one.listed for one in prefixes) if manifest is not None and manifest.check == "head" else 0
    return asked + lookups.covers_checked + lookups.covers_trusted


def _plain(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
