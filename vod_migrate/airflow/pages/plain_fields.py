"""What a request that changes something may hold: names and codes, so no control characters, which a database or a log would not keep."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from fastapi import HTTPException, Request

_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_UNUSABLE = frozenset({"Cc", "Cs"})
"""Control characters, and halves of characters."""


async def plain_fields(request: Request) -> None:
    """Refuses a field with a control character, whatever route it is for.

    Raises:
        HTTPException: 400, which names the field.
    """
    if request.method not in _CHANGES:
        return
    async with request.form() as form:
        fields: Iterator[tuple[str, object]] = iter(
            (*request.path_params.items(), *request.query_params.multi_items(), *form.multi_items())
        )
        for name, value in fields:
            for what, text in ((f"field {name!a}", str(value)), ("name of a field", name)):
                if any(unicodedata.category(character) in _UNUSABLE for character in text):
                    raise HTTPException(400, f"the {what} has a control character in it")
