"""The report as one HTML file: everything is inside, nothing is fetched, and only our own scripts can run.

The Content-Security-Policy names the two scripts and the style sheet by their hashes, so that nothing which a key, a title or a message
could smuggle in would be executed even if it were not escaped, which it is.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from vod_migrate.report import wording
from vod_migrate.report.model import Report
from vod_migrate.report.numbers import numbers
from vod_migrate.report.pace import coarser

__all__ = ["render_html"]

_HERE = Path(__file__).parent
_TABLE_ROWS = 20  # of the chart's table: readable at a glance


def render_html(report: Report, *, tables: Sequence[str] = ()) -> str:
    """The whole page.

    tables: names of the failures and of the mapping table beside the page, to link to; none where they are not written.
    """
    styles = _static("uPlot.min.css") + "\n" + _static("report.css")
    scripts = (_static("uPlot.iife.min.js"), _static("chart.js"))
    failures_csv, mapping_csv = tables or ("", "")
    return _page().render(
        report=report,
        run=report.run,
        zone=report.run.zone,
        numbers=numbers(report),
        waiting=report.counts.pending + report.counts.unknown,
        left_out_total=sum(left.count for left in report.left_out),
        chart=_chart(report),
        pace_table=[(_at(report, point.offset), point) for point in coarser(report.pace.points, most=_TABLE_ROWS)],
        styles=Markup(styles),  # noqa: S704 - our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
        policy=_policy(styles, scripts),
        failures_csv=failures_csv,
        mapping_csv=mapping_csv,
        version=version("vod-migrate"),
        made=dt.datetime.now(dt.UTC),
    )


def _chart(report: Report) -> dict[str, Any] | None:
    """What the chart script draws: numbers and the time zone's name, nothing that anybody outside wrote."""
    pace = report.pace
    if pace.begin is None:
        return None
    return {
        "begin": pace.begin.timestamp(),
        "width": pace.width,
        "zone": report.run.timezone,
        "offsets": [point.offset for point in pace.points],
        "accepted": [round(point.accepted, 3) for point in pace.points],
        "throttled": [round(point.throttled, 3) for point in pace.points],
        "other": [round(point.other, 3) for point in pace.points],
        "limits": {"documented": pace.documented, "account": pace.account_rate, "cap": pace.cap},
    }


def _at(report: Report, offset: int) -> dt.datetime:
    begin = report.pace.begin or report.run.started
    return begin + dt.timedelta(seconds=offset)


def _policy(styles: str, scripts: Sequence[str]) -> str:
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(styles)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _static(name: str) -> str:
    # A browser hashes what it parsed, and parsing turns every line end into a line feed.
    return (_HERE / "static" / name).read_text(encoding="utf-8").replace("\r\n", "\n").strip()


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in wording.__all__:
        environment.filters[name] = getattr(wording, name)
    return environment.get_template("report.html.j2")
