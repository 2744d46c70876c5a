"""Values of changed settings that must not stop a program, or fill its memory."""

from __future__ import annotations

import pytest

from vod_migrate.errors import BadOption
from vod_migrate.migration.changed_settings import with_settings
from vod_migrate.migration.loader import parse_migration

BOMB = "[&a [x,x,x,x,x,x,x,x,x], " + ", ".join(f"&{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefghi", "bcdefghij", strict=True)) + "]"  # fmt: skip


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (BOMB, "uses the alias"),
        ("2024-02-30", "not YAML"),
        ("[" * 3_000, "not YAML"),
        ("!!python/object:os.system x", "not YAML"),
        ("{a: 1, a: 2}", "written twice"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_and_costs_nothing(value: str, told: str) -> None:
    content = {"name": "films", "source": {"bucket": "b-1"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}}
    with pytest.raises(BadOption, match=told):
        with_settings(parse_migration(content, origin="test"), [f"select.extensions={value}"])
