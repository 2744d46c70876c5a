"""Mistakes of this machine's own configuration, its clock among them, which no waiting mends: they end a run at once.

The SDKs hand on what `requests` and the resolver said as text, so it is recognised by its text. A name that does not resolve is such a
mistake only until the endpoint has answered once: afterwards it is an outage.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_MISTAKES = {
    re.compile("Missing dependencies for SOCKS|Unable to determine SOCKS version"): (
        "the proxy is a SOCKS proxy, which needs PySocks: pip install pysocks, or unset ALL_PROXY and HTTPS_PROXY"
    ),
    re.compile("(?:CA certificate|certificate) bundle, invalid path|TLS certificate file, invalid path"): (
        "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that does not exist: correct or unset it"
    ),
    re.compile("Please check proxy URL|Proxy URL had no scheme|Not supported proxy scheme|Invalid proxy"): (
        "the proxy's address cannot be used: correct HTTPS_PROXY or HTTP_PROXY, e.g. http://proxy:3128"
    ),
}
ANSWERED: set[str] = set()
"""Endpoints that have answered this process."""

# EAI_NONAME and EAI_NODATA are definite; EAI_AGAIN (-3) is not.
_NO_SUCH_NAME = re.compile(
    r"\[Errno (?:-2|-5|8|11001)\]|Name or service not known|nodename nor servname|getaddrinfo failed"
)


def local_fault(text: str, *, endpoint: str, setting: str) -> str | None:
    """What is wrong here, with the fix, as the text of a failed request tells; None where the fault may be elsewhere.

    endpoint, setting: where the request went, and the connection's field that says so.
    """
    for pattern, fix in _MISTAKES.items():
        if pattern.search(text):
            return fix
    if endpoint not in ANSWERED and _NO_SUCH_NAME.search(text):
        return f"the host of {endpoint} does not exist: correct the connection's {setting} or region, or this machine's DNS"
    return None


def skew_of(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that this machine's clock is ahead, by the Date of an answer; None without a readable one. The Date has no fractions."""
    date = next((value for name, value in (headers or {}).items() if name.lower() == "date"), "")
    try:
        return time.time() - parsedate_to_datetime(date).timestamp() - 0.5
    except (ValueError, TypeError):
        return None
