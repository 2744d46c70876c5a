"""What is wrong with a migration file or with options, in our words instead of pydantic's."""

from __future__ import annotations

import difflib
import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_WORDING = {
    "tuple_type": "must be a list, e.g. [a, b]",
    "model_type": "must be a mapping of settings",
    "bool_type": "must be true or false",
    "string_type": "must be text: put it in quotes",
    "dict_type": "must be a mapping",
    "date_from_datetime_inexact": "must be a date without a time: write it as YYYY-MM-DD",
    "date_from_datetime_parsing": "must be a date: write it as YYYY-MM-DD",
    "datetime_from_date_parsing": "must be a time: write it as YYYY-MM-DD or YYYY-MM-DDTHH:MM",
}
"""Instead of pydantic's wording where that is about Python."""

_CREDENTIALS = re.compile(r"://[^/\s]*@")

_SECRET = (("notify",),)
"""Where a person may have put a webhook's URL, which is a secret: values from there are not repeated."""

MOST_CHARACTERS = 200
MOST_PROBLEMS = 20


def shown(value: object) -> str:
    """A value or a foreign error text on one line, cut, and without the credentials of an address: a file may hold anything."""
    text = _CREDENTIALS.sub("://…@", " ".join(str(value).split()))
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence for each problem: the field, what is wrong, and the value."""
    problems = []
    details = error.errors(include_url=False)
    above = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    for detail in details:
        if detail["type"] == "too_short" and detail["loc"] in above:
            # A list that only holds bad values is not empty: the values are the problem.
            continue
        where = shown(".".join(str(part) for part in detail["loc"])) or "the file"
        if detail["type"] == "extra_forbidden":
            known = _field_names(model, detail["loc"][:-1])
            near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            problems.append(f"{where}: unknown setting; {hint}")
        elif detail["type"] == "missing":
            problems.append(f"{where}: is required and missing")
        else:
            message = _WORDING.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
            unsaid = isinstance(detail["input"], dict) or detail["loc"][:1] in _SECRET
            value = "" if unsaid else f" (got {shown(repr(detail['input']))})"
            problems.append(f"{where}: {message}{value}")
    more = len(problems) - MOST_PROBLEMS
    return problems if more <= 0 else [*problems[:MOST_PROBLEMS], f"and {more} more problems"]


def _field_names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, int):
            continue
        for name, field in model.model_fields.items():
            if part in (name, field.alias) and (inner := _model_within(field.annotation)):
                model = inner
                break
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_within(inner))), None)
