"""Every answer and exception of RegisterMedia, read in one place: outcomes per object, or an error of the tree.

Which file a URL means is decided in `matching`. `FailedFileURLs` is read in every form seen: plain strings, and strings that
hold JSON lists. What the reply leaves open is unknown and tried again, never guessed away:

===============  =========================================================  ==========================================
no_answer        the file is in neither list                                tried again, five times
contradiction    it is in both lists, or has two MediaIds                   tried again, five times
ambiguous_url    a URL of the reply fits this file and another one          tried again alone, where it can mean one only
media_id_clash   the reply gives one MediaId to this file and another one   tried again alone, then failed
===============  =========================================================  ==========================================
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vod_migrate.cloud.redaction import one_line
from vod_migrate.errors import BrokenReply
from vod_migrate.media import Batch, Entry, Outcome, Reply, Verdict
from vod_migrate.register.url_match import UrlMatcher

TRIED_ALONE = frozenset({"ambiguous_url", "media_id_clash"})
"""Codes of unknown outcomes that a reply about the file alone can clear up."""


_MEDIA_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Statement:
    """What one line of the reply says about a URL: registered with a MediaId, or failed (None)."""

    url: str
    media_id: str | None
    known: bool = False


def read_reply(fields: Mapping[str, Any], batch: Batch) -> Reply:
    """One outcome for every entry of the batch, from the body of a 200 answer.

    Raises:
        BrokenReply: the body has neither of RegisterMedia's lists.
    """
    listed = fields.get("RegisteredMediaList")
    refused = fields.get("FailedFileURLs")
    if listed is None and refused is None:
        raise BrokenReply("VOD answered 200 without RegisteredMediaList and FailedFileURLs", http_status=200)
    if not isinstance(listed, list | None) or not isinstance(refused, list | str | None):
        raise BrokenReply("VOD answered 200 with lists of other types", http_status=200)
    statements = [*_registered(listed), *(_Statement(url=url, media_id=None) for url in _flat(refused))]
    matching = UrlMatcher(batch, [line.url for line in statements])
    about: dict[str, list[_Statement]] = {entry.key: [] for entry in batch.entries}
    ambiguous: dict[str, str] = {}
    for line in statements:
        meant = matching.find(line.url)
        for entry in meant:
            about[entry.key].append(line)
            if len(meant) > 1:
                ambiguous[entry.key] = line.url
    clashes = _clashes(statements, matching)
    request_id = fields.get("RequestId")
    return Reply(
        request_id=one_line(request_id) if isinstance(request_id, str) else None,
        outcomes=tuple(_settled(entry, about[entry.key], ambiguous.get(entry.key), clashes) for entry in batch.entries),
    )


def _settled(
    entry: Entry, lines: Sequence[_Statement], ambiguous: str | None, clashes: Mapping[str, set[str]]
) -> Outcome:
    if ambiguous is not None:
        return _unknown(entry, "ambiguous_url", f"the reply's {_cut(ambiguous)} may mean this file or another one")
    if not lines:
        return _unknown(entry, "no_answer", "the reply names this file in neither list")
    media_ids = {line.media_id for line in lines}
    if len(media_ids) > 1:
        return _unknown(entry, "contradiction", "the reply says two different things about this file")
    media_id = media_ids.pop()
    if media_id is None:
        return Outcome(
            key=entry.key,
            verdict=Verdict.FAILED,
            code="file_refused",
            message="VOD listed the file in FailedFileURLs; the API gives no reason",
        )
    if media_id in clashes:
        others = sorted(clashes[media_id] - {line.url for line in lines})
        return _unknown(
            entry, "media_id_clash", f"the reply gives the MediaId {media_id} to this file and to {_cut(others[0])}"
        )
    verdict = Verdict.ALREADY_REGISTERED if lines[0].known else Verdict.REGISTERED
    return Outcome(key=entry.key, verdict=verdict, media_id=media_id)


def _unknown(entry: Entry, code: str, message: str) -> Outcome:
    return Outcome(key=entry.key, verdict=Verdict.UNKNOWN, code=code, message=one_line(message))


def _clashes(statements: Sequence[_Statement], matching: UrlMatcher) -> dict[str, set[str]]:
    """MediaIds that the reply gives to more than one file, with the URLs; a file nobody asked for counts, too."""
    urls: dict[str, set[str]] = {}
    files: dict[str, set[object]] = {}
    for line in statements:
        if line.media_id is not None:
            meant = matching.find(line.url)
            urls.setdefault(line.media_id, set()).add(line.url)
            files.setdefault(line.media_id, set()).add((meant[0].key,) if len(meant) == 1 else line.url)
    return {media_id: urls[media_id] for media_id, found in files.items() if len(found) > 1}


def _registered(listed: Any) -> Iterator[_Statement]:
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, Mapping):
            continue
        url, media_id, new = item.get("FileURL"), item.get("MediaId"), item.get("NewRegister")
        if isinstance(url, str) and isinstance(media_id, str) and _MEDIA_ID.fullmatch(media_id):
            known = new is False or (isinstance(new, str) and new.lower() == "false")
            yield _Statement(url=url, media_id=media_id, known=known)


def _flat(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(reversed(part))
        elif isinstance(part, str):
            text = part.strip()
            if text.startswith("["):
                with contextlib.suppress(ValueError, RecursionError):
                    waiting.append(json.loads(text))
            elif text:
                yield text


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:120] + "…"  # noqa: PLR2004 - readable length
