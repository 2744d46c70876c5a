"""Metrics of a task, sent with Airflow's own: StatsD, Datadog or OpenTelemetry, as `[metrics]` in Airflow's configuration says."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats

from vod_migrate.metrics import Metrics, dotted


class AirflowMetrics:
    """Sends through the Stats of the task's process. tagged: whether the system that Airflow sends to has tags."""

    def __init__(self, *, tagged: bool) -> None:
        self._tagged = tagged

    def count(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """A counter."""
        stat, tagged = self._form(name, tags)
        stats.incr(stat, number, tags=tagged)

    def gauge(self, name: str, value: float, tags: Mapping[str, str]) -> None:
        """A gauge."""
        stat, tagged = self._form(name, tags)
        stats.gauge(stat, value, tags=tagged)

    def timing(self, name: str, seconds: float, tags: Mapping[str, str]) -> None:
        """A timer, which is in milliseconds."""
        stat, tagged = self._form(name, tags)
        stats.timing(stat, 1000 * seconds, tags=tagged)

    def _form(self, name: str, tags: Mapping[str, str]) -> tuple[str, dict[str, str] | None]:
        return (name, dict(tags)) if self._tagged else (dotted(name, tags), None)


def airflow_metrics() -> Metrics | None:
    """Where the metrics of a task go; None: nowhere, because Airflow sends none."""
    # In the order in which Airflow chooses; it sends to one system only.
    if conf.getboolean("metrics", "statsd_datadog_enabled"):
        return AirflowMetrics(tagged=conf.getboolean("metrics", "statsd_datadog_metrics_tags"))
    if conf.getboolean("metrics", "statsd_on"):
        return AirflowMetrics(tagged=conf.getboolean("metrics", "statsd_influxdb_enabled"))
    return AirflowMetrics(tagged=True) if conf.getboolean("metrics", "otel_on") else None
