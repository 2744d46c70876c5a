"""ListLiveChannel: the sandbox has none, so the list is always empty."""

from __future__ import annotations

from vod_migrate.sandbox.http import element
from vod_migrate.sandbox.oss import listing


def list_live_channels(query: dict[str, str]) -> bytes:
    """The ListLiveChannelResult."""
    body = [
        element("Prefix", query.get("prefix", "")),
        element("Marker", query.get("marker", "")),
        element("MaxKeys", listing.page_size(query)),
        element("IsTruncated", "false"),
        element("NextMarker", ""),
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ListLiveChannelResult>{"".join(body)}</ListLiveChannelResult>'.encode()
