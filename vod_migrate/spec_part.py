"""What every part of a migration file has in common: strict, frozen, and templates that are checked when they are read."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import Annotated, Any

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

__all__ = ["PREFIX_FACTS", "Date", "Moment", "Part", "check_template", "no_number"]

PREFIX_FACTS = ("date", "interval_start", "interval_end")
"""What a prefix or the place of a manifest may use about its run."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


def no_number(value: Any) -> Any:
    """Refuses a number where a date is asked for: 20240101 would be taken for the seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise ValueError("is a number and no date: write it as YYYY-MM-DD")
    return value


Date = Annotated[dt.date, BeforeValidator(no_number)]
Moment = Annotated[dt.datetime, BeforeValidator(no_number)]


def check_template(template: str, known: tuple[str, ...], owner: str) -> None:
    """Refuses what is no Jinja2 template, or uses a name that its owner does not have.

    Raises:
        ValueError: naming the place or the name, with the nearest known one.
    """
    environment = SandboxedEnvironment()
    try:
        used = meta.find_undeclared_variables(environment.parse(template))
    except TemplateSyntaxError as error:
        raise ValueError(f"is no Jinja2 template: {error.message} (line {error.lineno})") from None
    for name in sorted(used - set(known)):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise ValueError(f"uses {name!r}, which no {owner} has; {hint}")


class Part(BaseModel):
    """A part of a migration file: frozen, and nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_yes_or_no(cls, value: Any) -> Any:
        # YAML reads yes, no, on and off as booleans, which would pass for 1 and 0.
        if isinstance(value, bool):
            raise ValueError("is yes or no, which no setting takes: write the value, in quotes if it is a word")  # noqa: TRY004 - pydantic collects it
        return value
