"""Two runs side by side: their numbers, their failures by cause, and the options and settings in which they differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from vod_migrate.report.count_lines import CountLine, count_lines
from vod_migrate.report.model import Report, Setting


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupPair:
    """Objects that failed for one cause, or with one code, in either run."""

    name: str
    earlier: int
    later: int

    @property
    def change(self) -> int:
        """The later run's number less the earlier one's."""
        return self.later - self.earlier


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingPair:
    """An option or a setting that differs; None where a run has none."""

    name: str
    earlier: str | None
    later: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPair:
    """Two runs by their start. failures: the largest group first; options, settings: only those that differ, by name."""

    earlier: Report
    later: Report
    numbers: tuple[CountLine, ...]
    failures: tuple[GroupPair, ...]
    options: tuple[SettingPair, ...]
    settings: tuple[SettingPair, ...]


def run_pair(one: Report, other: Report) -> RunPair:
    """Two runs, in either order."""
    earlier, later = sorted((one, other), key=lambda report: (report.run.started, report.run.run_id))
    before, after = _counted(earlier), _counted(later)
    failures = [GroupPair(name=name, earlier=before[name], later=after[name]) for name in {*before, *after}]
    return RunPair(
        earlier=earlier,
        later=later,
        numbers=count_lines(later.counts, earlier.counts),
        failures=tuple(sorted(failures, key=lambda pair: (-max(pair.earlier, pair.later), pair.name))),
        options=_differing(earlier.run.options, later.run.options),
        settings=_differing(earlier.run.settings, later.run.settings),
    )


def _counted(report: Report) -> Counter[str]:
    counted: Counter[str] = Counter()
    for group in report.failures:
        counted[group.name] += group.count
    return counted


def _differing(earlier: tuple[Setting, ...], later: tuple[Setting, ...]) -> tuple[SettingPair, ...]:
    before, after = ({setting.name: setting.value for setting in settings} for settings in (earlier, later))
    return tuple(
        SettingPair(name=name, earlier=before.get(name), later=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )
