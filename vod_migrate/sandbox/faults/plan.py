"""The fault plan in action: which call, which file, how often. It is seeded, so a run can be repeated.

The same plan and the same order of calls give the same faults: each fault has its own random generator, seeded with its
seed and its place in the plan, and draws from it only when a call matches.
"""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from vod_migrate.sandbox.faults.config import FaultConfig
from vod_migrate.sandbox.faults.kinds import KINDS, Level

MOST_DELAY_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a fault may hit. `named` returns its object keys; it is called only if a fault has a glob."""

    api: str
    uid: str
    named: Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultHit:
    """A fault that hit. `draw`: a seeded number from 0 to below 1, for its choices."""

    config: FaultConfig
    draw: float


class _Armed:
    """A fault and its history: when it was armed, how often it was met and how often it hit."""

    def __init__(self, number: int, config: FaultConfig, now: float) -> None:
        self.number = number
        self.config = config
        self.level = KINDS[config.kind].level
        self.met = 0
        self.hits = 0
        self._since = now
        self._random = random.Random(f"{config.seed}:{number}")  # noqa: S311 - repeatable on purpose

    def concerns(self, subject: Subject, now: float) -> bool:
        config = self.config
        if config.api not in {"any", subject.api} or config.account not in {None, subject.uid}:
            return False
        apis = KINDS[config.kind].apis
        if (apis and subject.api not in apis) or not self._on(now - self._since):
            return False
        return config.keys is None or any(fnmatchcase(key, config.keys) for key in subject.named())

    def _on(self, age: float) -> bool:
        config = self.config
        over = config.times is not None and self.hits >= config.times
        return not over and config.start <= age and (config.until is None or age < config.until)

    def hits_now(self, key: str | None = None) -> bool:
        """Whether it hits this call or key. This counts, so ask once for each."""
        self.met += 1
        if self.met <= self.config.skip or not self._chosen(key):
            return False
        self.hits += 1
        return True

    def hit(self) -> FaultHit:
        return FaultHit(config=self.config, draw=self._random.random())

    def delay_s(self) -> float:
        config = self.config
        match config.shape:
            case "uniform":
                seconds = self._random.uniform(0, 2 * config.seconds)
            case "exponential":
                seconds = self._random.expovariate(1 / config.seconds) if config.seconds else 0.0
            case "lognormal":
                seconds = config.seconds * math.exp(self._random.gauss(0, config.sigma))
            case _:
                seconds = config.seconds
        return min(MOST_DELAY_S, seconds)

    def _chosen(self, key: str | None) -> bool:
        if self.config.rate >= 1:
            return True
        if key is not None and self.config.sticky:
            digest = hashlib.blake2b(f"{self.config.seed}:{key}".encode("utf-8", "surrogatepass"), digest_size=6)
            return int.from_bytes(digest.digest(), "big") / 2**48 < self.config.rate
        return self._random.random() < self.config.rate


class FaultPlan:
    """All faults that are armed, in the order they were armed."""

    def __init__(self, configs: Iterable[FaultConfig] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._armed: list[_Armed] = []
        self._next = 1
        self.replace(configs)

    def replace(self, configs: Iterable[FaultConfig]) -> int:
        """Replace all faults, numbered from 1 and timed from now. Returns how many there are."""
        self._armed, self._next = [], 1
        for config in configs:
            self.add(config)
        return len(self._armed)

    def add(self, config: FaultConfig) -> int:
        """Add a fault. Returns its number, by which it can be removed."""
        number = self._next
        self._next += 1
        self._armed.append(_Armed(number, config, self._clock()))
        return number

    def remove(self, number: int | None = None) -> int:
        """Disarm one fault, or all. Returns how many there were."""
        before = len(self._armed)
        self._armed = [armed for armed in self._armed if number is not None and armed.number != number]
        return before - len(self._armed)

    def summary(self) -> list[dict[str, Any]]:
        """Each fault with its number, and how often it was met and hit."""
        return [
            {
                "number": armed.number,
                "met": armed.met,
                "hits": armed.hits,
                **armed.config.model_dump(mode="json", by_alias=True),
            }
            for armed in self._armed
        ]

    def delays(self, subject: Subject) -> tuple[float, float]:
        """Seconds that the call waits before its effect, and after it."""
        waits = {"before": 0.0, "after": 0.0}
        for armed in self._about("delay", subject):
            if armed.hits_now():
                waits[armed.config.when] += armed.delay_s()
        return waits["before"], waits["after"]

    def for_call(self, subject: Subject) -> FaultHit | None:
        """The first fault that leaves the call without a proper reply."""
        return next((armed.hit() for armed in self._about("call", subject) if armed.hits_now()), None)

    def for_reply(self, subject: Subject, applies: Callable[[FaultConfig], bool]) -> list[FaultConfig]:
        """Every fault that changes the reply. A fault that does not apply to this reply is not met."""
        return [
            armed.config
            for armed in self._about("reply", subject)
            if applies(armed.config) and armed.hits_now()
        ]  # fmt: skip

    def for_file(self, api: str, uid: str, key: str, kinds: frozenset[str]) -> FaultConfig | None:
        """The first fault of these kinds that hits one file."""
        subject = Subject(api=api, uid=uid, named=lambda: (key,))
        for armed in self._about("file", subject):
            if armed.config.kind in kinds and armed.hits_now(key):
                return armed.config
        return None

    def _about(self, level: Level, subject: Subject) -> Iterator[_Armed]:
        now = self._clock()
        return (armed for armed in self._armed if armed.level == level and armed.concerns(subject, now))
