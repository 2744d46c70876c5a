"""A first migration file: `vod-migrate init` writes one that loads, with a comment for each choice."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from vod_migrate.errors import BadMigrationFile, BadOption
from vod_migrate.migration.loader import parse_migration


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaffold:
    """The answers that a new migration file is made from. workflow_id, if given, replaces template_group_id."""

    name: str
    bucket: str
    prefix: str = ""
    schedule: str | None = None
    timezone: str = "Asia/Shanghai"
    template_group_id: str = "VOD_NO_TRANSCODE"
    workflow_id: str | None = None


def render_scaffold(answers: Scaffold) -> str:
    """The file in YAML; BadOption if it would not load."""
    schedule = (
        'null  # only when triggered; at one at night: "0 1 * * *"'
        if answers.schedule is None
        else _quoted(answers.schedule)
    )
    if answers.workflow_id:
        processing = f"  workflow_id: {_quoted(answers.workflow_id)}"
    else:
        processing = (
            "  # VOD_NO_TRANSCODE, or the ID of a transcoding template group; or workflow_id instead.\n"
            f"  template_group_id: {_quoted(answers.template_group_id)}"
        )
    text = f"""\
# A migration for vod-migrate. Every setting: docs/reference/settings.md, or `vod-migrate schema`.
# See what is sent for a key:  vod-migrate describe FILE KEY
name: {_quoted(answers.name)}

source:
  # The bucket must have been added to VOD (console: Configuration Management > Media Management > Storage).
  bucket: {_quoted(answers.bucket)}
  # [""] is the whole bucket; {{{{ date }}}} in a prefix is the local date of the run.
  prefixes: [{_quoted(answers.prefix)}]

# select:                         # by default: every format that VOD accepts, not empty, not archived
#   extensions: [mp4, mov, m3u8]
#   min_size: 1024

describe:
  # Jinja2 over the key: stem, name, folder, folders, extension …
  title: "{{{{ stem }}}}"
  # tags: ["{{{{ folder }}}}"]
  # category: "Shows/{{{{ folder }}}}"
  # categories: create            # create missing categories; by default such objects fail
  # reference_id: {{derive: true}}  # an ID derived from bucket and key
  # rules:
  #   - prefix: "trailers/"
  #     title: "Trailer: {{{{ stem }}}}"

register:
{processing}
  # calls_per_second: 20          # a rate below the account's own

schedule: {schedule}
timezone: {_quoted(answers.timezone)}
"""
    try:
        parse_migration(yaml.safe_load(text), origin="the new file")
    except BadMigrationFile as error:
        raise BadOption(f"no file was written, because it would be invalid: {'; '.join(error.problems)}") from None
    return text


def write_file(answers: Scaffold, path: Path) -> None:
    """Writes a new file; BadOption if there is one, it would not load, or the folder cannot be written to."""
    text, created = render_scaffold(answers), False
    try:
        with path.open("x", encoding="utf-8") as file:
            created = True
            file.write(text)
    except FileExistsError:
        raise BadOption(f"{path} exists and is not overwritten: choose another --output, or remove it") from None
    except OSError as error:
        if created:
            with suppress(OSError):
                path.unlink()
        raise BadOption(f"{path} cannot be written: {error.strerror or error}") from None


def _quoted(text: str) -> str:
    # JSON's strings are YAML's, too.
    return json.dumps(text, ensure_ascii=False)
