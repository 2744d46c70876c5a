"""What may be repeated of somebody else's words: services and SDKs quote requests, and with them tokens and signatures.

A service that rejects a signature quotes the canonical request that it calculated from, which holds the security token in the
clear. Such messages go into results, reports and logs, so they pass here first.
"""

from __future__ import annotations

import re

LONGEST = 300
"""Characters of somebody else's message that are worth repeating."""

_VALUE = r"""['"\s]{0,3}[:=]['"\s]{0,3}(?:\\n)?"""
_SECRETS = re.compile(
    r"((?:x-)?(?:acs-|oss-)?(?:security[-_]?token|signature(?:provided)?|access[-_]?key[-_]?secret)" + _VALUE + r")"
    r"[A-Za-z0-9+/=%_.~-]{6,}",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """The text with the values of security tokens, signatures and AccessKey secrets left out."""
    return _SECRETS.sub(r"\1***", text)


def one_line(text: object) -> str:
    """Somebody else's words as one redacted line of bounded length that Postgres can store (no NUL, no half characters)."""
    line = redacted(" ".join(str(text).encode(errors="replace").decode().replace("\x00", "\ufffd").split()))
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"
