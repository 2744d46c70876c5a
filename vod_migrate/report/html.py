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
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.model import Report
from vod_migrate.report.page import STATIC, report_facts, templates, translations


def render_html(
    report: Report, *, tables: Sequence[str] = (), language: Language = ENGLISH, zone: ZoneInfo | None = None
) -> str:
    """The whole page.

    tables: names of the failures and of the mapping table beside the page, to link to; none where they are not written.
    zone: in which times are shown, by default the migration's.
    """
    styles = _static("uPlot.min.css") + "\n" + _static("report.css")
    scripts = (_static("uPlot.iife.min.js"), _static("chart.js"))
    failures_csv, mapping_csv = tables or ("", "")
    shown_in = zone or report.run.zone
    return _page().render(
        **report_facts(report, language=language, zone=shown_in),
        **translations(language),
        zone=shown_in,
        language=language,
        in_airflow=False,
        styles=Markup(styles),  # noqa: S704 - our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
        policy=_policy(styles, scripts),
        failures_csv=failures_csv,
        mapping_csv=mapping_csv,
        version=version("vod-migrate"),
        made=dt.datetime.now(dt.UTC),
    )


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
    return (STATIC / name).read_text(encoding="utf-8").replace("\r\n", "\n").strip()


@cache
def _page() -> jinja2.Template:
    return templates().get_template("report.html.j2")
