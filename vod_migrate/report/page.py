"""What every page of a report shares, the mailed one and those in Airflow: templates, translations, the chart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup, escape

from vod_migrate.migration.units import percent_of
from vod_migrate.report import text_format
from vod_migrate.report.count_lines import count_lines
from vod_migrate.report.diagnosis import PLAYBACK
from vod_migrate.report.headline import headline_of
from vod_migrate.report.language import Language
from vod_migrate.report.model import Report
from vod_migrate.report.rate_chart import coarser

_HERE = Path(__file__).parent
_TABLE_ROWS = 20  # of the chart's table: readable at a glance

STATIC = _HERE / "static"


def templates(*folders: Path) -> jinja2.Environment:
    """The templates of the given folders and those of the reports; everything is escaped, and a missing name is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, _HERE / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in text_format.__all__:
        environment.filters[name] = getattr(text_format, name)
    environment.filters["percent"] = percent_of
    return environment


def translations(language: Language) -> dict[str, Callable[..., Any]]:
    """The functions that a template translates with: `_(text, **values)`, `_n(number, one, many)`, `_m(message)`, `duration(seconds)`.

    Values are escaped; the texts are our own.
    """

    def say(text: str, **values: Any) -> Markup:
        return _filled(language.say(text), values)

    def count(number: int, one: str, many: str, **values: Any) -> Markup:
        return _filled(language.form(number, one, many), {"n": text_format.grouped(number), **values})

    return {"_": say, "_n": count, "_m": language.translate, "duration": language.duration}


def report_facts(report: Report, *, language: Language, zone: ZoneInfo) -> dict[str, Any]:
    """What the sections of a report show beside the report itself. zone: in which times are shown."""
    begin = report.rates.begin or report.run.started
    points = coarser(report.rates.points, most=_TABLE_ROWS)
    return {
        "report": report,
        "sentence": headline_of(report, language),
        "numbers": count_lines(report.counts, None if report.previous is None else report.previous.counts),
        "chart": _chart(report, language, zone),
        "playback_states": PLAYBACK,
        "rate_table": [(begin + dt.timedelta(seconds=point.offset), point) for point in points],
    }


def _chart(report: Report, language: Language, zone: ZoneInfo) -> dict[str, Any] | None:
    """What the chart script draws: numbers, our own words and the name of the time zone; no text from outside."""
    rates = report.rates
    if rates.begin is None:
        return None
    return {
        "begin": rates.begin.timestamp(),
        "width": rates.width,
        "zone": zone.key,
        "offsets": [point.offset for point in rates.points],
        **{kind: [round(getattr(one, kind), 3) for one in rates.points] for kind in ("accepted", "throttled", "other")},
        "limits": {"documented": rates.documented, "account": rates.account_rate, "cap": rates.cap},
        "words": {name: language.say(name) for name in ("accepted", "throttled", "refused or unanswered")},
    }


def _filled(text: str, values: dict[str, Any]) -> Markup:
    safe = escape(text)
    # A text without values may hold braces of its own, such as those of a template it recommends.
    return safe.format(**values) if values else safe
