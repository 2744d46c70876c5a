"""Settings of a migration file that one run changes, as `describe.title={{ stem }}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from vod_migrate.errors import BadMigrationFile, BadOption
from vod_migrate.migration.loader import StrictLoader, parse_migration
from vod_migrate.migration.messages import shown
from vod_migrate.migration.model import Migration

CHANGEABLE = ("describe", "register", "select")
"""What a run may describe, send and select otherwise than its file says. The rest says what the migration is."""


def with_settings(migration: Migration, settings: Sequence[str]) -> Migration:
    """The migration with some settings changed. settings: each a dotted name, `=`, and a value in YAML; a template needs no quotes.

    Raises:
        BadOption: one of them cannot be changed, or has a value that the file could not have.
    """
    if not settings:
        return migration
    content = migration.resolved()
    for setting in settings:
        name, equals, text = setting.partition("=")
        path = name.strip().split(".")
        if not equals or len(path) < 2 or not all(path):  # noqa: PLR2004 - a part of the file and a setting in it
            raise BadOption(f"settings: {shown(setting)}: write NAME=VALUE, as in describe.title={{{{ stem }}}}")
        if path[0] not in CHANGEABLE:
            raise BadOption(
                f"settings: {shown(name)} belongs to the migration file; a run can change only settings under {', '.join(CHANGEABLE)}"
            )
        if path == ["register", "workers"]:
            raise BadOption(
                "settings: register.workers is the number of tasks in the DAG: change it in the migration file"
            )
        _put(content, path, _value(name, text.strip()))
    try:
        return parse_migration(content, origin="the changed settings")
    except BadMigrationFile as error:
        raise BadOption(f"settings: {error}") from None


def _put(content: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *above, last = path
    for part in above:
        inner = content.get(part)
        if not isinstance(inner, dict):
            inner = content[part] = {}
        content = inner
    content[last] = value


def _value(name: str, text: str) -> Any:
    if text.startswith(("{{", "{%")):
        return text
    try:
        return yaml.load(text, Loader=StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # What YAML takes for a date may not exist; brackets may be too deep.
        raise BadOption(
            f"settings: the value of {shown(name)} is not YAML ({shown(error)}): put it in quotes"
        ) from None
