"""The end of a run: its verdict, why files failed, its export, its report and its messages, in this order.

The same for the command line and for Airflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vod_migrate.audit.diagnosis import examine_after_run
from vod_migrate.report.export import Connect, Exported, Exporter
from vod_migrate.report.files import ReportFiles, report_after_run
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.results.store import Store
from vod_migrate.run.notification import Messenger, tell_end
from vod_migrate.run.settle import Summary, finish


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """How a run ended, and what was written about it. files, export: None where none were written.

    warning: what could not be written, and why; unsent: who could not be told, and why. Both are beside the run, and change nothing
    about its verdict.
    """

    summary: Summary
    text: str
    files: ReportFiles | None
    export: Exported | None
    warning: str
    unsent: str

    def as_json(self) -> dict[str, Any]:
        """The line that `vod-migrate run --json` ends with, and the report task's XCom."""
        export = {"export": self.export.as_json()} if self.export is not None else {}
        warning = ". ".join(part for part in (self.warning, self.unsent) if part)
        return {**self.summary.as_json(), **export, **({"warning": warning} if warning else {})}


def conclude(
    *,
    store: Store,
    run_id: str,
    directory: Path | None,
    connect: Connect,
    messenger: Messenger,
    page: str = "",
    language: Language = ENGLISH,
    colour: bool = False,
) -> Conclusion:
    """Ends a run. A run that only planned has no failures and exports nothing, and nobody is told of it.

    directory: of the report's files, None for none. connect: gives the connection, to look at what failed and to export to OSS.
    messenger: its `stop` ends both, too. page: the address of the report; by default the path of its file. language, colour: of the report.
    """
    summary = finish(store=store, run_id=run_id)
    export, warning = None, ""
    if summary.plan is None:
        run = store.run(run_id)
        unexamined = examine_after_run(store, run, connect=connect, stop=messenger.stop)
        export, unwritten = Exporter(store, connect=connect, stop=messenger.stop).after_run(run)
        warning = " ".join(filter(None, (unexamined, unwritten)))
    text, files, warning = report_after_run(store, run_id, directory, warning=warning, language=language, colour=colour)
    link = page or (str(files.html.absolute()) if files is not None else "")
    unsent = tell_end(store, summary, messenger, link=link)
    return Conclusion(summary=summary, text=text, files=files, export=export, warning=warning, unsent=unsent)
