"""Metrics of the command line: plain StatsD over UDP, to the server that VOD_MIGRATE_STATSD names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from statsd import StatsClient

from vod_migrate.cli.console import say
from vod_migrate.errors import BadSetting
from vod_migrate.metrics import Metrics, dotted

VARIABLE = "VOD_MIGRATE_STATSD"
_PLACE = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\[\]:/@\s]+)):(?P<port>\d{1,5})", re.ASCII)


class StatsdMetrics:
    """Sends each metric in one datagram; what cannot be delivered is lost without a word. The tags are in the names."""

    def __init__(self, client: StatsClient) -> None:
        self._client = client

    def count(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """A StatsD counter."""
        self._client.incr(dotted(name, tags), number)

    def gauge(self, name: str, value: float, tags: Mapping[str, str]) -> None:
        """A StatsD gauge."""
        self._client.gauge(dotted(name, tags), value)

    def timing(self, name: str, seconds: float, tags: Mapping[str, str]) -> None:
        """A StatsD timer, which is in milliseconds."""
        self._client.timing(dotted(name, tags), 1000 * seconds)


@contextmanager
def statsd_metrics() -> Iterator[Metrics | None]:
    """Where metrics go while the block runs; None: nowhere, because the variable is empty, or because its host has no address, which is said.

    Raises:
        BadSetting: the variable is no HOST:PORT.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        yield None
        return
    place = _PLACE.fullmatch(given)
    if place is None or not 1 <= int(place["port"]) <= 65535:  # noqa: PLR2004 - the ports that there are
        raise BadSetting(f"{VARIABLE} is {given!r}: write HOST:PORT, e.g. statsd.example.com:8125 or [::1]:8125")
    try:
        client = StatsClient(place["host"] or place["address"], int(place["port"]), ipv6=place["address"] is not None)
    except OSError as error:
        say(f"Warning: no metrics are sent, because {VARIABLE} is {given!r}, and its host has no address ({error})")
        yield None
        return
    try:
        yield StatsdMetrics(client)
    finally:
        client.close()
