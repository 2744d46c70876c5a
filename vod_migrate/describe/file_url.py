"""An object's public URL, and the identifier that follows from where it lies."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

from vod_migrate.media import MediaObject


def derived_id(found: MediaObject) -> str:
    """A ReferenceId that follows from bucket and key: `vm-` and their SHA-256 in base 32, 55 characters."""
    digest = hashlib.sha256(f"{found.bucket}/{found.key}".encode()).digest()
    return "vm-" + base64.b32encode(digest).decode().rstrip("=").lower()


def file_url(storage_address: str, key: str, *, encoding: str = "percent") -> str:
    """The public URL of an object. encoding: 'percent' encodes all but unreserved characters and '/', 'raw' nothing."""
    path = quote(key, safe="/~") if encoding == "percent" else key
    return f"https://{storage_address}/{path}"
