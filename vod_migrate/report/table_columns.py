"""What the columns of an exported table hold: the same for CSV, JSON Lines and Parquet, and the source of the page in the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "boolean", "time"]

KINDS: dict[str, Kind] = {
    "new_register": "boolean",
    "size": "integer",
    "attempts": "integer",
    "last_modified": "time",
    "settled_at": "time",
    "registered_at": "time",
    "updated_at": "time",
}
"""The columns of our tables that are not text."""

IN_FORMATS: dict[Kind, tuple[str, str, str]] = {
    "text": ("quoted, guarded against formulas", "string", "string"),
    "integer": ("digits", "number", "int64"),
    "boolean": ("`true`, `false`", "`true`, `false`", "bool"),
    "time": ("`2026-11-21T17:00:00Z`", "the same as a string", "timestamp[ms], UTC"),
}
"""How each kind is written in CSV, JSON Lines and Parquet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnMeaning:
    """meaning: of the values; empty: when there is none, '' for never."""

    meaning: str
    empty: str = ""


RESULT_MEANINGS = {
    "bucket": ColumnMeaning(meaning="The bucket of the object."),
    "key": ColumnMeaning(
        meaning="The key of the object, exactly as OSS has it. `bucket` and `key` together are unique."
    ),
    "state": ColumnMeaning(
        meaning="`registered`; `failed`; or `gone`: registered once, but no longer in the bucket or manifest."
    ),
    "media_id": ColumnMeaning(meaning="The MediaId in VOD.", empty="failed"),
    "new_register": ColumnMeaning(
        meaning="Whether the file was new to VOD; `false` if VOD had it before.", empty="failed, or not reported by VOD"
    ),
    "title": ColumnMeaning(meaning="The Title as it was sent.", empty="no call was made for the object"),
    "code": ColumnMeaning(
        meaning="Why it failed: VOD's code, or ours in lower case (see [the codes](reports.md#the-codes)).",
        empty="not failed",
    ),
    "message": ColumnMeaning(
        meaning="The message of VOD or vod-migrate about the failure.", empty="not failed, or without a message"
    ),
    "size": ColumnMeaning(meaning="Bytes.", empty="not given in the manifest"),
    "etag": ColumnMeaning(
        meaning="The ETag when the object was sent, without quotes.", empty="not given in the manifest"
    ),
    "storage_class": ColumnMeaning(meaning="`Standard`, `IA`, …", empty="not given in the manifest"),
    "last_modified": ColumnMeaning(
        meaning="When the object was last changed, to the second.", empty="not given in the manifest"
    ),
    "settled_at": ColumnMeaning(meaning="When the outcome was recorded, to the second."),
    "run_id": ColumnMeaning(meaning="The run that recorded it."),
    "same_as": ColumnMeaning(
        meaning="The key of a registered object with the same size and ETag: the file was moved from there if the state of that key is `gone`, and is a copy otherwise.",
        empty="none was known when it was listed",
    ),
}
"""The columns of an export, in order of `RESULT_COLUMNS`."""
