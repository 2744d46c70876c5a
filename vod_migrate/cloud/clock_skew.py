"""How far this machine's clock is off, by the Date of an answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def skew_of(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that this machine's clock is ahead; None without a readable Date. The Date has no fractions."""
    date = next((value for name, value in (headers or {}).items() if name.lower() == "date"), "")
    try:
        return time.time() - parsedate_to_datetime(date).timestamp() - 0.5
    except (ValueError, TypeError):
        return None
