"""Prefixes of keys, and names of buckets: what people write for them that can match nothing, and what to write instead."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from vod_migrate.migration.templates import PREFIX_FACTS, check_template

BUCKET = r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/]*)/?(?P<path>.*)", re.DOTALL)
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_SERVICE = re.compile(r"(?:s3\.|vpc100-)?oss[.-]")


def check_prefix(prefix: str) -> str:
    """The prefix itself, where a key can begin with it.

    Raises:
        ValueError: no key does, or it is written as a glob; says what to write.
    """
    if (address := _ADDRESS.match(prefix)) is not None:
        where = _key_of(address)
        raise ValueError(
            f"{prefix!r} is an address, not the beginning of a key: write {where!r}, and the bucket in source.bucket"
        )
    _check_begin(prefix)
    # What stands between braces is a template, and "*" a product there.
    if "*" in _TEMPLATE.sub("", prefix):
        before = prefix.partition("*")[0]
        raise ValueError(
            f"{prefix!r} has a '*', but a prefix has no wildcards: write {before!r} (globs go into select.include, and a rule has `match`)"
        )
    return prefix


def check_prefixes(prefixes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The prefixes of a run themselves, where each is a template that can be filled in, and keys can begin with it.

    Raises:
        ValueError: one is not; says what to write.
    """
    for prefix in prefixes or ():
        check_template(prefix, PREFIX_FACTS)
        check_prefix(prefix)
    return prefixes


def check_pattern(pattern: str) -> None:
    """Whether a glob over the whole key can match one that is a file's.

    Raises:
        ValueError: it cannot; says what to write.
    """
    if (address := _ADDRESS.match(pattern)) is not None:
        raise ValueError(f"{pattern!r} is an address, not a pattern for keys: write {_key_of(address)!r}")
    _check_begin(pattern)
    if pattern.endswith("/"):
        raise ValueError(
            f"{pattern!r} matches no file, because a glob is compared with the whole key: write {pattern + '*'!r}"
        )


def _check_begin(text: str) -> None:
    if text[:1] in ("/", "\\"):
        raise ValueError(f"{text!r} matches nothing, because no key begins with {text[0]!r}: write {_relative(text)!r}")


def check_expression(text: str) -> str:
    """The regular expression itself, unless it asks for a key that begins with a slash.

    Raises:
        ValueError
    """
    if text.startswith("^/"):
        raise ValueError(
            f"{text!r} matches nothing, because no key begins with '/': write {'^' + text[1:].lstrip('/')!r}"
        )
    return text


def check_bucket(value: Any) -> Any:
    """The value itself, unless it is an address or a path of a bucket.

    Raises:
        ValueError: with the bucket's name, where it can be told.
    """
    if not isinstance(value, str) or re.fullmatch(BUCKET, value):
        return value
    address = _ADDRESS.match(value)
    host, _, path = (value if address is None else f"{address['host']}/{address['path']}").strip().partition("/")
    name = path.partition("/")[0] if _SERVICE.match(host) else host.partition(".")[0]
    found = name.strip().lower()
    fix = f"write {found}" if re.fullmatch(BUCKET, found) else "one has 3 to 63 lower-case letters, digits and hyphens"
    raise ValueError(f"is not a bucket name: {fix}")


def empty_prefix_hint(prefix: str, bucket: str) -> str:
    """Why nothing may begin with a prefix that could be one; '' where nothing is odd about it."""
    same = all(unicodedata.is_normalized(form, prefix) for form in ("NFC", "NFD"))
    oddities = (
        (prefix.startswith(f"{bucket}/"), f"the bucket name is not part of a key: try {prefix.removeprefix(bucket + '/')!r}"),
        (prefix != prefix.strip(), "it begins or ends with a space"),
        ("\\" in prefix, "folders are separated by '/'"),
        (re.search(r"%[0-9A-Fa-f]{2}", prefix), "keys are not percent-encoded"),
        (prefix.startswith("./") or "//" in prefix, "keys are compared literally: './' and '//' have no special meaning"),
        (not same, "the bucket may use the other Unicode form (NFC or NFD), which looks the same: copy the prefix from a listing"),
    )  # fmt: skip
    return next((hint for found, hint in oddities if found), "")


def _key_of(address: re.Match[str]) -> str:
    path = address["path"]
    if _SERVICE.match(address["host"]):
        path = path.partition("/")[2]
    return _relative(path)


def _relative(text: str) -> str:
    return text.lstrip("/\\")
