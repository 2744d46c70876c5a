"""The journal, from which a killed sandbox restarts: one line on disk for each call that changed the media library.

A line is written in the same turn of the event loop as the effect and before the reply, so every call that got a reply
is in the journal. Only the media library is kept: settings, faults and buckets come from the configuration again,
categories and counters start empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TextIO

from vod_migrate.sandbox.accounts import Accounts
from vod_migrate.sandbox.errors import BadRequest
from vod_migrate.sandbox.vod.library import NO_EXTRAS, CallOptions, Changes, Extras, Registration

# What an effect is, other than a new registration.
_AGAIN: Final = "again"
_CHANGED: Final = "changed"
_DELETED: Final = "deleted"


class Journal:
    """The effects of calls, in order. Each line has the RequestId of the call and the fault that hit it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._effects: list[dict[str, Any]] = []

    def replay(self, accounts: Accounts, seed: int) -> None:
        """Apply the journal to the libraries, then open it for writing. A last line that the kill cut off is dropped."""
        if self._path.exists():
            for line in self._lines():
                _apply(accounts, line, seed)
        self._file = self._path.open("a", encoding="utf-8", errors="surrogatepass")

    def close(self) -> None:
        """Close the file; nothing more is written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def effect(self, uid: str, bucket: str, key: str, registration: Registration) -> None:
        """Note one file that the current call registered; `call` writes them."""
        if registration.registrations > 1:
            self._effects.append({"uid": uid, "bucket": bucket, "key": key, "is": _AGAIN})
            return
        row = {
            "title": registration.title,
            "file_url": registration.file_url,
            "at": registration.at,
            "size": registration.size,
            "source": registration.source,
            "extras": _given(registration.extras),
            "options": _given(registration.options),
        }
        self._effects.append({"uid": uid, "bucket": bucket, "key": key, **row})

    def changed(self, uid: str, bucket: str, key: str, registration: Registration) -> None:
        """Note the changed metadata of a media."""
        changes = registration.changes
        row = {
            "title": registration.title,
            "extras": _given(registration.extras),
            "changes": None if changes is None else _given(changes),
        }
        self._effects.append({"uid": uid, "bucket": bucket, "key": key, "is": _CHANGED, **row})

    def deleted(self, uid: str, bucket: str, key: str) -> None:
        """Note that a media was deleted."""
        self._effects.append({"uid": uid, "bucket": bucket, "key": key, "is": _DELETED})

    def call(self, request_id: str, *, signed: str, fault: str | None) -> None:
        """Write the noted effects of a call, if it had any. signed: the date that the client signed."""
        if self._effects and self._file is not None:
            effects, self._effects = self._effects, []
            line = {"request_id": request_id, "signed": signed, "fault": fault, "effects": effects}
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            # To the kernel, where it survives the process.
            self._file.flush()

    def _lines(self) -> Iterator[dict[str, Any]]:
        text = self._path.read_text(encoding="utf-8", errors="surrogatepass")
        whole, _, cut = text.rpartition("\n")
        if cut:
            self._path.write_text(whole + "\n" if whole else "", encoding="utf-8", errors="surrogatepass")
        for number, line in enumerate(whole.split("\n") if whole else (), start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise BadRequest(
                    f"{self._path} is not a journal of a sandbox: line {number} is not JSON ({error}). Use another --state."
                ) from None


def _apply(accounts: Accounts, line: dict[str, Any], seed: int) -> None:
    for effect in line["effects"]:
        account = accounts.get(effect["uid"])
        if account is None:
            raise BadRequest(f"The journal names account {effect['uid']!r}, which is not in the configuration.")
        library, bucket, key = account.library, effect["bucket"], effect["key"]
        media_id = library.media_id(seed, account.uid, bucket, key)
        known = library.get(bucket, key)
        match effect.get("is"):
            case "deleted":
                library.remove(bucket, key, media_id)
                continue
            case "changed":
                extras = Extras(**effect["extras"]) if effect["extras"] else NO_EXTRAS
                library.change(bucket, key, title=effect["title"], extras=extras, changes=Changes(**effect["changes"]))
                continue
            case _ if known is not None:
                known.registrations += 1
                continue
        registration = Registration(
            title=effect["title"],
            extras=Extras(**effect["extras"]) if effect["extras"] else NO_EXTRAS,
            options=CallOptions(**effect["options"]),
            file_url=effect["file_url"],
            at=effect["at"],
            size=effect["size"],
            source=effect["source"],
        )
        library.add(bucket, key, registration, media_id)


def _given(values: Extras | CallOptions | Changes) -> dict[str, Any]:
    return {name: value for name, value in asdict(values).items() if value is not None}
