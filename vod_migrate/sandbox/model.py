"""The base class of the sandbox's models, and how a validation error is explained."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Share = Annotated[float, Field(ge=0, le=1)]

_MOST_SHOWN: Final = 80
_SECRET: Final = ("secret", "token")


class Strict(BaseModel):
    """A model that rejects unknown names, so that typos are noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def explain(error: ValidationError) -> str:
    """A validation error in one line: each field, what is wrong with it, and the value it has."""
    return "; ".join(_sentence(problem) for problem in error.errors(include_url=False))


def _sentence(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "the document"
    words = str(problem["msg"]).removeprefix("Value error, ")
    value = problem["input"]
    plain = isinstance(value, str | int | float | bool)
    if problem["type"] == "missing" or not plain or any(word in place for word in _SECRET):
        return f"{place}: {words}"
    shown = repr(value)
    return f"{place}: {words} (it is {shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + '…'})"


def did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """The end of a sentence about an unknown name: the closest known name, if there is one, and all of them."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}? Known: {', '.join(known)}" if close else f"known: {', '.join(known)}"
