"""Keys that attack whoever shows them: scripts, spreadsheet formulas, paths, templates, reading direction."""

from __future__ import annotations

__all__ = ["HOSTILE"]

_PAYLOADS = (
    "<script>document.title='taken'</script>",
    '"><img src=x onerror="document.title=\'taken\'">',
    "</title><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "<iframe srcdoc='<script>parent.document.title=1</script>'>",
    "</script><script>alert(1)</script>",
    "<a href=javascript:alert(1)>open</a>",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://attacker.example","open")',
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\uff1d1+1",
    "'=1+1",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%0d%0aset-cookie: taken=1",
    "{{7*7}}${7*7}",
    "\u202egpm.exe",
    "100%_sure; drop table results",
    "中文 名字 + 😀",
)

HOSTILE = tuple(f"{payload}{suffix}.mp4" for payload in _PAYLOADS for suffix in ("", " fails"))
