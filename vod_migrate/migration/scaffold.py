"""A first migration file: `vod-migrate init` writes one that loads, with a comment for each choice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from vod_migrate.errors import BadMigrationFile, BadOption
from vod_migrate.migration.loader import parse_migration


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaffold:
    """What a new migration file is made from. Of template_group_id and workflow_id exactly one is used."""

    name: str
    bucket: str
    prefix: str = ""
    schedule: str | None = None
    timezone: str = "Asia/Shanghai"
    template_group_id: str = "VOD_NO_TRANSCODE"
    workflow_id: str | None = None


def render_scaffold(answers: Scaffold) -> str:
    """The file, in YAML.

    Raises:
        BadOption: it would not load; names each field and the fix.
    """
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
# See what a key comes to:  vod-migrate describe FILE KEY
name: {_quoted(answers.name)}

source:
  # The bucket must have been added to VOD (console: Configuration Management > Media Management > Storage).
  bucket: {_quoted(answers.bucket)}
  # [""] is the whole bucket; {{{{ date }}}} in a prefix is the local date of the run.
  prefixes: [{_quoted(answers.prefix)}]

# select:                         # the default takes every format of VOD that is not empty and not archived
#   extensions: [mp4, mov, m3u8]
#   min_size: 1024

describe:
  # Jinja2 over the key: stem, name, folder, folders, extension …
  title: "{{{{ stem }}}}"
  # tags: ["{{{{ folder }}}}"]
  # category: "Shows/{{{{ folder }}}}"
  # categories: create            # make categories that do not exist; the default refuses such objects
  # reference_id: {{derive: true}}  # an ID of your own that follows from bucket and key
  # rules:
  #   - prefix: "trailers/"
  #     title: "Trailer: {{{{ stem }}}}"

register:
{processing}
  # calls_per_second: 20          # a cap below the account's own pace

schedule: {schedule}
timezone: {_quoted(answers.timezone)}
"""
    try:
        parse_migration(yaml.safe_load(text), origin="the new file")
    except BadMigrationFile as error:
        raise BadOption(f"no file was written, since it could not be used: {'; '.join(error.problems)}") from None
    return text


def write_file(answers: Scaffold, path: Path) -> None:
    """Writes a new file.

    Raises:
        BadOption: there is one already, it would not load, or the folder cannot be written to.
    """
    text = render_scaffold(answers)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise BadOption(f"{path} exists and is not overwritten: give another --output, or remove it") from None
    except OSError as error:
        raise BadOption(f"{path} cannot be written: {error.strerror or error}") from None


def _quoted(text: str) -> str:
    # JSON's strings are YAML's, too.
    return json.dumps(text, ensure_ascii=False)
