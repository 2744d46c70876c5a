"""UserData: a JSON object with MessageCallback, AccelerateConfig and Extend, each an object or a JSON string of one."""

from __future__ import annotations

import json
from typing import Any, Final

from vod_migrate.sandbox.vod.parameters import check_bytes, invalid

MAX_EXTEND_BYTES: Final = 512
_KEYS: Final = frozenset({"MessageCallback", "AccelerateConfig", "Extend"})


def check_user_data(text: str) -> None:
    """Refuse UserData that breaks a rule."""
    settings = _object(text)
    if settings is None:
        raise invalid("UserData", "it must be a JSON object")
    unknown = settings.keys() - _KEYS
    if unknown:
        raise invalid(f"UserData.{min(unknown)}", f"unknown; known: {', '.join(sorted(_KEYS))}")
    for name, value in settings.items():
        nested = _object(value) if isinstance(value, str) else value
        if not isinstance(nested, dict):
            raise invalid(f"UserData.{name}", "it must be an object or a JSON string of one")
    if "Extend" in settings:
        value = settings["Extend"]
        written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        check_bytes("UserData.Extend", written, MAX_EXTEND_BYTES)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
