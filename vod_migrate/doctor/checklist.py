"""A checklist: what was tried, what was answered, what to do. Pure; who asks is elsewhere.

A check that could not be made is `not checked`, never `failed`: a missing permission for a check says nothing about the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from vod_migrate.errors import VodMigrateError
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.terminal import padded


class CheckStatus(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


MARKS = {
    CheckStatus.OK: "ok",
    CheckStatus.WARNING: "warning",
    CheckStatus.FAILED: "FAILED",
    CheckStatus.NOT_CHECKED: "-",
}
"""What each verdict is called at the beginning of a line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One line of a checklist. error: what a run would end with; only where the check failed."""

    name: str
    verdict: CheckStatus
    tried: str
    answer: str
    fix: str = ""
    error: VodMigrateError | None = None

    def as_json(self) -> dict[str, Any]:
        """One element of `vod-migrate doctor --json`."""
        told: dict[str, Any] = {
            "check": self.name,
            "verdict": self.verdict.value,
            "tried": self.tried,
            "answer": self.answer,
        }
        if self.fix:
            told["fix"] = self.fix
        if self.error is not None:
            told["error"] = type(self.error).__name__
        return told


def ok(name: str, tried: str, answer: str) -> Check:
    """It is as it must be."""
    return Check(name=name, verdict=CheckStatus.OK, tried=tried, answer=answer)


def warning(name: str, tried: str, answer: str, fix: str) -> Check:
    """A run works, and perhaps not as meant."""
    return Check(name=name, verdict=CheckStatus.WARNING, tried=tried, answer=answer, fix=fix)


def failed(name: str, tried: str, error: VodMigrateError, fix: str) -> Check:
    """A run cannot work. error: what says so, with its exit code."""
    return Check(name=name, verdict=CheckStatus.FAILED, tried=tried, answer=str(error), fix=fix, error=error)


def not_checked(name: str, why: str, fix: str = "", *, tried: str = "nothing") -> Check:
    """It is not known."""
    return Check(name=name, verdict=CheckStatus.NOT_CHECKED, tried=tried, answer=why, fix=fix)


def none_checked(names: Iterable[str], why: str) -> list[Check]:
    """None of them is known, for one reason."""
    return [not_checked(name, why) for name in names]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checklist:
    """Everything that was looked at, in the order in which a person mends it."""

    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.verdict is CheckStatus.FAILED)

    @property
    def exit_code(self) -> int:
        """0, or the lowest code of what failed: bad input is to be mended before anything else can be known."""
        return min((check.error.exit_code for check in self.failures if check.error is not None), default=0)

    def count(self, verdict: CheckStatus) -> int:
        """How many checks went that way."""
        return sum(check.verdict is verdict for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The line of `vod-migrate doctor --json`."""
        return {
            "ok": not self.failures,
            "exit_code": self.exit_code,
            "counts": {verdict.value: self.count(verdict) for verdict in CheckStatus},
            "checks": [check.as_json() for check in self.checks],
        }

    def as_text(self, language: Language = ENGLISH) -> str:
        """The same for a person: one line for what is well, three for what is not."""
        lines: list[str] = []
        for check in self.checks:
            mark = padded(language.say(MARKS[check.verdict]), 8)
            lines.append(f"{mark} {check.name:<15} {_line(check.answer, language)}")
            if check.verdict in (CheckStatus.WARNING, CheckStatus.FAILED):
                lines.append(f"{'':<24} {language.say('tried:')} {_line(check.tried, language)}")
            if check.fix:
                lines.append(f"{'':<24} {language.say('fix:  ')} {_line(check.fix, language)}")
        counts = language.say(", ").join(
            f"{self.count(verdict)} {language.say(verdict.value)}"
            for verdict in CheckStatus
            if self.count(verdict) or verdict is CheckStatus.OK
        )
        return "\n".join([*lines, "", counts])


def _line(text: str, language: Language) -> str:
    text = language.translate(" ".join(text.split()))
    # What a service or a file name says may hold control characters, and must not move a terminal's cursor.
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
