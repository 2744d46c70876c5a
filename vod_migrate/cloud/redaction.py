"""What may be repeated of somebody else's words: services and SDKs quote requests, and with them tokens and signatures.

A service that refuses a signature tells what it has calculated from: its canonical request holds the security token in the
clear. Such messages go into results, reports and logs, so they pass here first.
"""

from __future__ import annotations

import re

_VALUE = r"""['"\s]{0,3}[:=]['"\s]{0,3}(?:\\n)?"""
_SECRETS = re.compile(
    r"((?:x-)?(?:acs-|oss-)?(?:security[-_]?token|signature(?:provided)?|access[-_]?key[-_]?secret)" + _VALUE + r")"
    r"[A-Za-z0-9+/=%_.~-]{6,}",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """The text with the values of security tokens, signatures and AccessKey secrets left out."""
    return _SECRETS.sub(r"\1***", text)
