"""The schema goes up and down with what is in it."""

from __future__ import annotations

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from rigging import BUCKET, Rig

from vod_migrate.results.database import _config, upgrade_schema

INSERT = """
    insert into results (account, bucket, key, migration, size, etag, last_modified, storage_class)
    values ('default', %s, 'old.mp4', 'nightly', 5, 'E', now(), 'IA')
"""


def test_results_of_the_first_schema_live_on_in_the_newest_and_back(rig: Rig, database_url: str) -> None:
    rig.sandbox.put(BUCKET, "new.mp4")
    assert rig.run().counts.registered == 1
    config = _config()
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url))
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("update results set size = null, etag = null, last_modified = null"))
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        connection.commit()
    engine.dispose()
    with psycopg.connect(database_url) as connection:
        connection.execute(INSERT, (BUCKET,))
    assert upgrade_schema(database_url) == _head(config)
    assert rig.rows("select key, size, etag, attributes from results order by key") == [
        ("new.mp4", 0, "", None),
        ("old.mp4", 5, "E", None),
    ]


def _head(config: Config) -> str | None:
    return ScriptDirectory.from_config(config).get_current_head()
