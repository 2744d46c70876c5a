"""Lengths of time and parts of a whole as a migration file writes them: `30m`, `1 %`. They stay text, so that a file reads as it was written."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

MOST_SECONDS = 7 * 86_400
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,6})\s*([smhd])")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)\s*%")
_SHARE = re.compile(r"0?\.\d{1,6}")
ALL_PARTS = 1_000_000
"""A part is counted in millionths, so that one object of a million can be asked for."""


def seconds_of(text: str) -> int:
    """The seconds of a length of time: '90s', '30m', '2h', '1d'.

    Raises:
        ValueError: it is none, or longer than a week; says how to write one.
    """
    written = _DURATION.fullmatch(text.strip())
    if written is None:
        raise ValueError("is not a duration: write a whole number and its unit, e.g. 90s, 30m, 2h or 1d")
    seconds = int(written[1]) * _SECONDS[written[2]]
    if seconds > MOST_SECONDS:
        raise ValueError("is longer than a week: write at most 7d")
    return seconds


def millionths_of(text: str) -> int:
    """A part of a whole in millionths, at least one: '1 %' is 10,000.

    Raises:
        ValueError: it is none; says how to write one.
    """
    plain = text.strip()
    if percent := _PERCENT.fullmatch(plain):
        millionths = float(percent[1]) * ALL_PARTS / 100
    elif _SHARE.fullmatch(plain):
        millionths = float(plain) * ALL_PARTS
    else:
        raise ValueError("is not a share: write it in per cent, e.g. 1 %, or as a share below 1, e.g. 0.01")
    if not 0 < millionths <= ALL_PARTS:
        raise ValueError("is not a share: write more than 0 % and at most 100 %")
    return max(1, round(millionths))


def percent_of(millionths: int) -> str:
    """'1 %', '0.05 %'."""
    return f"{100 * millionths / ALL_PARTS:.6g} %"


def _duration(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("has no unit: write e.g. 90s, 30m, 2h or 1d")  # noqa: TRY004 - pydantic collects it
    if isinstance(value, str):
        seconds_of(value)
        return "".join(value.split())
    return value


def _part(value: Any) -> Any:
    if isinstance(value, int | float):
        if value == 1:
            raise ValueError("could mean 1 % or everything: write 1 % or 100 %")
        value = f"{value:.6f}".rstrip("0") if 0 < value < 1 else str(value)
    return percent_of(millionths_of(value)) if isinstance(value, str) else value


Duration = Annotated[str, BeforeValidator(_duration)]
"""A duration of up to a week, as text."""
Part = Annotated[str, BeforeValidator(_part), WithJsonSchema({"type": ["string", "number"]})]
"""A share, as text in per cent."""
