"""The trigger form: one field for every run option, made from `RunOptions` so that help and limits have one source."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from vod_migrate.migration.options import Mode, RunOptions

_TITLES = {
    "mode": "What to send",
    "prefixes": "Prefixes",
    "limit": "Limit",
    "modified_since": "Modified since",
    "date": "Date",
    "codes": "Codes",
    "calls_per_second": "Calls per second",
    "max_objects": "Most objects",
    "max_calls": "Most calls",
    "max_minutes": "Most minutes",
    "ignore_window": "Ignore the window",
    "resume": "Resume a run",
    "dry_run": "Plan only",
    "approve": "Approve a plan",
}
_SECTIONS = {
    "mode": "Run",
    "prefixes": "Objects",
    "limit": "Objects",
    "modified_since": "Objects",
    "date": "Objects",
    "codes": "Objects",
    "calls_per_second": "Rate",
    "max_objects": "Limits",
    "max_calls": "Limits",
    "max_minutes": "Limits",
    "ignore_window": "Limits",
    "resume": "Run",
    "dry_run": "Plan",
    "approve": "Plan",
}
_MODES = {
    Mode.NEW.value: "New objects",
    Mode.FAILED.value: "Only what failed",
    Mode.ALL.value: "Everything selected, again",
}
_TAKEN_OVER = ("type", "format", "items", "minimum", "maximum", "exclusiveMinimum", "enum")


def trigger_form() -> dict[str, Param]:
    """The run options as Airflow Params, by name; untouched fields mean the migration file's own values."""
    schema = RunOptions.model_json_schema()
    return {name: _field(name, field, schema["$defs"]) for name, field in schema["properties"].items()}


def _field(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> Param:
    # Pydantic writes an optional value as anyOf [its schema, null]; Airflow's form wants one list of types.
    branches = schema.get("anyOf", [schema])
    given: dict[str, Any] = {}
    types: list[str] = []
    for branch in branches:
        reference = branch.get("$ref", "").rpartition("/")[2]
        merged = {**definitions.get(reference, {}), **branch}
        types.append(merged["type"])
        given.update({key: merged[key] for key in _TAKEN_OVER if key in merged})
    given["type"] = (
        types[0] if len(types) == 1 else [*(kind for kind in types if kind == "null"), *_without_null(types)]
    )
    if "enum" in given:
        given["values_display"] = _MODES
    return Param(
        schema.get("default"),
        title=_TITLES.get(name, name.replace("_", " ").capitalize()),
        description_md=schema["description"],
        section=_SECTIONS.get(name, "Run"),
        **given,
    )


def _without_null(types: list[str]) -> list[str]:
    return [kind for kind in types if kind != "null"]
