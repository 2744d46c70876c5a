"""Numbers, times and foreign text as a person reads them; the same in every format of a report."""

from __future__ import annotations

import datetime as dt
import unicodedata
from zoneinfo import ZoneInfo

__all__ = ["counted", "day", "duration", "grouped", "moment", "rate", "share", "signed", "visible", "volume"]

_MINUTE, _HOUR = 60, 3_600
_TENTHS_BELOW = 10
_THOUSAND = 1_000
_PICTURES = 0x2400  # the Unicode block that pictures the control characters 0-31
_DELETE = 0x7F


def grouped(number: int) -> str:
    """1234567 → '1,234,567'."""
    return f"{number:,}"


def signed(number: int) -> str:
    """A difference: '+1,234', a true minus before what is less, '±0'."""
    if number == 0:
        return "±0"
    return f"+{number:,}" if number > 0 else f"\N{MINUS SIGN}{-number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """1 → '1 object', 2 → '2 objects'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(part: float, whole: float) -> str:
    """A share in per cent; never '0 %' for something, nor '100 %' for not quite all."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:  # noqa: PLR2004 - shown with tenths
        return "< 0.1 %"
    if part < whole and percent > 99.9:  # noqa: PLR2004 - shown with tenths
        return "> 99.9 %"
    return f"{percent:.1f} %".replace(".0 %", " %")


def rate(per_second: float) -> str:
    """A rate without its unit: tenths below ten, whole numbers above."""
    if 0 < per_second < 0.05:  # noqa: PLR2004 - shown with tenths
        return "< 0.1"
    if per_second < _TENTHS_BELOW and per_second != int(per_second):
        return f"{per_second:.1f}"
    return f"{per_second:,.0f}"


def duration(seconds: float, units: tuple[str, str, str] = ("h", "min", "s")) -> str:
    """'0.4 s', '6 s', '2 min 3 s', '5 h 36 min'."""
    hours, minutes, short = units
    if seconds < _TENTHS_BELOW and round(seconds, 1) != int(seconds):
        return f"{seconds:.1f} {short}"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} {short}"
    if whole < _HOUR:
        return _two(whole // _MINUTE, minutes, whole % _MINUTE, short)
    return _two(whole // _HOUR, hours, whole % _HOUR // _MINUTE, minutes)


def _two(large: int, unit: str, small: int, below: str) -> str:
    return f"{large:,} {unit} {small} {below}" if small else f"{large:,} {unit}"


def volume(size: int) -> str:
    """Bytes in decimal units, as OSS counts them: '0 B', '999 B', '1.4 GB'."""
    if size < _THOUSAND:
        return f"{size} B"
    number, larger = size / _THOUSAND, iter(("MB", "GB", "TB"))
    unit = "kB"
    while round(number, 1) >= _THOUSAND and (following := next(larger, None)):
        number, unit = number / _THOUSAND, following
    return f"{number:,.1f} {unit}" if number < _TENTHS_BELOW else f"{number:,.0f} {unit}"


def moment(time: dt.datetime, zone: ZoneInfo) -> str:
    """'2026-11-22 01:00:00', in the zone, which is named once."""
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def day(time: dt.datetime, zone: ZoneInfo) -> str:
    """'2026-11-22' in the zone."""
    return time.astimezone(zone).strftime("%Y-%m-%d")


def visible(text: str) -> str:
    """Foreign text (keys, titles, messages) made harmless to read: what steers a terminal or turns the reading direction is shown.

    Control characters become their pictures (newline ␊, escape ␛); direction marks and other invisible format characters, lone
    surrogates and line separators become their number, such as ⟨U+202E⟩. Joiners of emoji and of scripts stay.
    """
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    number = ord(character)
    if number < ord(" "):
        return chr(_PICTURES + number)
    if number == _DELETE:
        return "␡"
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\u200c\u200d":
        return f"⟨U+{number:04X}⟩"
    return character
