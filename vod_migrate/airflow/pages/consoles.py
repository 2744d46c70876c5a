"""Addresses of the vendor's consoles, for what a page shows."""

from __future__ import annotations

from urllib.parse import quote

VOD_MEDIA = "https://vod.console.aliyun.com/#/media/video/list"
"""The list *Audio/Video*, which searches by ID (the page *Search for media asset information*). The vendor documents no address of one media."""


def oss_folder(region: str, bucket: str, key: str) -> str:
    """The folder of an object in the OSS console, which has no address for a single object.

    The vendor's pages link to `/bucket/oss-REGION/BUCKET/overview`; the console's own `object?path=FOLDER/` lists a folder.
    """
    folder = key[: key.rfind("/") + 1]
    place = "/".join(quote(part, safe="") for part in (f"oss-{region}", bucket))
    return f"https://oss.console.aliyun.com/bucket/{place}/object?path={quote(folder, safe='')}"
