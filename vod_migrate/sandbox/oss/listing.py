"""ListObjects (version 1) and ListObjectsV2: one page of keys, and its XML."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from vod_migrate.sandbox.errors import OssError
from vod_migrate.sandbox.http import element, percent_encode, xml_text
from vod_migrate.sandbox.objects.bucket import Bucket
from vod_migrate.sandbox.objects.object import StoredObject, after_all

DEFAULT_MAX_KEYS: Final = 100
MAX_MAX_KEYS: Final = 1_000
MAX_PARAMETER_BYTES: Final = 1_023
_TOKEN_KEY: Final = b"an opaque token, not a secret"
_TOKEN_MAC_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page begins: after `key`, or at it; `above` hides common prefixes up to it."""

    key: str = ""
    inclusive: bool = True
    above: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries and common prefixes of one page, and where the next one begins (None at the end)."""

    entries: list[StoredObject]
    prefixes: list[str]
    last: str
    following: Position | None


def page(bucket: Bucket, *, prefix: str, delimiter: str, start: Position, max_keys: int) -> Page:
    """At most `max_keys` entries and common prefixes together, in UTF-8 byte order."""
    entries: list[StoredObject] = []
    prefixes: list[str] = []
    following: Position | None = None
    last = ""
    for item in _rolled_up(bucket, prefix, delimiter, start):
        if len(entries) + len(prefixes) == max_keys:
            # The next page starts after all keys of a common prefix.
            rolled = bool(prefixes) and prefixes[-1] == last
            following = Position(key=after_all(last)) if rolled else Position(key=last, inclusive=False)
            break
        if isinstance(item, str):
            prefixes.append(item)
            last = item
        else:
            entries.append(item)
            last = item.key
    return Page(entries=entries, prefixes=prefixes, last=last, following=following)


def _rolled_up(bucket: Bucket, prefix: str, delimiter: str, start: Position) -> Iterator[StoredObject | str]:
    """Entries and common prefixes from `start` on. Keys under a common prefix are skipped without being read."""

    def rollup(key: str) -> str | None:
        if not delimiter or not key.startswith(prefix):
            return None
        place = key.find(delimiter, len(prefix))
        return key[: place + len(delimiter)] if place >= 0 else None

    position = start if start.key >= prefix else Position(key=prefix)
    jumped = True
    while jumped:
        jumped = False
        for key, entry in bucket.scan(position.key, inclusive=position.inclusive, rollup=rollup):
            if not key.startswith(prefix):
                return
            common = rollup(key)
            if common is None:
                if entry is not None:
                    yield entry
                continue
            if common > start.above:
                yield common
            position = Position(key=after_all(common))
            jumped = bool(position.key)
            break


def list_objects_v2(bucket: Bucket, query: dict[str, str], now: float) -> bytes:
    """The ListBucketResult of ListObjectsV2."""
    prefix, delimiter, encoded = common_parameters(query)
    start_after, token = query.get("start-after", ""), query.get("continuation-token", "")
    check_length("start-after", start_after)
    start = Position(key=start_after, inclusive=not start_after, above=start_after)
    if token:
        start = _read_token(token)
    max_keys = page_size(query)
    found = page(bucket, prefix=prefix, delimiter=delimiter, start=start, max_keys=max_keys)
    encode = encoder(encoded=encoded)
    following = found.following
    head = [
        element("Name", bucket.name),
        f"<Prefix>{encode(prefix)}</Prefix>",
        f"<StartAfter>{encode(start_after)}</StartAfter>" if start_after else "",
        element("ContinuationToken", token) if token else "",
        element("MaxKeys", max_keys),
        f"<Delimiter>{encode(delimiter)}</Delimiter>",
        "<EncodingType>url</EncodingType>" if encoded else "",
        element("IsTruncated", "true" if following else "false"),
        element("NextContinuationToken", _make_token(following)) if following else "",
    ]
    shown_owner = owner(bucket) if query.get("fetch-owner") == "true" else ""
    count = element("KeyCount", len(found.entries) + len(found.prefixes))
    restores = restore_infos(bucket, found.entries, now)
    return _document("".join(head), found, encode, restores, shown_owner, count)


def list_objects(bucket: Bucket, query: dict[str, str], now: float) -> bytes:
    """The ListBucketResult of ListObjects, version 1: a marker instead of a token, always with owners."""
    prefix, delimiter, encoded = common_parameters(query)
    marker = query.get("marker", "")
    check_length("marker", marker)
    start = Position(key=marker, inclusive=not marker, above=marker)
    max_keys = page_size(query)
    found = page(bucket, prefix=prefix, delimiter=delimiter, start=start, max_keys=max_keys)
    encode = encoder(encoded=encoded)
    head = [
        element("Name", bucket.name),
        f"<Prefix>{encode(prefix)}</Prefix>",
        f"<Marker>{encode(marker)}</Marker>",
        element("MaxKeys", max_keys),
        f"<Delimiter>{encode(delimiter)}</Delimiter>",
        "<EncodingType>url</EncodingType>" if encoded else "",
        element("IsTruncated", "true" if found.following else "false"),
        f"<NextMarker>{encode(found.last)}</NextMarker>" if found.following else "",
    ]
    restores = restore_infos(bucket, found.entries, now)
    return _document("".join(head), found, encode, restores, owner(bucket), "")


def restore_infos(bucket: Bucket, entries: Iterable[StoredObject], now: float) -> dict[str, str]:
    """The RestoreInfo elements of a page, by key."""
    if not bucket.has_restores:
        return {}
    restores = ((entry.key, bucket.restore(entry.key)) for entry in entries)
    described = ((key, restore.describe(now)) for key, restore in restores if restore is not None)
    return {key: element("RestoreInfo", text) for key, text in described if text}


def _document(
    head: str, found: Page, encode: Callable[[str], str], restores: dict[str, str], owner: str, tail: str
) -> bytes:
    contents = "".join([
        f'<Contents><Key>{encode(key)}</Key><LastModified>{modified}</LastModified><ETag>"{etag}"</ETag>'
        f"<Type>Normal</Type><Size>{size}</Size><StorageClass>{storage_class}</StorageClass>"
        f"{restores.get(key, '')}{owner}</Contents>"
        for key, size, etag, storage_class, modified, _ in found.entries
    ])  # fmt: skip
    prefixes = "".join(f"<CommonPrefixes><Prefix>{encode(name)}</Prefix></CommonPrefixes>" for name in found.prefixes)
    # No namespace: the SDK finds elements by their bare names.
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult>{head}{contents}{prefixes}{tail}</ListBucketResult>'
    )
    return text.encode()


def encoder(*, encoded: bool) -> Callable[[str], str]:
    """How a key is written in the reply."""
    return _encode_key if encoded else xml_text


def _encode_key(key: str) -> str:
    folder, slash, name = key.rpartition("/")
    return _encode_folder(folder + slash) + percent_encode(name, safe="") if slash else percent_encode(name, safe="")


@lru_cache(maxsize=512)
def _encode_folder(folder: str) -> str:
    return percent_encode(folder, safe="")


def owner(bucket: Bucket) -> str:
    """The Owner element of an entry."""
    return f"<Owner><ID>{bucket.uid}</ID><DisplayName>{bucket.uid}</DisplayName></Owner>"


def common_parameters(query: dict[str, str]) -> tuple[str, str, bool]:
    """Prefix, delimiter, and whether keys are to be URL-encoded in the reply."""
    prefix, delimiter, encoding = (query.get(name, "") for name in ("prefix", "delimiter", "encoding-type"))
    check_length("prefix", prefix)
    check_length("delimiter", delimiter)
    if encoding not in {"", "url"}:
        raise _invalid("encoding-type", encoding, "Only the encoding type url is supported.")
    return prefix, delimiter, encoding == "url"


def page_size(query: dict[str, str], name: str = "max-keys", default: int = DEFAULT_MAX_KEYS) -> int:
    """How many entries a page may have: 1 to 1,000."""
    text = query.get(name, "") or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_MAX_KEYS):
        raise _invalid(name, text, f"Argument {name} must be an integer between 1 and {MAX_MAX_KEYS}.")
    return int(text)


def check_length(name: str, value: str) -> None:
    """Refuse a prefix, marker or delimiter of 1,024 bytes or more."""
    if len(value.encode()) > MAX_PARAMETER_BYTES:
        raise _invalid(name, value, f"Argument {name} must be shorter than 1024 bytes.")


def _make_token(position: Position) -> str:
    text = f"{'=' if position.inclusive else '>'}{position.key}".encode()
    return base64.urlsafe_b64encode(_mac(text) + text).decode()


def _read_token(token: str) -> Position:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    mac, text = raw[:_TOKEN_MAC_BYTES], raw[_TOKEN_MAC_BYTES:]
    if not text or not hmac.compare_digest(mac, _mac(text)):
        raise _invalid("continuation-token", token, "The continuation token provided is incorrect.")
    return Position(key=text[1:].decode(), inclusive=text[:1] == b"=")


def _mac(text: bytes) -> bytes:
    return hashlib.blake2b(text, key=_TOKEN_KEY, digest_size=_TOKEN_MAC_BYTES).digest()


def _invalid(name: str, value: str, message: str) -> OssError:
    return OssError("InvalidArgument", 400, message, ArgumentName=name, ArgumentValue=value)
