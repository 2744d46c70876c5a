"""The trigger form: one field for every run option, made from `RunOptions`."""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.sdk import Param

from vod_migrate.migration.options import RunOptions

_COPIED = (
    "type", "format", "items", "minimum", "maximum", "exclusiveMinimum", "enum", "title", "section", "values_display",
)  # fmt: skip


def trigger_form() -> dict[str, Param]:
    """The run options as Airflow Params, by name; untouched fields mean the migration file's own values."""
    schema = _schema()
    return {name: _field(field, schema["$defs"]) for name, field in schema["properties"].items()}


@cache
def _schema() -> dict[str, Any]:
    # The same for every DAG of a folder.
    return RunOptions.model_json_schema()


def _field(schema: dict[str, Any], definitions: dict[str, Any]) -> Param:
    # Pydantic writes an optional value as anyOf [its schema, null]; Airflow's form wants one list of types.
    merged: dict[str, Any] = {}
    types: list[str] = []
    for branch in schema.get("anyOf", [schema]):
        kind = {**definitions.get(branch.get("$ref", "").rpartition("/")[2], {}), **branch}
        types.append(kind["type"])
        merged |= kind
    given = {key: value for key, value in {**merged, **schema}.items() if key in _COPIED}
    # The form shows a field by the last type that it is given.
    given["type"] = types[0] if len(types) == 1 else sorted(types, key=lambda kind: kind != "null")
    return Param(schema.get("default"), description_md=schema["description"], **given)
