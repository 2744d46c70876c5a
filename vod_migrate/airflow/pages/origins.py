"""Whether a request comes from this server's own pages, also where proxies stand before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}

Place = tuple[str, int]
"""A host in small letters, and its port."""


def is_own_origin(origin: str, headers: Mapping[str, str], base_url: str) -> bool:
    """Whether the origin that a browser names is this server: by `[api] base_url`, or by the host that was asked for.

    headers: of the request, by their names in small letters; each proxy may have added its own host. No page of another site can
    make a browser send these.
    """
    parts = urlsplit(origin)
    asked = _place(parts.netloc, parts.scheme)
    if asked is None or parts.scheme not in _PORTS:
        return False
    base = urlsplit(base_url)
    if base.scheme == parts.scheme and _place(base.netloc, base.scheme) == asked:
        return True
    ports = [int(port) for port in _listed(headers.get("x-forwarded-port", "")) if port.isdecimal()]
    for host in _hosts(headers):
        if _place(host, parts.scheme) == asked:
            return True
        # Some proxies name the host without its port, which stands in a header of its own.
        if any(_place(f"{host}:{port}", parts.scheme) == asked for port in ports):
            return True
    return False


def _hosts(headers: Mapping[str, str]) -> Iterator[str]:
    yield headers.get("host", "")
    yield from _listed(headers.get("x-forwarded-host", ""))
    for hop in _listed(headers.get("forwarded", "")):
        for pair in hop.split(";"):
            name, _, value = pair.partition("=")
            if name.strip().lower() == "host":
                yield value.strip().strip('"')


def _listed(header: str) -> list[str]:
    return [value for part in header.split(",") if (value := part.strip())]


def _place(netloc: str, scheme: str) -> Place | None:
    try:
        parts = urlsplit(f"//{netloc}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.username is not None:
        return None
    return host.rstrip("."), _PORTS.get(scheme, 0) if port is None else port
