"""A report as files: each appears under its name complete or not at all."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from vod_migrate.errors import BadSetting
from vod_migrate.report.html import render_html
from vod_migrate.report.loader import load_report
from vod_migrate.report.tables import MappingScope, write_failures, write_mapping
from vod_migrate.report.text import render_text
from vod_migrate.results.csv_tables import ENCODING
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


def write_report(store: Store, run_id: str, directory: Path, *, mapping: MappingScope = "run") -> ReportFiles:
    """Writes `<stem>.html`, `<stem>.failures.csv` and `<stem>.mapping.csv`; a report of the same run is replaced.

    mapping: what the mapping table holds, see `write_mapping`.

    Raises:
        BadOption: there is no such run.
        BadSetting: the directory cannot be written.
        StoreUnreachable
    """
    report = load_report(store, run_id)
    stem = file_stem(run_id)
    failures = directory / f"{stem}.failures.csv"
    mapped = directory / f"{stem}.mapping.csv"
    page = directory / f"{stem}.html"
    with _explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        _write(failures, lambda file: write_failures(store, run_id, file), encoding=ENCODING)
        _write(mapped, lambda file: write_mapping(store, run_id, file, scope=mapping), encoding=ENCODING)
        # The page comes last: whoever finds it finds its tables too.
        html = render_html(report, tables=(failures.name, mapped.name))
        _write(page, lambda file: file.write(html), encoding="utf-8")
    return ReportFiles(text=render_text(report), html=page, failures_csv=failures, mapping_csv=mapped)


def report_after_run(store: Store, run_id: str, directory: Path | None) -> tuple[str, ReportFiles | None, str]:
    """The report's text, its files, and a warning where they could not be written, which is no fault of the run.

    directory: None writes no files.

    Raises:
        StoreUnreachable
    """
    warning = ""
    if directory is not None:
        try:
            files = write_report(store, run_id, directory)
        except BadSetting as error:
            warning = str(error)
        else:
            return files.text, files, ""
    return render_text(load_report(store, run_id), warning=warning), None, warning


def write_texts(directory: Path, run_id: str, texts: Mapping[str, str]) -> None:
    """Writes `<stem><suffix>` for each suffix.

    Raises:
        BadSetting: the directory cannot be written.
    """
    with _explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            _write(directory / f"{file_stem(run_id)}{suffix}", partial(_put, text), encoding="utf-8")


def _put(text: str, file: TextIO) -> None:
    file.write(text)


def file_stem(run_id: str) -> str:
    """A file name for any run id, without suffix; different ids (`a:b`, `a+b`) never share one."""
    safe = _UNSAFE.sub("_", run_id).lstrip(".")[:_LONGEST_STEM]
    if safe == run_id:
        return safe
    return f"{safe}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def _write(path: Path, fill: Callable[[TextIO], object], *, encoding: str) -> None:
    with appearing(path, encoding=encoding) as file:
        fill(file)


@contextmanager
def appearing(path: Path, *, encoding: str) -> Iterator[TextIO]:
    """A file that appears under its name once it is complete, and not at all where an error ends it.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with unfinished.open("x", encoding=encoding, newline="") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadSetting(
            f"cannot write the report to {directory} ({error.strerror or error}): choose another folder, or free space in "
            "this one. The run itself is safe; `vod-migrate report` writes its report again"
        ) from error
