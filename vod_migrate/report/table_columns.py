"""What the columns of an exported table hold: the same for CSV, JSON Lines and Parquet, and the source of the page in the reference."""

from __future__ import annotations

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

RESULT_MEANINGS = {
    "bucket": ("The bucket of the object.", ""),
    "key": ("The key of the object, exactly as OSS has it. `bucket` and `key` together are unique.", ""),
    "state": ("`registered`; `failed`; or `gone`: registered once, but no longer in the bucket or manifest.", ""),
    "media_id": ("The MediaId in VOD.", "failed"),
    "new_register": (
        "Whether the file was new to VOD; `false` if VOD had it before.",
        "failed, or not reported by VOD",
    ),
    "title": ("The Title as it was sent.", "no call was made for the object"),
    "code": ("Why it failed: VOD's code, or ours in lower case (see [the codes](reports.md#the-codes)).", "not failed"),
    "message": ("The message of VOD or vod-migrate about the failure.", "not failed, or without a message"),
    "size": ("Bytes.", "not given in the manifest"),
    "etag": ("The ETag when the object was sent, without quotes.", "not given in the manifest"),
    "storage_class": ("`Standard`, `IA`, …", "not given in the manifest"),
    "last_modified": ("When the object was last changed, to the second.", "not given in the manifest"),
    "settled_at": ("When the outcome was recorded, to the second.", ""),
    "run_id": ("The run that recorded it.", ""),
    "same_as": (
        "The key of a registered object with the same size and ETag: the file was moved from there if the state of that key is `gone`, and is a copy otherwise.",
        "none was known when it was listed",
    ),
}
"""The columns of an export, in order of `RESULT_COLUMNS`: what the values mean, and when there is none, '' for never."""
