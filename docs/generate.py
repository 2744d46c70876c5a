"""Writes the generated pages, settings.md, cli.md and export.md in docs/reference, from the code. Run it with `make docs`."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from vod_migrate import errors
from vod_migrate.airflow.provider import CONNECTION_FIELDS
from vod_migrate.cloud.connection import _ENVIRONMENT as CONNECTION_VARIABLES
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.migration.source import MEDIA_EXTENSIONS
from vod_migrate.report.table_formats import IN_FORMATS, KINDS, RESULT_MEANINGS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
WRITTEN_BY = "<!-- Written by `make docs` from the code; edit the descriptions there. -->"

KEY_FIELDS = {
    "access_key_id": "The RAM user's AccessKey ID (the form's login).",
    "access_key_secret": "Its secret (the form's password).",
}

OTHER_VARIABLES = {
    "VOD_MIGRATE_DATABASE_URL": "The results database, `postgresql://user:password@host:5432/vod_migrate`, special "
    "characters of user and password percent-encoded, or `host=... user=... password='...' dbname=...`. "
    "Empty: an embedded Postgres from the command line, an error in Airflow.",
    "VOD_MIGRATE_HOME": "Folder of the embedded Postgres. Default `~/.local/share/vod-migrate`.",
    "VOD_MIGRATE_REPORTS": "In Airflow: folder of the report files. Default `vod_reports` in `AIRFLOW_HOME`; `none` writes no files.",
    "VOD_MIGRATE_WEBHOOK_<NAME>": "The URL of the webhook that `notify` calls `<name>`, a secret. `VOD_MIGRATE_WEBHOOK_<NAME>_SECRET`: the secret of "
    "the robot's signature (DingTalk, Feishu). In Airflow, a connection takes precedence.",
    "VOD_MIGRATE_STATSD": "On the command line: the StatsD server for a run's [metrics](metrics.md), `host:port`. Empty: no metrics are sent.",
    "VOD_MIGRATE_LEASE_SECONDS": "How many seconds a silent worker counts as alive. Default 90. The work of a worker that died on another machine "
    "is free after that time.",
    "VOD_MIGRATE_GRACE_SECONDS": "Seconds between SIGTERM and SIGKILL on this platform. A stopped worker waits this long, minus 2.5 s, for its calls in "
    "flight. Default 5, as in Airflow.",
    "VOD_MIGRATE_SANDBOX_URL": "The running sandbox that `vod-migrate sandbox fault`, `counters`, `truth` … use.",
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "`true` stops the provider `default` from asking the ECS metadata service, "
    "which exists only on ECS.",
}

EXIT_CODES = {
    0: "success; or paused by somebody, a window or a limit, and the next run continues",
    1: "a bug: please report it",
    2: "bad input: a migration file, an option, a setting, a bucket that does not exist",
    3: "denied: credentials, RAM policy, or the account itself",
    4: "unreachable: OSS, VOD or the database did not respond; try again",
    5: "the failure threshold was exceeded; the rest stays pending",
    6: "ended with objects left: refused, or listed from a source that contradicted itself",
    130: "interrupted or cancelled; the next run continues where this one stopped",
}


def settings_page() -> str:
    """Every setting of a migration file, a run, a connection and the environment, as Markdown."""
    return "\n".join(
        [
            WRITTEN_BY,
            "# Settings",
            "",
            "Unknown settings are rejected by name. Settings in bold are required.",
            "",
            "## Migration file",
            "",
            *_sections(Migration),
            "## Run options",
            "",
            "The trigger form in Airflow, `vod-migrate run` and `dag_run.conf` have the same options; from the command line, `resume` is a command.",
            "",
            *_table(RunOptions.model_json_schema()),
            "",
            "## Connection",
            "",
            "In Airflow, use the form of the connection type ApsaraVideo VOD; from the command line, the variables. Empty counts as not set.",
            "",
            *_connection_table(),
            "",
            "## Other environment variables",
            "",
            "| variable | meaning |",
            "|---|---|",
            *(f"| `{name}` | {meaning} |" for name, meaning in OTHER_VARIABLES.items()),
            "",
        ]
    )


OUTPUT = (
    "Results go to stdout, messages to stderr. Characters that the encoding of stdout lacks are printed as `?`, on stderr",
    "as `\\U0001f3ac`, and in JSON as JSON escapes. If stdout cannot be written to, for example because the disk is full,",
    "the command says so and ends with exit code 2. Messages on stderr that cannot be written are lost.",
)

LANGUAGES = (
    "The output of the commands is in Chinese if the locale is (`LC_ALL`, else `LC_MESSAGES`, else `LANG` begins with `zh`), or",
    "with `vod-migrate --language zh-CN COMMAND`. This includes the HTML reports that the command line writes, and the errors of",
    "runs, services and the database. If the encoding of the output has no Chinese characters, the output is in English.",
    "",
    "Help, logs, JSON, and messages about invalid options and migration files are always in English: they name settings as the",
    "file has them, programs read them, and people search for them. The how-tos explain the commands [in Chinese](../zh/index.md).",
)

COMPLETION = (
    "`vod-migrate --install-completion` lets bash, zsh or fish complete commands, options and, where a command takes one, the",
    "names of migrations and the IDs of runs, from the next shell on. Or put one line into the shell's own file:",
    "",
    "```text",
    'bash   eval "$(_VOD_MIGRATE_COMPLETE=source_bash vod-migrate)"           ~/.bashrc',
    'zsh    eval "$(_VOD_MIGRATE_COMPLETE=source_zsh vod-migrate)"            ~/.zshrc, after compinit',
    "fish   _VOD_MIGRATE_COMPLETE=source_fish vod-migrate | source            ~/.config/fish/config.fish",
    "```",
    "",
    "Names come from the results database, if it answers within 0.3 s; an embedded one is not started for them.",
)


def cli_page() -> str:
    """The help of every command and the exit codes, as Markdown.

    Raises:
        subprocess.CalledProcessError: Typer cannot load the application.
    """
    words = [sys.executable, "-m", "typer", "vod_migrate.cli.app", "utils", "docs"]
    words += ["--name", "vod-migrate", "--title", "The command line"]
    plain = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    commands = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT, env=plain).stdout
    return "\n".join(
        [
            WRITTEN_BY,
            commands.strip(),
            "",
            "## Output",
            "",
            *OUTPUT,
            "",
            "## Language",
            "",
            *LANGUAGES,
            "",
            "## Completion",
            "",
            *COMPLETION,
            "",
            "## Exit codes",
            "",
            "| code | meaning | errors |",
            "|---|---|---|",
            *(f"| {code} | {meaning} | {', '.join(_errors_with(code))} |" for code, meaning in EXIT_CODES.items()),
            "",
        ]
    )


def export_page() -> str:
    """The columns of an exported table, as Markdown."""
    return "\n".join(
        [
            WRITTEN_BY,
            "# Exported tables",
            "",
            "[`vod-migrate export`](../how-to/export.md) writes one row for each object that has a result, in the order of bucket and key",
            "(bytes of UTF-8). The columns are the same in CSV, JSON Lines and Parquet, whatever is selected.",
            "",
            "| column | type | meaning | empty |",
            "|---|---|---|---|",
            *(
                f"| `{name}` | {KINDS.get(name, 'text')} | {meaning} | {empty or 'never'} |"
                for name, (meaning, empty) in RESULT_MEANINGS.items()
            ),
            "",
            "## How values are written",
            "",
            "| type | CSV | JSON Lines | Parquet |",
            "|---|---|---|---|",
            *(f"| {kind} | {' | '.join(ways)} |" for kind, ways in IN_FORMATS.items()),
            "| empty | nothing between two quotes | `null` | null |",
            "",
            "CSV has a header line, commas, and every text in double quotes; it is UTF-8 with a byte order mark, so that Excel shows",
            "Chinese, and a cell that a spreadsheet would execute [begins with an apostrophe](reports.md#cells-that-look-like-formulas).",
            "JSON Lines and Parquet hold every text exactly as it is. JSON Lines is UTF-8, one object a line. Parquet has a row group for",
            "every 50,000 rows, compressed with zstd.",
            "",
        ]
    )


def _errors_with(code: int) -> list[str]:
    if code in (0, 1):
        return []
    return [
        f"`{name}`"
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if getattr(kind, "exit_code", None) == code and not kind.__subclasses__()
    ]


def _sections(model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema(by_alias=True)
    yield from _table(schema, "")
    yield ""
    yield from _nested(schema, schema["$defs"], "")


def _nested(schema: dict[str, Any], known: dict[str, Any], above: str) -> Iterator[str]:
    for name, part in schema["properties"].items():
        target, listed = _target(part)
        if target is None or "enum" in known[target]:
            continue
        section = known[target]
        place = f"{above}{name}{'[]' if listed else ''}"
        required = name in schema.get("required", [])
        yield f"### `{place}`"
        yield ""
        yield f"{section['description']}{' Required.' if required else ''}"
        yield ""
        yield from _table({**section, "$defs": known}, f"{place}.")
        yield ""
        yield from _nested(section, known, f"{place}.")


def _target(part: dict[str, Any]) -> tuple[str | None, bool]:
    """The name of the part of a schema that a setting consists of, and whether it is a list of them."""
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2], False
    if part.get("type") == "array" and "$ref" in part["items"]:
        return str(part["items"]["$ref"]).rpartition("/")[2], True
    choices = [_target(choice) for choice in part.get("anyOf", [])]
    return next((choice for choice in choices if choice[0]), (None, False))


def _cell(text: str) -> str:
    # Entities stand for themselves inside backticks.
    parts = [part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(text.split("`"))]
    return "`".join(parts).replace("|", "\\|")


def _table(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    yield "| setting | values | default | meaning |"
    yield "|---|---|---|---|"
    for name, part in schema["properties"].items():
        target, _ = _target(part)
        if target is not None and not above and "enum" not in schema.get("$defs", {}).get(target, {}):
            continue
        required = name in schema.get("required", [])
        shown = f"**`{name}`**" if required else f"`{name}`"
        yield f"| {shown} | {_values(part, schema)} | {'' if required else _default(part)} | {_cell(part.get('description', ''))} |"


def _values(part: dict[str, Any], schema: dict[str, Any]) -> str:  # noqa: PLR0911 - one line a kind
    target, listed = _target(part)
    if target is not None:
        section = schema["$defs"][target]
        if "enum" not in section:
            return "list of settings, see below" if listed else "settings, see below"
        return f"{'list of ' if listed else ''}{_values(section, schema)}"
    if "anyOf" in part:
        return " or ".join(_values(choice, schema) for choice in part["anyOf"] if choice.get("type") != "null")
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if isinstance(part["type"], list):
        return " or ".join(_values({"type": kind}, schema) for kind in part["type"])
    if part["type"] == "array":
        return "list of text"
    if part["type"] == "object":
        derives = "derive" in part.get("properties", {})
        return "`{derive: true}`" if derives else "mapping"
    word = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}[part["type"]]
    word = {"date": "date", "date-time": "time"}.get(part.get("format", ""), word)
    bounds = [
        f"{sign} {part[key]:g}"
        for key, sign in (("exclusiveMinimum", "&gt;"), ("minimum", "≥"), ("maximum", "≤"))
        if key in part
    ]
    return " ".join([word, ", ".join(bounds)]).strip()


def _default(part: dict[str, Any]) -> str:
    value = part.get("default")
    if value is None or value == []:
        return "none"
    if isinstance(value, dict):
        return "see below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == list(MEDIA_EXTENSIONS):
        return f"the {len(value)} formats of VOD"
    return f"`{json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value}`"


def _connection_table() -> Iterator[str]:
    yield "| field | variable | meaning |"
    yield "|---|---|---|"
    for name, variable in CONNECTION_VARIABLES.items():
        meaning = KEY_FIELDS.get(name) or CONNECTION_FIELDS[name]["description"]
        choices = [
            f"`{choice}`" for choice in CONNECTION_FIELDS.get(name, {}).get("schema", {}).get("enum", []) if choice
        ]
        yield f"| `{name}` | `{variable}` | {_cell(meaning)}{' One of ' + ', '.join(choices) + '.' if choices else ''} |"


def main() -> None:
    """Writes the pages."""
    pages = {"settings.md": settings_page(), "cli.md": cli_page(), "export.md": export_page()}
    for name, page in pages.items():
        (REFERENCE / name).write_text(page, encoding="utf-8")
        print(f"wrote docs/reference/{name}")


if __name__ == "__main__":
    main()
