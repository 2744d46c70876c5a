"""Templates to answers: one environment for all pages, and what each template knows without being told."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from vod_migrate.airflow.pages.locale import LANGUAGE_COOKIE, ZONE_COOKIE, reading_of
from vod_migrate.airflow.pages.viewer import TOKEN_HEADER
from vod_migrate.report import page

PREFIX = "vod-reports"

_HERE = Path(__file__).parent
_OURS = ("pages.css", "browse.css", "settle.js", "pages.js", "sort.js", "htmx.min.js", "idiomorph-ext.min.js")
_OF_THE_REPORT = ("report.css", "chart.js", "uPlot.min.css", "uPlot.iife.min.js")

STATIC = {
    **{name: _HERE / "static" / name for name in _OURS},
    **{name: page.STATIC / name for name in _OF_THE_REPORT},
}
"""The files that pages may ask for, by name."""


class Paths:
    """Where things are: below the app's own root, and in Airflow around it."""

    def __init__(self, request: Request) -> None:
        self.app = str(request.scope.get("root_path", "")).rstrip("/")
        self.airflow = self.app.removesuffix(f"/{PREFIX}")

    def __call__(self, *parts: str, **query: Any) -> str:
        """A path in the app, every part percent-encoded; empty query values are left out."""
        return f"{self.app}/{_joined(parts, query)}"

    def of_airflow(self, *parts: str, **query: Any) -> str:
        """A path of Airflow's own."""
        return f"{self.airflow}/{_joined(parts, query)}"

    def static(self, name: str) -> str:
        """A static file; its address changes with its content, so that browsers may keep it."""
        return self("static", digest_of(name), name)


def render(request: Request, name: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """A page, or a fragment of one for htmx.

    Every template knows `_`, `_n` and `duration` (see `templating.words`), `path` (a Paths), `zone` and `language` (the
    viewer's), `viewer`, and the filters of `report.wording`.
    """
    reading = reading_of(request)
    known = {
        "path": Paths(request),
        "language": reading.language,
        "zone": reading.zone,
        "viewer": getattr(request.state, "viewer", None),
        "nonce": request.state.nonce,
        "cookies": {"language": LANGUAGE_COOKIE, "zone": ZONE_COOKIE},
        "token_header": TOKEN_HEADER,
        "in_airflow": True,
        **page.translations(reading.language),
    }
    text = _environment().get_template(name).render({**known, **context})
    return HTMLResponse(text, status_code=status_code, headers={"vary": "Cookie, Accept-Language"})


@cache
def styles() -> Markup:
    """The style sheets as text, for the one page that nobody is signed in to, who may fetch no file."""
    sheets = ("report.css", "pages.css")
    return Markup("\n".join(STATIC[name].read_text(encoding="utf-8") for name in sheets))  # noqa: S704 - our own files


def _joined(parts: tuple[str, ...], query: dict[str, Any]) -> str:
    path = "/".join(quote(part, safe="") for part in parts)
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


@cache
def digest_of(name: str) -> str:
    """What a static file's address holds of its content."""
    return hashlib.sha256(STATIC[name].read_bytes()).hexdigest()[:16]


@cache
def _environment() -> jinja2.Environment:
    return page.templates(_HERE / "templates")
