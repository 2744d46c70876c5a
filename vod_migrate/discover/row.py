"""One row of a manifest or inventory → an object of the bucket, or why it cannot be used."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_to_bytes

from vod_migrate.cloud.location import ForeignDomain, NotAnAddress, located
from vod_migrate.discover.page import LONGEST_KEY
from vod_migrate.discover.selection import storable
from vod_migrate.discover.streams import is_playlist
from vod_migrate.discover.table import Row
from vod_migrate.media import BrokenRow, MediaObject, Rejected

_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SECONDS = re.compile(r"\d{9,11}")


@dataclass(frozen=True, kw_only=True)
class RowReader:
    """Reads the rows of one source.

    columns: the column of each of key, size, etag, last_modified and storage_class; a column that is not there is unknown.
    names: the setting of a column for description fields, under whose name templates find it.
    keep: whether the other columns stay with the object. domains: hosts of the bucket's own.
    nulls: texts that stand for an empty cell. zone: of times without an offset.
    """

    bucket: str
    key_encoding: str
    columns: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    keep: bool = True
    domains: frozenset[str] = frozenset()
    nulls: frozenset[str] = frozenset()
    zone: dt.tzinfo = dt.UTC

    def read(self, row: Row) -> MediaObject | BrokenRow | Rejected:
        """What a row says."""
        if self.nulls and not row.ours:
            row = replace(row, values={name: self._known(value) for name, value in row.values.items()})
        told = row.values.get(self.columns["key"])
        if row.rejected is not None:
            return _broken(told, row.rejected)
        try:
            return MediaObject(
                bucket=self.bucket,
                key=self._key(row),
                size=_size(self._told(row, "size")),
                etag=_text(self._told(row, "etag"), "etag").strip('"').upper() or None,
                last_modified=_moment(self._told(row, "last_modified"), self.zone),
                storage_class=_text(self._told(row, "storage_class"), "storage_class") or None,
                row=self._rest(row) if self.keep else {},
                where=row.where,
            )
        except Rejected as rejected:
            return _broken(told, Rejected(rejected.code, f"{row.where} {rejected.message}"))

    def _known(self, value: Any) -> Any:
        return None if isinstance(value, str) and value.strip() in self.nulls else value

    def playlist(self, row: Row) -> str | None:
        """The key of a row that is about a playlist; None where it is not."""
        told = row.values.get(self.columns["key"])
        if not isinstance(told, str) or not (".m3u8" in told.lower() or ".mpd" in told.lower()):
            return None
        try:
            key = self._key(row)
        except Rejected:
            return None
        return key if is_playlist(key) else None

    def _told(self, row: Row, name: str) -> Any:
        return row.values.get(self.columns[name]) if name in self.columns else None

    def _key(self, row: Row) -> str:
        told = row.values.get(self.columns["key"])
        if told is None or told == "":
            raise Rejected("row_no_key", f"has no value in the column {self.columns['key']!r}: write the object's key")
        if not isinstance(told, str):
            raise Rejected("row_key", f"has the key {told!r}, which is not text: write it as text")
        if not storable(told):
            why = (
                "contains a NUL, which a key cannot contain"
                if "\x00" in told
                else "is not UTF-8: save the file as UTF-8"
            )
            raise Rejected("row_encoding", f"has the key '{_shown(told)}', which {why}")
        bucket, key = self._recorded(row, told) or self._located(told)
        if bucket != self.bucket:
            raise Rejected(
                "row_other_bucket",
                f"names {_shown(told)!r}, which is in bucket {bucket!r}: this migration's bucket is {self.bucket!r}",
            )
        if not key:
            raise Rejected("row_key", f"names {_shown(told)!r}, a bucket without a key: write the object's key")
        if key[0] in "/\\":
            raise Rejected("row_key", f"has the key {_shown(key)!r}, but no key begins with {key[0]!r}: remove it")
        if len(key.encode()) > LONGEST_KEY:
            raise Rejected(
                "row_key", f"has a key of {len(key.encode()):,} bytes: OSS keys have at most {LONGEST_KEY:,}"
            )
        return key

    def _recorded(self, row: Row, told: str) -> tuple[str, str] | None:
        """Bucket and key as a table of ours records them; None for what was never an object's key but a cell of a manifest."""
        if not row.ours or str(row.values.get("code") or "").startswith("row_"):
            return None
        return str(row.values["bucket"]), told

    def _located(self, told: str) -> tuple[str, str]:
        try:
            found = located(told, domains=self.domains, bucket=self.bucket)
        except NotAnAddress as error:
            code = "row_other_bucket" if isinstance(error, ForeignDomain) else "row_key"
            raise Rejected(code, f"names {_shown(told)!r}, which {error}") from None
        if found is None:
            return self.bucket, _decoded(told, self.key_encoding)
        # A URL is always encoded.
        return found.bucket, _decoded(found.path, self.key_encoding if told[:4].lower() == "oss:" else "url")

    def _rest(self, row: Row) -> dict[str, Any]:
        known = set(self.columns.values())
        rest = {
            self.names.get(column, column): value
            for column, value in row.values.items()
            if column not in known or column in self.names
        }
        for name in self.names.values():
            _check_described(name, rest.get(name))
        if not _storable_json(rest):
            bad = next((column for column, value in rest.items() if not _storable_json(value)), "")
            raise Rejected(
                "row_encoding",
                f"has bytes or characters in the column {_shown(bad)!r} that are not text: save the file as UTF-8",
            )
        return rest


def _check_described(name: str, value: Any) -> None:
    """Refuses what would be sent in Python's form: a list where one text is wanted, an object, true and false."""
    several = isinstance(value, list) and name in ("tags", "category")
    for one in value if several else [value]:
        if one is not None and (isinstance(one, bool) or not isinstance(one, str | int | float)):
            kind = {bool: "true or false", list: "a list", dict: "an object"}.get(type(one), type(one).__name__)
            raise Rejected("row_value", f"has {kind} for {name}: write text" + ", or a list of texts" * several)


def _broken(told: Any, rejected: Rejected) -> BrokenRow | Rejected:
    """A failed result under the key as far as it is told; a row without one can only be counted."""
    if isinstance(told, str) and not storable(told):
        # Nothing is recorded under a key that nobody wrote.
        return rejected
    name = _shown(told)
    return BrokenRow(key=name, code=rejected.code, message=rejected.message) if name else rejected


def _decoded(text: str, encoding: str) -> str:
    if encoding == "plain":
        return text
    if (broken := _BROKEN_PERCENT.search(text)) is not None:
        raise Rejected(
            "row_encoding",
            f"has {_shown(text)!r} with {text[broken.start() : broken.start() + 3]!r}, which is not URL encoding: encode % "
            "as %25, or set key_encoding: plain",
        )
    try:
        decoded = unquote_to_bytes(text.replace("+", " ") if encoding == "form" else text).decode()
    except UnicodeDecodeError as error:
        raise Rejected(
            "row_encoding", f"has {_shown(text)!r}, which does not decode to UTF-8: {error.reason}"
        ) from None
    if "\x00" in decoded:
        raise Rejected("row_encoding", f"has {_shown(text)!r}, which decodes to a NUL, which a key cannot contain")
    return decoded


def _size(told: Any) -> int | None:
    if told is None or told == "":
        return None
    try:
        # True is an int to Python, and 1.5 would lose its half; 5.0 is how pandas writes 5 beside an empty cell.
        exact = told if isinstance(told, int) else Decimal(str(told).strip())
        size = -1 if isinstance(told, bool) or exact != int(exact) else int(exact)
    except (ValueError, ArithmeticError):
        size = -1
    if not 0 <= size < 2**63:
        raise Rejected("row_value", f"has the size {_shown(told)!r}: write whole bytes, or nothing")
    return size


def _moment(told: Any, zone: dt.tzinfo) -> dt.datetime | None:
    if told is None or told == "":
        return None
    try:
        if _SECONDS.fullmatch(str(told)):
            return dt.datetime.fromtimestamp(int(told), dt.UTC)
        moment = dt.datetime.fromisoformat(str(told).strip())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise Rejected(
            "row_value", f"has the time {_shown(told)!r}: write ISO 8601, e.g. 2024-05-01T10:00:00Z, or nothing"
        ) from None


def _text(told: Any, name: str) -> str:
    text = "" if told is None else str(told).strip()
    if not storable(text):
        raise Rejected("row_encoding", f"has bytes in {name} that are not UTF-8: save the file as UTF-8")
    return text


def _storable_json(value: Any) -> bool:
    try:
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return False
    return "\\u0000" not in plain and storable(plain)


def _shown(told: Any) -> str:
    # An address may carry credentials, which no message repeats.
    text = "" if told is None else re.sub(r"://[^/?#]*@", "://…@", str(told))
    cut = text if len(text) <= LONGEST_KEY else text[: LONGEST_KEY - 1] + "…"
    # A byte that is not text, as the reader keeps it, is shown as that byte; half of a UTF-16 pair in JSON as JSON writes it.
    bytewise = "".join(f"\\x{ord(sign) - 0xDC00:02x}" if "\udc80" <= sign <= "\udcff" else sign for sign in cut)
    return bytewise.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
