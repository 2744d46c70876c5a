"""What every part of a migration file shares: unknown settings, yes-or-no values and numbers for dates are refused."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationInfo, field_validator
from pydantic_core import CoreSchema

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


def reject_number(value: Any) -> Any:
    """Refuses a number for a date: 20240101 would be read as seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise ValueError("is a number, not a date: write it as YYYY-MM-DD")
    return value


Date = Annotated[dt.date, BeforeValidator(reject_number)]
Moment = Annotated[dt.datetime, BeforeValidator(reject_number)]


class SettingsModel(BaseModel):
    """A mapping of settings: unknown ones are refused, nothing changes afterwards. The text below a setting describes it to users."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        # A text may take several lines here; users read it as one.
        for setting in cls.model_fields.values():
            setting.description = setting.description and " ".join(setting.description.split())
        return handler(source)

    @field_validator("*", mode="before")
    @classmethod
    def _no_yes_or_no(cls, value: Any, info: ValidationInfo) -> Any:
        # YAML reads yes, no, on and off as booleans, which would pass for 1 and 0.
        if isinstance(value, bool) and not _takes_booleans(cls, info.field_name):
            raise ValueError(
                "is yes or no, which this setting does not accept: write the value, in quotes if it is a word"
            )
        return value


def _takes_booleans(model: type[BaseModel], name: str | None) -> bool:
    field = model.model_fields.get(name or "")
    return field is not None and bool in (field.annotation, *get_args(field.annotation))
