"""What a run tells a monitoring system while it works. docs/reference/metrics.md lists the metrics.

The core knows only the protocol; `airflow` sends through Airflow's own metrics, and `cli` to a StatsD server.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)

_PREFIX = "vod_migrate"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")


class Metrics(Protocol):
    """Where metrics go.

    Threads share one. No method waits for an answer: whoever calls it is in the middle of sending. tags: values by name, in the order in
    which a system without tags has them in the metric's name.
    """

    def count(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """So many more of something."""
        ...

    def gauge(self, name: str, value: float, tags: Mapping[str, str]) -> None:
        """How much there is of something now."""
        ...

    def timing(self, name: str, seconds: float, tags: Mapping[str, str]) -> None:
        """How long something took."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RunMetrics:
    """The metrics of one run, under the names of its account and its migration. receiver: None where nobody wants any."""

    receiver: Metrics | None
    account: str
    migration: str

    def count(self, name: str, number: int, **tags: str) -> None:
        """So many more of something; tags: beside account and migration."""
        self._tell(lambda receiver: receiver.count(_named(name), number, self._tags(tags)))

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """How much there is of something now."""
        self._tell(lambda receiver: receiver.gauge(_named(name), value, self._tags(tags)))

    def timing(self, name: str, seconds: float, **tags: str) -> None:
        """How long something took."""
        self._tell(lambda receiver: receiver.timing(_named(name), seconds, self._tags(tags)))

    def _tell(self, send: Callable[[Metrics], None]) -> None:
        if self.receiver is None:
            return
        try:
            send(self.receiver)
        except Exception:  # a metric never breaks a run
            log.debug("a metric was not sent", exc_info=True)

    def _tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        given = {"account": self.account, "migration": self.migration, **tags}
        # What StatsD, Datadog or InfluxDB would read as a part of their own syntax.
        return {name: _NOT_IN_A_NAME.sub("_", value) for name, value in given.items()}


def _named(name: str) -> str:
    return f"{_PREFIX}.{name}"


def dotted(name: str, tags: Mapping[str, str]) -> str:
    """A metric's name with its tags inside, for StatsD without tags: as Airflow names its own, with `__` for a dot within a value."""
    return ".".join([name, *(value.replace(".", "__") for value in tags.values())])
