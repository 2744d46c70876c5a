"""An object's description as the RegisterMetadata that VOD reads, and its size in a request."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

from vod_migrate.media import Description, Entry

_ITEM_OVERHEAD = len(quote_plus(","))


def metadata(entry: Entry) -> dict[str, Any]:
    """One RegisterMetadata."""
    return {"FileURL": entry.file_url, **fields_of(entry.description)}


def fields_of(described: Description) -> dict[str, Any]:
    """A description, as RegisterMedia names its fields; absent ones are left out."""
    fields: dict[str, Any] = {
        "Title": described.title,
        "Description": described.description,
        "Tags": ",".join(described.tags) or None,
        "CoverURL": described.cover_url,
        "CateId": described.cate_id,
        "ReferenceId": described.reference_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def as_json(fields: Any) -> str:
    """The JSON that travels in the query: compact, because each byte outside ASCII becomes three or more."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def encoded_size(entry: Entry) -> int:
    """Bytes that an entry adds to the call's query, percent-encoding included."""
    return len(quote_plus(as_json(metadata(entry)))) + _ITEM_OVERHEAD
