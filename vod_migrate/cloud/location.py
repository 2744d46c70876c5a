"""Where a stored file lies: in a bucket, or on this machine; and the bucket and key that an address of OSS names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_REGION = r"[a-z]{2}-[a-z0-9-]+"
_SERVICES = re.compile(
    # As the pages on regions and endpoints, dual-stack, S3 compatibility, acceleration, accelerators and OSS-HDFS write them.
    rf"(?:(?P<bucket>[a-z0-9][a-z0-9-]{{1,61}}[a-z0-9])\.)?"
    rf"(?:(?:s3\.|vpc100-)?oss-{_REGION}(?:\.oss-data-acc)?|(?:s3\.)?oss-accelerate(?:-overseas)?|{_REGION}\.oss(?:-dls)?|oss(?:-internal)?)"
    r"\.aliyuncs\.com"
)
_DUAL_STACK = re.compile(rf"{_REGION}\.oss(?:-dls)?\.aliyuncs\.com")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_OTHER_CONTENT = frozenset({"versionid", "x-oss-process"})
"""Parameters of a URL that ask for something else than the object: an earlier version of it, or what OSS makes of it."""
_PARAMETERS = re.compile(r"[\w.~-]+(?:=[^&]*)?(?:&[\w.~-]+(?:=[^&]*)?)*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A key of a bucket, or a path where bucket is ''."""

    bucket: str
    path: str

    def __str__(self) -> str:
        return f"oss://{self.bucket}/{self.path}" if self.bucket else self.path


class NotAnAddress(ValueError):
    """A text that has the form of an address and names no bucket and key; the message ends a sentence, with the fix."""


class ForeignDomain(NotAnAddress):
    """A URL at a host that is neither one of OSS nor one of the bucket's own domains."""


def location_of(location: str) -> Location:
    """Reads a path or oss://BUCKET/KEY."""
    if not location.startswith("oss://"):
        return Location(bucket="", path=location)
    bucket, _, key = location.removeprefix("oss://").partition("/")
    return Location(bucket=bucket, path=key)


def located(text: str, *, domains: frozenset[str] = frozenset(), bucket: str = "") -> Location | None:
    """The bucket and key that an oss:// or http(s):// address names; None where the text is neither.

    The key is as it is written: percent-encoded in a URL. domains: hosts of the bucket's own (custom domains).

    Raises:
        NotAnAddress
    """
    begin = _SCHEME.match(text)
    if begin is None:
        host = text.removeprefix("//").partition("/")[0]
        if service_host(host) is not None:
            raise NotAnAddress(f"begins with the host {host!r}: write https:// before it, or the key alone")
        return None
    scheme = begin[1].lower()
    if scheme == "oss":
        host, _, key = text.partition("://")[2].partition("/")
        if "@" in host:
            raise NotAnAddress("has credentials in its address: leave them out, the connection has them")
        return _in_service(service_host(host), key) or Location(bucket=host, path=key)
    if scheme not in ("http", "https"):
        raise NotAnAddress(f"is an address of {scheme}://, not of OSS: write the object's key, or oss://BUCKET/KEY")
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").rstrip(".")
    except ValueError as error:
        raise NotAnAddress(f"is not a valid URL ({error})") from None
    path = _path(parts)
    if host in domains:
        return Location(bucket=bucket, path=path)
    found = _in_service(service_host(host), path)
    if found is None:
        raise ForeignDomain(
            f"is at {host!r}, which is not an address of OSS: if it is a custom domain of the bucket, list it in source.domains"
        )
    return found


def other_form(key: str, exists: Callable[[str], bool]) -> str:
    """The Unicode normalization, "NFC" or "NFD", of a key that looks the same and exists; '' for neither. exists: asked only about others."""
    forms = {form: unicodedata.normalize(form, key) for form in ("NFC", "NFD")}
    return next((form for form, other in forms.items() if other != key and exists(other)), "")


def service_host(host: str) -> str | None:
    """The bucket that a host of OSS begins with, '' where it names none (path style); None for any other host."""
    host = host.lower().rstrip(".")
    if _DUAL_STACK.fullmatch(host):
        return ""
    found = _SERVICES.fullmatch(host)
    return None if found is None else found["bucket"] or ""


def is_service_host(host: str) -> bool:
    """Whether a host serves buckets by name, as OSS's own and servers on an address or in a local network do.

    Any other host of an endpoint is a custom domain of one bucket.
    """
    first = host.lower().partition(".")[0]
    return (
        service_host(host) is not None
        or first.startswith(("oss", "s3"))
        or "." not in host.rstrip(".")
        or host.endswith((".local", ".localhost", ".internal", ".test"))
        or ":" in host
        or host.replace(".", "").isdigit()
    )


def _in_service(named: str | None, path: str) -> Location | None:
    if named is None or named:
        return None if named is None else Location(bucket=named, path=path)
    first, _, rest = path.partition("/")
    return Location(bucket=first, path=rest)


def _path(parts: SplitResult) -> str:
    # What follows a '?' is a query, such as a signature, only where it has the form of one.
    if (parts.query and not (_PARAMETERS.fullmatch(parts.query) and "=" in parts.query)) or (
        parts.fragment and not parts.query
    ):
        sign = "#" if parts.fragment and not parts.query else "?"
        raise NotAnAddress(
            f"has a {sign!r} that is not encoded: write {'%23' if sign == '#' else '%3F'} where it is part of the key"
        )
    names = {one.partition("=")[0].lower() for one in parts.query.split("&")}
    if other := sorted(names & _OTHER_CONTENT):
        raise NotAnAddress(
            f"has the parameter {other[0]}, which requests something other than the current object: remove it"
        )
    return parts.path.removeprefix("/")
