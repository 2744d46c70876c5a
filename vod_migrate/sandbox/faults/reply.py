"""Replies of RegisterMedia that differ from its page: other types, other spellings, files that were not sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from vod_migrate.sandbox.faults.config import FaultConfig

Body = dict[str, Any]
_LISTS: Final = ("RegisteredMediaList", "FailedFileURLs")
_FOREIGN: Final = "nobody-asked-for-this.mp4"


def distorted(fault: FaultConfig, body: Any) -> Any:
    """The decoded body of a 200 reply as a fault changes it; a body that another fault replaced is left alone."""
    if not isinstance(body, dict):
        return body
    match fault.kind:
        case "other_types":
            return _TYPES[fault.variant](body)
        case "failed_form":
            return {**body, "FailedFileURLs": _FAILED[fault.variant](list(body["FailedFileURLs"]))}
        case "url_form":
            return _with_urls(body, _SPELLINGS[fault.variant])
        case _:
            return _with_foreign(body, fault.variant)


_TYPES: Final[dict[str, Callable[[Body], Any]]] = {
    "list_body": lambda body: [body],
    "text_body": lambda body: json.dumps(body, ensure_ascii=False),
    "null_body": lambda _: None,
    "no_lists": lambda body: {name: value for name, value in body.items() if name not in _LISTS},
    "null_lists": lambda body: {**body, **dict.fromkeys(_LISTS)},
    # How the older RPC gateways write a list.
    "lists_as_objects": lambda body: {
        **body,
        "RegisteredMediaList": {"RegisteredMedia": body["RegisteredMediaList"]},
        "FailedFileURLs": {"FailedFileURL": body["FailedFileURLs"]},
    },
    "lists_as_text": lambda body: {**body, **{name: json.dumps(body[name], ensure_ascii=False) for name in _LISTS}},
    "rows_as_lists": lambda body: {**body, "RegisteredMediaList": [list(row.values()) for row in body[_LISTS[0]]]},
    "ids_as_numbers": lambda body: _with_rows(body, lambda row: {**row, "MediaId": int(row["MediaId"], 16)}),
    "flags_as_text": lambda body: _with_rows(body, lambda row: {**row, "NewRegister": str(row["NewRegister"]).lower()}),
}

_FAILED: Final[dict[str, Callable[[list[str]], Any]]] = {
    "json": lambda urls: [json.dumps([url], ensure_ascii=False) for url in urls],
    "plain": lambda urls: urls,
    "one_json": lambda urls: [json.dumps(urls, ensure_ascii=False)],
    "json_text": lambda urls: json.dumps(urls, ensure_ascii=False),
    "text": ",".join,
}

_SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "http": lambda url: f"http://{url.partition('://')[2]}",
    "https": lambda url: f"https://{url.partition('://')[2]}",
    "decoded": lambda url: _path(url, unquote),
    "lower_hex": lambda url: re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), url),
    "encoded_more": lambda url: _path(url, lambda path: "".join(f"%{byte:02X}" for byte in unquote(path).encode())),
    "encoded_twice": lambda url: _path(url, lambda path: quote(path, safe="/~")),
    "plus": lambda url: _path(url, lambda path: quote_plus(unquote(path), safe="/~")),
    "capital_host": lambda url: _host(url, str.upper),
}


def _path(url: str, spell: Callable[[str], str]) -> str:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}/{spell(path)}"


def _host(url: str, spell: Callable[[str], str]) -> str:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{spell(host)}/{path}"


def _with_rows(body: Body, change: Callable[[Body], Body]) -> Body:
    return {**body, "RegisteredMediaList": [change(row) for row in body["RegisteredMediaList"]]}


def _with_urls(body: Body, spell: Callable[[str], str]) -> Body:
    changed = _with_rows(body, lambda row: {**row, "FileURL": spell(row["FileURL"])})
    return {**changed, "FailedFileURLs": [spell(url) for url in body["FailedFileURLs"]]}


def _with_foreign(body: Body, form: str) -> Body:
    named = [row["FileURL"] for row in body["RegisteredMediaList"]] + list(body["FailedFileURLs"])
    url = _path(named[0], lambda _: _FOREIGN) if named else f"http://nowhere.oss-cn-shanghai.aliyuncs.com/{_FOREIGN}"
    if form == "failed":
        return {**body, "FailedFileURLs": [url, *body["FailedFileURLs"]]}
    row = {"NewRegister": True, "FileURL": url, "MediaId": "f" * 32}
    return {**body, "RegisteredMediaList": [row, *body["RegisteredMediaList"]]}
