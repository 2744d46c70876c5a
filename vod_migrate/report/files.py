"""A report as files: each appears under its name complete or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vod_migrate.errors import BadSetting
from vod_migrate.migration.export import TableFormat
from vod_migrate.report.complete_file import complete_file
from vod_migrate.report.html import render_html
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.loader import load_report
from vod_migrate.report.table_formats import encoded
from vod_migrate.report.tables import MappingScope, failure_table, mapping_table
from vod_migrate.report.text import render_text
from vod_migrate.results.store import Store

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_STEM = 120  # with the longest suffix well below the 255 bytes of a file name


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFiles:
    """The report for the terminal, and where the files are."""

    text: str
    html: Path
    failures_csv: Path
    mapping_csv: Path


def write_report(
    store: Store,
    run_id: str,
    directory: Path,
    *,
    mapping: MappingScope = "run",
    warning: str = "",
    language: Language = ENGLISH,
    colour: bool = False,
) -> ReportFiles:
    """Writes `<stem>.html`, `<stem>.failures.csv` and `<stem>.mapping.csv`; a report of the same run is replaced.

    mapping: what the mapping table holds, see `mapping_table`; warning: what went wrong beside the run, for the text; colour: of the text.

    Raises:
        BadOption: there is no such run.
        BadSetting: the directory cannot be written.
        StoreUnreachable
    """
    report = load_report(store, run_id)
    endings = (".failures.csv", ".mapping.csv", ".html")
    failures, mapped, page = (directory / f"{file_stem(run_id)}{ending}" for ending in endings)
    with _explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        _write(failures, encoded(failure_table(store, run_id), TableFormat.CSV))
        _write(mapped, encoded(mapping_table(store, run_id, scope=mapping), TableFormat.CSV))
        # The page comes last: whoever finds it finds its tables too.
        html = render_html(report, tables=(failures.name, mapped.name), language=language)
        _write(page, [html.encode()])
    text = render_text(report, colour=colour, warning=warning, language=language)
    return ReportFiles(text=text, html=page, failures_csv=failures, mapping_csv=mapped)


def report_after_run(
    store: Store,
    run_id: str,
    directory: Path | None,
    *,
    warning: str = "",
    language: Language = ENGLISH,
    colour: bool = False,
) -> tuple[str, ReportFiles | None, str]:
    """The report's text, its files, and a warning where they could not be written, which is no fault of the run.

    directory: None writes no files; warning: what else went wrong, told with the other.

    Raises:
        StoreUnreachable
    """
    if directory is not None:
        try:
            files = write_report(store, run_id, directory, warning=warning, language=language, colour=colour)
        except BadSetting as error:
            warning = f"{warning}. {error}" if warning else str(error)
        else:
            return files.text, files, warning
    text = render_text(load_report(store, run_id), colour=colour, warning=warning, language=language)
    return text, None, warning


def write_texts(directory: Path, run_id: str, texts: Mapping[str, str]) -> None:
    """Writes `<stem><suffix>` for each suffix.

    Raises:
        BadSetting: the directory cannot be written.
    """
    with _explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            _write(directory / f"{file_stem(run_id)}{suffix}", [text.encode()])


def file_stem(run_id: str) -> str:
    """A file name for any run id, without suffix; different ids (`a:b`, `a+b`) never share one."""
    safe = _UNSAFE.sub("_", run_id).lstrip(".")[:_LONGEST_STEM]
    if safe == run_id:
        return safe
    return f"{safe}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with complete_file(path) as file:
        file.writelines(chunks)


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadSetting(
            f"cannot write the report to {directory} ({error.strerror or error}): choose another folder, or free space in "
            "this one. The run itself is safe; `vod-migrate report` writes its report again"
        ) from error
