"""Things that go wrong on purpose: which call, which file, how often; seeded, so a run can be repeated."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from vod_migrate.sandbox.settings import FaultConfig

_FILE_KINDS: Final = frozenset({"fail_files", "omit_files"})


class _Armed:
    """A fault with its memory: how often it was met and how often it hit."""

    def __init__(self, number: int, config: FaultConfig) -> None:
        self.number = number
        self.config = config
        self.met = 0
        self.hits = 0
        self._random = random.Random(f"{config.seed}:{number}")  # noqa: S311 - repeatable on purpose

    def concerns(self, api: str, uid: str) -> bool:
        config = self.config
        return config.api in {"any", api} and config.account in {None, uid} and not self.over

    @property
    def over(self) -> bool:
        return self.config.count is not None and self.hits >= self.config.count

    def strikes(self, key: str | None = None) -> bool:
        """Whether it hits this call, or this key. Call it once for each: it counts."""
        if self.over:
            return False
        self.met += 1
        if self.met <= self.config.skip or not self._draw(key):
            return False
        self.hits += 1
        return True

    def _draw(self, key: str | None) -> bool:
        if self.config.rate >= 1:
            return True
        if key is not None and self.config.sticky:
            digest = hashlib.blake2b(f"{self.config.seed}:{key}".encode("utf-8", "surrogatepass"), digest_size=6)
            return int.from_bytes(digest.digest(), "big") / 2**48 < self.config.rate
        return self._random.random() < self.config.rate


class FaultPlan:
    """All faults that are set, in the order they were set."""

    def __init__(self, configs: Iterable[FaultConfig] = ()) -> None:
        self._armed: list[_Armed] = []
        self._next = 1
        for config in configs:
            self.add(config)

    def add(self, config: FaultConfig) -> int:
        """Arm a fault; returns its number, by which it can be removed."""
        number = self._next
        self._next += 1
        self._armed.append(_Armed(number, config))
        return number

    def remove(self, number: int | None = None) -> int:
        """Disarm one fault, or all; returns how many there were."""
        before = len(self._armed)
        self._armed = [armed for armed in self._armed if number is not None and armed.number != number]
        return before - len(self._armed)

    def summary(self) -> list[dict[str, Any]]:
        """Each fault with its number and how often it hit."""
        return [
            {"number": armed.number, "hits": armed.hits, **armed.config.model_dump(mode="json")}
            for armed in self._armed
        ]

    def for_call(self, api: str, uid: str, keys: Callable[[], Iterable[str]]) -> FaultConfig | None:
        """The first fault that hits this call. `keys` is asked only when a fault has a glob."""
        for armed in self._armed:
            config = armed.config
            if config.kind in _FILE_KINDS or not armed.concerns(api, uid):
                continue
            if config.key is not None and not any(fnmatchcase(key, config.key) for key in keys()):
                continue
            if armed.strikes():
                return config
        return None

    def for_file(self, api: str, uid: str, key: str) -> tuple[Literal["fail", "omit"], bool] | None:
        """What happens to one file, and whether it is registered all the same (`when: after`)."""
        for armed in self._armed:
            config = armed.config
            if config.kind not in _FILE_KINDS or not armed.concerns(api, uid):
                continue
            if config.key is not None and not fnmatchcase(key, config.key):
                continue
            if armed.strikes(key):
                return ("fail" if config.kind == "fail_files" else "omit"), config.when == "after"
        return None
