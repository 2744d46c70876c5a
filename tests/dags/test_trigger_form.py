"""The trigger form: the run options and nothing else, with their own help and limits."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError

from vod_migrate.airflow.dag import trigger_form
from vod_migrate.migration.options import Mode, RunOptions, parse_options


def test_the_form_offers_exactly_the_run_options_with_their_own_help() -> None:
    form = trigger_form()

    assert list(form) == list(RunOptions.model_fields)
    for name, field in RunOptions.model_fields.items():
        assert form[name].schema["description_md"] == field.description
        assert form[name].schema["section"]
        assert form[name].schema["title"] == field.title is not None, "a field of the form has a title of its own"


def test_an_untouched_form_is_a_run_with_defaults() -> None:
    untouched = {name: param.resolve() for name, param in trigger_form().items()}

    assert parse_options(untouched) == RunOptions()


def test_every_mode_has_a_name_for_people() -> None:
    mode = trigger_form()["mode"].schema

    assert mode["enum"] == [mode.value for mode in Mode]
    assert set(mode["values_display"]) == set(mode["enum"])


ACCEPTED = [
    ("mode", "failed"),
    ("prefixes", ["a/", "b/"]),
    ("limit", 10),
    ("modified_since", "2026-01-01T00:00:00+08:00"),
    ("date", "2026-01-01"),
    ("calls_per_second", 0.5),
    ("max_objects", 1_000),
    ("max_calls", 1),
    ("max_minutes", 0.5),
    ("ignore_window", True),
    ("resume", "20261122T010000-0a1b2c3d"),
]
REFUSED = [
    ("mode", "again", "no such mode"),
    ("prefixes", "a/", "one prefix must be a list too"),
    ("limit", 0, "a limit of nothing"),
    ("limit", "ten", "no number"),
    ("date", "yesterday", "no date"),
    ("calls_per_second", 0, "a pace of nothing"),
    ("calls_per_second", 1001, "beyond any quota"),
    ("codes", "no_answer", "one code must be a list too"),
    ("max_objects", 0, "a brake at nothing"),
    ("max_calls", 1.5, "half a call"),
    ("max_minutes", 0, "no time"),
    ("ignore_window", "yes", "a word for a switch"),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_the_form_takes(name: str, value: Any) -> None:
    assert copied(name).resolve(value) == value
    parse_options({name: value})


def test_codes_go_with_mode_failed() -> None:
    assert copied("codes").resolve(["no_answer"]) == ["no_answer"]
    assert parse_options({"mode": "failed", "codes": ["no_answer"]}).codes == ("no_answer",)


@pytest.mark.parametrize(("name", "value"), [case[:2] for case in REFUSED], ids=[case[2] for case in REFUSED])
def test_the_form_refuses(name: str, value: Any) -> None:
    with pytest.raises(ParamValidationError):
        copied(name).resolve(value)


def copied(name: str) -> Param:
    return trigger_form()[name]
