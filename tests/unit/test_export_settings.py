"""What a migration file may say about exporting, and the columns that the reference explains."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.export import Export
from vod_migrate.migration.loader import parse_migration
from vod_migrate.report.table_formats import KINDS, RESULT_MEANINGS
from vod_migrate.results.csv_tables import FAILURE_COLUMNS, MAPPING_COLUMNS, RESULT_COLUMNS, SEARCH_COLUMNS

DAY = dt.date(2026, 11, 29)


def export(**setting: Any) -> Export:
    content = {
        "name": "nightly",
        "source": {"bucket": "media-archive"},
        "register": {"template_group_id": "VOD_NO_TRANSCODE"},
        "export": setting,
    }
    found = parse_migration(content, origin="a file").export
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("to", "folder"),
    [
        ("oss://tables/nightly/", "oss://tables/nightly/"),
        ("oss://tables/nightly", "oss://tables/nightly/"),
        ("oss://tables", "oss://tables/"),
        ("/srv/tables", "/srv/tables/"),
        ("oss://tables/dt={{ date }}/", "oss://tables/dt=2026-11-29/"),
        ("/srv/{{ date.strftime('%Y/%m') }}", "/srv/2026/11/"),
    ],
)
def test_a_table_goes_into_a_folder_that_may_have_the_date(to: str, folder: str) -> None:
    assert export(to=to).folder(DAY) == folder


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({}, "export.to: is required and missing"),
        ({"to": ""}, "export.to"),
        ({"to": "exports/"}, "write /exports/"),
        ({"to": "s3://tables/x/"}, "cannot be written to"),
        ({"to": "oss://Tables/x/"}, "write oss://BUCKET/FOLDER/"),
        ({"to": "oss://tables//x/"}, "write oss://tables/x/"),
        ({"to": "oss://tables/{{ run }}/"}, "uses 'run', which is not defined here"),
        ({"to": "oss://tables/", "format": "xlsx"}, "export.format"),
        ({"to": "oss://tables/", "rows": "changes"}, "export.rows"),
        ({"to": "oss://tables/", "only_changes": "often"}, "export.only_changes"),
        ({"to": "oss://tables/", "what": "all"}, "export.what"),
    ],
)
def test_what_cannot_be_an_export_is_refused_by_name(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(BadMigrationFile) as refused:
        export(**setting)
    assert said in str(refused.value)


def test_every_column_is_explained_and_every_type_is_of_a_column() -> None:
    assert tuple(RESULT_MEANINGS) == RESULT_COLUMNS
    assert set(KINDS) <= {*RESULT_COLUMNS, *FAILURE_COLUMNS, *MAPPING_COLUMNS, *SEARCH_COLUMNS}
