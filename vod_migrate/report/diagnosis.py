"""Explains failures and objects left out: the API gives no explanation, or one that leads nowhere. The texts are in explanations.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_TEXTS = yaml.load((Path(__file__).parent / "explanations.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
_FAILURES: dict[str, list[Any]] = {**_TEXTS["failures"], **_TEXTS["rows"]}
_REASONS: dict[str, list[Any]] = {**_TEXTS["left_out"], **_TEXTS["rows"], **_TEXTS["hints"]}

DEEDS: dict[str, str] = _TEXTS["deeds"]
"""What somebody did, as it follows their name."""
RULED_OUT: dict[str, str] = _TEXTS["ruled_out"]
"""What a failure is not due to, by cause."""
PLAYBACK: dict[str, tuple[str, str]] = {state: tuple(texts) for state, texts in _TEXTS["playback"].items()}
"""What each state of a media is called, and what it means."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What a code means and what to do about it; each a sentence or two.

    checks: what to look at, the likeliest first, where one code has several causes.
    """

    code: str
    meaning: str
    fix: str
    checks: tuple[str, ...] = ()


def gives_no_reason(code: str) -> bool:
    """Whether a code leaves open why the file failed, so that only a look at the file can tell."""
    return code == "file_refused" or _explained(code) is None


def diagnose(code: str, *, ruled_out: Collection[str] = ()) -> Diagnosis:
    """Explains a failure's code: the service's own, or ours in snake_case; an unknown one gets a general answer.

    ruled_out: causes about which nothing is left to check. A code with a suffix (`Throttling.User`) is explained by its longest known beginning (`Throttling`).
    """
    return _diagnosis(code, _explained(code) or _TEXTS["unknown_failure"], ruled_out)


def _explained(code: str) -> list[Any] | None:
    while code and code not in _FAILURES:
        code = code.rpartition(".")[0]
    return _FAILURES.get(code)


def diagnose_reason(reason: str) -> Diagnosis:
    """Explains why objects were left out, or what is odd about some that are kept; an unknown reason gets a general answer."""
    return _diagnosis(reason, _REASONS.get(reason, _TEXTS["unknown_reason"]))


def every_diagnosis() -> Iterator[Diagnosis]:
    """All that can be said about a failure, an object left out or a hint, the general answers included."""
    yield from map(diagnose, (*_FAILURES, ""))
    yield from map(diagnose_reason, (*_REASONS, ""))


def _diagnosis(code: str, texts: list[Any], ruled_out: Collection[str] = ()) -> Diagnosis:
    meaning, fix, *checks = texts
    open_checks = (text for check in checks for causes, text in _parted(check) if not causes or causes - set(ruled_out))
    return Diagnosis(code=code, meaning=meaning, fix=fix, checks=tuple(open_checks))


def _parted(check: str | dict[str, str]) -> Iterator[tuple[frozenset[str], str]]:
    """The causes that a check is about, and its text."""
    for causes, text in ({"": check} if isinstance(check, str) else check).items():
        yield frozenset(causes.split()), text
