"""Reads a migration file: YAML, then the model, with errors that name the field, the value and the fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.messages import problems_of, shown
from vod_migrate.migration.model import Migration

MOST_BYTES = 262_144
"""Size of a file. YAML of this size takes three seconds to read; Airflow gives all DAG files 30."""


_TEMPLATE_VALUE = re.compile(r"(?P<begin>\s*(?:-(?=\s)|(?:-\s+)?[\w.-]+:))\s*(?P<value>[^#]*\{[{%].*)")


class StrictLoader(yaml.SafeLoader):
    """YAML without aliases, since a few nested ones fill the memory, and without settings written twice, since one is lost."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuses what stands for another node."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, f"uses the alias *{event.anchor}: write the value itself", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a second value of the same name."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is written twice: keep one", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_migration(path: Path) -> Migration:
    """Reads one migration file.

    Raises:
        BadMigrationFile: naming each field, its value and the fix.
    """
    try:
        content = yaml.load(_text(path), Loader=StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise BadMigrationFile(str(path), [f"cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise BadMigrationFile(str(path), [f"is not UTF-8 (byte {error.start}): save it as UTF-8"]) from error
    except yaml.YAMLError as error:
        raise BadMigrationFile(str(path), [_unquoted(path, error) or f"is not YAML: {shown(error)}"]) from error
    except (ValueError, RecursionError) as error:
        # What YAML takes for a date may not exist (2024-02-30).
        raise BadMigrationFile(str(path), [f"contains a value that cannot be read: {shown(error)}"]) from error
    if not isinstance(content, dict):
        raise BadMigrationFile(str(path), ["must be a mapping that begins with `name:`"])
    migration = parse_migration(content, origin=str(path))
    location = migration.source.location
    if not location or location.startswith("oss://"):
        return migration
    # Workers start in other folders.
    return migration.model_copy(update={"source": migration.source.at(str(path.absolute().parent / location))})


def _unquoted(path: Path, error: yaml.YAMLError) -> str:
    """What to write where YAML stumbled over a template without quotes; '' where it was something else."""
    marks = [mark for name in ("context_mark", "problem_mark") if (mark := getattr(error, name, None)) is not None]
    if not marks:
        return ""
    lines = _text(path).splitlines()
    for number in range(min(mark.line for mark in marks), max(mark.line for mark in marks) + 1):
        written = _TEMPLATE_VALUE.fullmatch(lines[number]) if number < len(lines) else None
        if written is not None:
            value = written["value"].partition(" #")[0].strip()
            plain = value.startswith(("{{", "{%")) or value[0] not in "[{\"'"
            quote = "'" if '"' in value else '"'
            right = f"{written['begin'].strip()} {quote}{value}{quote}" if plain else 'title: "{{ stem }}"'
            eg = "" if plain else "as in "
            return f"is not YAML: put the whole value of line {number + 1} in quotes, because it contains a template: {eg}{shown(right)}"
    return ""


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BadMigrationFile(str(path), [f"has more than the {MOST_BYTES:,} bytes that a migration file may have"])
    return content.decode()


def parse_migration(content: Mapping[str, Any], *, origin: str) -> Migration:
    """Validates a migration that is already parsed; origin names it in errors.

    Raises:
        BadMigrationFile: naming each field, its value and the fix.
    """
    try:
        return Migration.model_validate(content)
    except ValidationError as error:
        raise BadMigrationFile(origin, problems_of(error, Migration)) from None
