"""What is told about an event of a run: as JSON for programs, and as a text that fits a chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vod_migrate.migration.notification import RunEvent
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.model import Report
from vod_migrate.report.text_format import grouped, visible

_MOST_GROUPS = 10
EVENTS = {
    RunEvent.FINISHED: "finished",
    RunEvent.FAILED: "failed",
    RunEvent.THRESHOLD: "was stopped because too many files failed",
    RunEvent.PAUSED: "paused",
    RunEvent.APPROVAL: "needs your approval",
}
"""What each is called, behind the name of the migration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """An event of a run. sentence: what happened, or would happen, in the language; link: the address of the report's page, or its path, '' for none."""

    event: RunEvent
    report: Report
    sentence: str
    link: str = ""
    language: Language = ENGLISH

    @property
    def text(self) -> str:
        """For people; a line for each fact, the most important first, since a chat may cut it."""
        run, language = self.report.run, self.language
        lines = [f"{run.migration} {language.say(EVENTS[self.event])}", self.sentence, self.link]
        if run.stop_message and self.event is not RunEvent.FINISHED:
            lines.append(language.translate(run.stop_message))
        lines += [
            f"{group.name}: {grouped(group.count)}. {language.say(group.diagnosis.meaning)}" for group in self._groups()
        ]
        if run.export is not None:
            lines.append(language.say("Exported to {location}", location=run.export.location))
        lines.append(language.say("Run {run_id}", run_id=run.run_id))
        return "\n".join(visible(line) for line in lines if line)

    def as_json(self) -> dict[str, Any]:
        """What a webhook gets: `event`, `migration`, `run_id`, `state`, `sentence`, `stop_code`, `counts`, `failures`, `export`, `link`, `text`."""
        run = self.report.run
        return {
            "event": self.event.value,
            "migration": run.migration,
            "bucket": run.bucket,
            "account": run.account,
            "run_id": run.run_id,
            "state": run.state,
            "sentence": self.sentence,
            "stop_code": run.stop_code,
            "stop_message": run.stop_message and self.language.translate(run.stop_message),
            "counts": self.report.counts.as_json(),
            "failures": [
                {
                    "code": group.code,
                    "cause": group.cause or None,
                    "count": group.count,
                    "meaning": self.language.say(group.diagnosis.meaning),
                    "fix": self.language.say(group.diagnosis.fix),
                }
                for group in self._groups()
            ],
            "export": None if run.export is None else run.export.location,
            "link": self.link,
            "text": self.text,
        }

    def _groups(self) -> tuple[Any, ...]:
        return self.report.failures[:_MOST_GROUPS]
