"""Reads a migration file: YAML, then the model, with errors that name the field, the value and the fix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.messages import _problems
from vod_migrate.migration.model import Migration


class _Loader(yaml.SafeLoader):
    """YAML as usual, but a setting that is written twice is refused: the first would be dropped without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node whose keys are all different."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
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
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise BadMigrationFile(str(path), [f"cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise BadMigrationFile(str(path), [f"is not UTF-8 (byte {error.start}): save it as UTF-8"]) from error
    except yaml.YAMLError as error:
        raise BadMigrationFile(str(path), [f"is not YAML: {' '.join(str(error).split())}"]) from error
    except (ValueError, RecursionError) as error:
        # What YAML takes for a date may be none (2024-02-30).
        raise BadMigrationFile(str(path), [f"holds a value that cannot be read: {error}"]) from error
    if not isinstance(content, dict):
        raise BadMigrationFile(str(path), ["must be a mapping that begins with `name:`"])
    return _beside(path, parse_migration(content, origin=str(path)))


def _beside(path: Path, migration: Migration) -> Migration:
    """The migration with a relative path to its manifest or inventory made absolute: workers start in other folders."""
    source = migration.source
    place = source.place
    if not place or place.startswith("oss://") or Path(place).is_absolute():
        return migration
    absolute = str(path.absolute().parent / place)
    moved: dict[str, Any] = {}
    if source.manifest is not None:
        moved["manifest"] = source.manifest.model_copy(update={"location": absolute})
    elif source.inventory is not None:
        moved["inventory"] = source.inventory.model_copy(update={"manifest": absolute})
    return migration.model_copy(update={"source": source.model_copy(update=moved)})


def parse_migration(content: Mapping[str, Any], *, origin: str) -> Migration:
    """Validates a migration that was read already; origin names it in errors.

    Raises:
        BadMigrationFile: naming each field, its value and the fix.
    """
    try:
        return Migration.model_validate(content)
    except ValidationError as error:
        raise BadMigrationFile(origin, _problems(error, Migration)) from None
