"""What happened in a run: one model, shown as text, as a page, as tables and as JSON."""

from vod_migrate.report.files import ReportFiles, write_report
from vod_migrate.report.html import render_html
from vod_migrate.report.loader import load_report
from vod_migrate.report.model import Report
from vod_migrate.report.text import render_text

__all__ = ["Report", "ReportFiles", "load_report", "render_html", "render_text", "write_report"]
