"""In which language and which time zone a viewer reads: Airflow's own choices, which only the browser knows.

The script of every page compares them with what the page was made for; where they differ it writes two cookies and loads
the page again. So every text and time is written by the server, also those of live parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from vod_migrate.migration.schedule import time_zones
from vod_migrate.report.language import CHINESE, ENGLISH, Language, language, texts_in

LANGUAGE_COOKIE = "vod_reports_language"
ZONE_COOKIE = "vod_reports_zone"

_CHINESE = CHINESE.knowing(texts_in(Path(__file__).parent / "zh-CN.json"))


@dataclass(frozen=True, kw_only=True)
class Locale:
    """How a page is written. zone: the viewer's, UTC until their browser has said it."""

    language: Language
    zone: ZoneInfo


def reading_of(request: Request) -> Locale:
    """From the cookies; before they are there, from what the browser prefers."""
    tag = request.cookies.get(LANGUAGE_COOKIE) or request.headers.get("accept-language", "")
    zone = request.cookies.get(ZONE_COOKIE, "")
    chosen = _CHINESE if language(tag[:40]) is CHINESE else ENGLISH
    return Locale(language=chosen, zone=ZoneInfo(zone if zone in time_zones() else "UTC"))


ReadingDep = Annotated[Locale, Depends(reading_of)]
