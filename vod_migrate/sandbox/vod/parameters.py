"""Parameters of VOD calls: the refusals that all APIs share."""

from __future__ import annotations

import re
from typing import Final

from vod_migrate.sandbox.errors import VodError

Parameters = dict[str, str]
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def missing(name: str) -> VodError:
    """The refusal of a call without a mandatory parameter."""
    return VodError(
        "MissingParameter",
        400,
        f'The input parameter "{name}" that is mandatory for processing this request is not supplied.',
    )


def invalid(name: str, rule: str) -> VodError:
    """The refusal of a parameter that breaks a rule; the message names both."""
    return VodError("InvalidParameter", 400, f"The specified parameter {name} is not valid: {rule}.")


def required(parameters: Parameters, name: str) -> str:
    """The value of a mandatory parameter."""
    value = parameters.get(name, "")
    if not value:
        raise missing(name)
    return value


def whole_number(parameters: Parameters, name: str, default: int, *, least: int, most: int) -> int:
    """An integer parameter from `least` to `most`."""
    text = parameters.get(name, "")
    if not text:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or not least <= int(text) <= most:
        raise invalid(name, f"it must be a whole number from {least} to {most}")
    return int(text)


def boolean(parameters: Parameters, name: str) -> bool | None:
    """A boolean parameter, None if it is not given."""
    text = parameters.get(name, "").lower()
    if text not in {"", "true", "false"}:
        raise invalid(name, "it must be true or false")
    return None if not text else text == "true"


def check_bytes(name: str, text: str, most: int) -> None:
    """Refuse a text whose UTF-8 form has more than `most` bytes."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > most:
        raise invalid(name, f"it has {size} bytes of UTF-8, {most} are allowed")


def one_of(parameters: Parameters, name: str, choices: tuple[str, ...]) -> str:
    """A parameter with one of a few values; the first is the default."""
    value = parameters.get(name, "") or choices[0]
    if value not in choices:
        raise invalid(name, f"it must be one of {', '.join(choices)}")
    return value


def several_of(parameters: Parameters, name: str, choices: tuple[str, ...]) -> list[str]:
    """A parameter with some of a few values, separated by commas; empty if it is not given."""
    values = [value for value in parameters.get(name, "").split(",") if value]
    unknown = [value for value in values if value not in choices]
    if unknown:
        raise invalid(name, f"{unknown[0]} is unknown; known: {', '.join(choices)}")
    return values


def page_of(parameters: Parameters, most: int) -> tuple[int, int]:
    """PageNo, from 1 on, and PageSize, 10 by default."""
    number = whole_number(parameters, "PageNo", 1, least=1, most=2**31 - 1)
    return number, whole_number(parameters, "PageSize", 10, least=1, most=most)


def time_range(parameters: Parameters) -> tuple[str, str]:
    """StartTime and EndTime as written; a missing one is before, or after, every time."""
    start, end = parameters.get("StartTime", ""), parameters.get("EndTime", "")
    for name, text in (("StartTime", start), ("EndTime", end)):
        if text and not TIME.fullmatch(text):
            raise invalid(name, "it must have the form yyyy-MM-ddTHH:mm:ssZ")
    if start and end and end <= start:
        raise invalid("EndTime", "it must be later than StartTime")
    return start, end or "~"
