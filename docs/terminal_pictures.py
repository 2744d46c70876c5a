"""Draws docs/pictures/terminal-*.svg: what commands show in a terminal, from real runs on the sandbox. Run it with `make docs`."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from vod_migrate.report import progress
from vod_migrate.sandbox.pytest_plugin import Sandbox

if TYPE_CHECKING:
    from shell import Shell

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
COLUMNS = 104

BUCKET = "media-archive"
MIGRATION = """\
name: interviews
source:
  bucket: media-archive
  prefixes: ["interviews/"]
register:
  template_group_id: VOD_NO_TRANSCODE
"""
_EPISODES = 600
_CALLS_BEFORE_THE_GLANCE = 24
_STALL_SECONDS = 1.5

VOLATILE = {
    r"\d{8}T\d{6}-[0-9a-f]{8}": "20261128T010003-5d2c7e90",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "2026-11-28 01:00:03",
    r"\b[0-9a-f]{64}\b": "6f1d0c5b" * 8,
    r"\b[0-9a-f]{32}\b": "3f0a7c1e" * 4,
    r"--approve [0-9a-f]{16}": "--approve " + "6f1d0c5b" * 2,
    r"\b[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\b": "7487C6E3-B8CA-4424-8E22-B2011052AFD8",
    r"(?:\d+ (?:min|分) )?\d+(?:\.\d+)? (s|秒)(?=\W)": r"2.4 \1",
    r"[\d.,]+(?= objects/s| 个对象/秒)": "241",
    r"\d+(\.\d+)?(?= accepted calls/s)": "26",
    r"(?<=平均每秒成功 )\d+(\.\d+)?": "26",
    r"[\d.]+(?= at most;)": "47",
    r"(?<=峰值 )[\d.]+": "47",
    r"\d:\d\d:\d\d(\S* left \S*?)[-\d]:..:..": r"0:00:02\g<1>0:00:03",
    r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]": "⠹",
}
"""What differs from run to run, and what the pictures show instead: identifiers, moments, durations and rates."""

_RATE = re.compile(r" +\d+ objects/s")
_TEXT = re.compile(
    r'<text (?P<head>class="[^"]*") x="(?P<left>[^"]*)" (?P<between>y="[^"]*") textLength="(?P<length>[^"]*)"(?P<tail>[^>]*)>(?P<text>[^<]*[\u2e80-\uffef][^<]*)</text>'
)

# Rich's own frame asks a foreign server for a font.
_FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def pictures(shell: Shell, sandbox: Sandbox) -> Iterator[tuple[str, str]]:
    """Name and SVG of each picture. The database of the shell is empty, and the sandbox has no bucket of the name yet."""
    shell.environment |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "LOGNAME": "ops", "TZ": "UTC"}
    (shell.folder / "interviews.yaml").write_text(MIGRATION, encoding="utf-8")
    _fill(sandbox)
    english, chinese = {"LC_ALL": "en_US.UTF-8"}, {"LC_ALL": "zh_CN.UTF-8"}
    broken = f"{BUCKET}/interviews/2026/broken 1.mp4"
    with contextlib.chdir(shell.folder):
        for name, environment, arguments in (
            ("plan", english, ("plan", "interviews.yaml")),
            ("plan-chinese", chinese, ("plan", "interviews.yaml")),
            ("run", english, ("run", "interviews.yaml")),
            ("report-chinese", chinese, ("report", "interviews")),
            ("explain", english, ("explain", broken)),
            ("explain-chinese", chinese, ("explain", broken)),
        ):
            shell.environment |= environment
            screen = _screen(shell, arguments)
            command = " ".join(f"'{word}'" if " " in word else word for word in ("vod-migrate", *arguments))
            yield f"terminal-{name}.svg", _svg(f"\x1b[1m$ {command}\x1b[0m\n{normal(screen)}")


def normal(text: str) -> str:
    """A text whose volatile values are replaced."""
    for pattern, value in VOLATILE.items():
        text = re.sub(pattern, value, text)
    return text


def _fill(sandbox: Sandbox) -> None:
    for number in range(_EPISODES):
        sandbox.put(BUCKET, f"interviews/{2024 + number % 3}/episode {number:03}.mp4")
    for number in range(1, 4):
        sandbox.put(BUCKET, f"interviews/2026/broken {number}.mp4", b"<html><body>404 Not Found</body></html>")
        sandbox.put(BUCKET, f"interviews/2024/采访 {number}.mov")
        sandbox.put(BUCKET, f"interviews/2024/master {number}.mov", storage_class="ColdArchive")
    for number in range(8):
        sandbox.put(BUCKET, f"interviews/2026/notes {number}.txt")
    sandbox.fault("fail_files", api="RegisterMedia", keys="*/broken *")
    # While calls wait, the progress that is shown does not change.
    sandbox.fault("latency", api="RegisterMedia", skip=_CALLS_BEFORE_THE_GLANCE, times=32, seconds=_STALL_SECONDS)


class _Terminal(io.RawIOBase):
    """Keeps what is written to a terminal."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.written += bytes(data)
        return len(data)


def _screen(shell: Shell, arguments: tuple[str, ...]) -> str:
    """What stays on the screen, and above the report the progress that was shown while calls waited."""
    terminal = _Terminal()
    # Looked at more often than for a person, and however long a look takes, so that a busy machine looks while the calls wait, too.
    still = mock.Mock(monotonic=lambda: 0.0)
    with mock.patch.multiple(progress, GLANCE_SECONDS=0.1, time=still):
        shell.run(*arguments, output=terminal, told=terminal)
    kept, bars = "", []
    for piece in re.split(r"\r|\x1b\[\d*[AK]|\x1b\[\?25[lh]", terminal.written.decode()):
        if "\n" in piece.strip() or not re.search(r"\d:\d\d:\d\d", piece):
            kept += piece
        elif "objects/s" in piece:
            bars.append(piece.rstrip())
    if not bars:
        return kept.lstrip()
    shown = next(bar for bar in bars if f"{_CALLS_BEFORE_THE_GLANCE * 10}/" in bar)
    first, _, rest = kept.lstrip().partition("\n")
    return f"{first}\n{_RATE.sub('     241 objects/s', shown)}\n\n{rest.lstrip()}"


def _svg(screen: str) -> str:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(screen.rstrip()), soft_wrap=False)
    return _TEXT.sub(_in_cells, console.export_svg(title="", code_format=_FRAME, unique_id="terminal"))


def _in_cells(found: re.Match[str]) -> str:
    """An element of text as one for each stretch of narrow or of wide characters: Rich gives wide ones the room of narrow ones."""
    text = unescape(found["text"])
    cell, left, drawn = float(found["length"]) / len(text), float(found["left"]), []
    for stretch in re.findall(r"[\u2e80-\uffef]+|[^\u2e80-\uffef]+", text):
        length = cell * cell_len(stretch)
        place = f'{found["head"]} x="{left:g}" {found["between"]} textLength="{length:g}"{found["tail"]}'
        drawn.append(f"<text {place}>{escape(stretch).replace(' ', '&#160;')}</text>")
        left += length
    return "".join(drawn)


def main() -> None:
    """Writes the pictures."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from databases import postgres_of_the_session  # noqa: PLC0415 - of the tests
    from shell import Shell  # noqa: PLC0415 - of the tests

    with (
        tempfile.TemporaryDirectory(prefix="vod-pictures-") as folder,
        postgres_of_the_session() as databases,
        databases.one() as url,
        Sandbox.start() as sandbox,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        shell = Shell(Path(folder), {**sandbox.environment, "VOD_MIGRATE_DATABASE_URL": url})
        for name, svg in pictures(shell, sandbox):
            (FOLDER / name).write_text(svg, encoding="utf-8")
            print(f"wrote docs/pictures/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
