"""What every part of a migration file shares: strictness, and how a mistake in a template is told."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, get_args

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

PREFIX_FACTS = ("date", "interval_start", "interval_end")
"""What a prefix or the place of a manifest may use about its run."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


def reject_number(value: Any) -> Any:
    """Refuses a number where a date is asked for: 20240101 would be taken for the seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise ValueError("is a number and no date: write it as YYYY-MM-DD")
    return value


Date = Annotated[dt.date, BeforeValidator(reject_number)]
Moment = Annotated[dt.datetime, BeforeValidator(reject_number)]


class SettingsModel(BaseModel):
    """A mapping of settings: unknown ones are refused, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_yes_or_no(cls, value: Any, info: ValidationInfo) -> Any:
        # YAML reads yes, no, on and off as booleans, which would pass for 1 and 0.
        if isinstance(value, bool) and not _takes_booleans(cls, info.field_name):
            raise ValueError(
                "is yes or no, which this setting does not take: write the value, in quotes if it is a word"
            )
        return value


def _takes_booleans(model: type[BaseModel], name: str | None) -> bool:
    field = model.model_fields.get(name or "")
    return field is not None and bool in (field.annotation, *get_args(field.annotation))


def check_template(template: str, known: Collection[str], owner: str) -> None:
    """Whether the template of a prefix or a place can be read and uses only what its owner has.

    Raises:
        ValueError: what is wrong, with a did-you-mean.
    """
    environment = SandboxedEnvironment()
    try:
        used = meta.find_undeclared_variables(environment.parse(template))
    except TemplateSyntaxError as error:
        raise ValueError(f"is no Jinja2 template: {error.message} (line {error.lineno})") from None
    check_names(used, known, owner)


def check_names(used: Collection[str], known: Collection[str] | Mapping[str, Any], owner: str) -> None:
    """Whether all names are known.

    Raises:
        ValueError: the first unknown one, with a did-you-mean.
    """
    for name in sorted(set(used) - set(known)):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
        raise ValueError(f"uses {name!r}, which no {owner} has; {hint}")
