"""Messages as the robots of DingTalk, WeCom and Feishu take them: plain text, signed, within their limits, and mentioning nobody.

Sources: DingTalk "custom robot access" and "security settings"; WeCom "群机器人配置说明" (path/91770: content up to 2,048 bytes, `<@userid>`
mentions); Feishu "自定义机器人使用指南" (body up to 20 KB, `<at user_id="all">` mentions). Read 2026-11.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any

from vod_migrate.migration.notification import Receiver

MOST_BYTES = {Receiver.DINGTALK: 4_000, Receiver.WECOM: 2_048, Receiver.FEISHU: 4_000}
"""Bytes of UTF-8 of a text. DingTalk and Feishu take 20 KB of JSON, which nobody reads in a chat."""

_CUT = "…"
# A person or all are mentioned by `@name`, `<@userid>` or `<at user_id=…>`; the full-width forms look alike and mean nothing.
_INERT = str.maketrans({"@": "\uff20", "<": "\uff1c"})


def chat_body(receiver: Receiver, text: str, *, secret: str, now: float) -> tuple[dict[str, str], dict[str, Any]]:
    """The parameters to add to the robot's URL, and the JSON to send. secret: of the robot's signature, '' for none; now: Unix seconds."""
    content = _cut(text.translate(_INERT), MOST_BYTES[receiver])
    if receiver is Receiver.DINGTALK:
        return _signature(receiver, secret, now), {
            "msgtype": "text",
            "text": {"content": content},
            "at": {"isAtAll": False},
        }
    if receiver is Receiver.WECOM:
        return {}, {"msgtype": "text", "text": {"content": content}}
    return {}, {**_signature(receiver, secret, now), "msg_type": "text", "content": {"text": content}}


def refusal(receiver: Receiver, answer: Mapping[str, Any]) -> str:
    """Why a robot did not take a message; '' where it did. They answer 200 either way."""
    code, told = ("code", "msg") if receiver is Receiver.FEISHU else ("errcode", "errmsg")
    found = answer.get(code)
    return "" if found == 0 else f"{found}: {answer.get(told)}"


def _signature(receiver: Receiver, secret: str, now: float) -> dict[str, str]:
    if not secret:
        return {}
    timestamp = str(round(now * 1000) if receiver is Receiver.DINGTALK else int(now))
    signed = f"{timestamp}\n{secret}".encode()
    # For Feishu, the text to sign is the key, and the message is empty.
    key, message = (secret.encode(), signed) if receiver is Receiver.DINGTALK else (signed, b"")
    return {"timestamp": timestamp, "sign": base64.b64encode(hmac.digest(key, message, "sha256")).decode()}


def _cut(text: str, most: int) -> str:
    content = text.encode()
    if len(content) <= most:
        return text
    return content[: most - len(_CUT.encode())].decode(errors="ignore") + _CUT
