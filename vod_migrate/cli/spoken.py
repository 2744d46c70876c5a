"""The language in which a command shows reports, plans and progress."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from typing import Annotated, Literal, TypeAlias

import typer

from vod_migrate.report.language import CHINESE, ENGLISH, Language, language, language_of_locale

LanguageOption: TypeAlias = Annotated[
    Literal["en", "zh-CN"] | None,
    typer.Option(
        "--language",
        help="Language of reports, checks and progress; by default that of the locale (LC_ALL, LC_MESSAGES, LANG).",
    ),
]


_ASKED: ContextVar[str | None] = ContextVar("language", default=None)


def ask_for(tag: str | None) -> None:
    """Takes what --language says for the command that follows; None leaves it to the locale."""
    _ASKED.set(tag)


def spoken() -> Language:
    """As --language says, else as the locale says. English where the output cannot show Chinese."""
    asked = _ASKED.get()
    chosen = language(asked) if asked else language_of_locale(os.environ)
    return ENGLISH if chosen is CHINESE and not _shows_chinese() else chosen


def confirm(text: str, *, err: bool = False) -> None:
    """Prints an English message in the language of its reader, where that has a form for it."""
    typer.echo(spoken().translate(text), err=err)


def _shows_chinese() -> bool:
    try:
        CHINESE.say("objects").encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
