"""The command `explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from vod_migrate.audit.explanation import explain as story_of
from vod_migrate.audit.explanation import read_name
from vod_migrate.audit.explanation_text import story_json, story_lines
from vod_migrate.audit.media_states import MediaStates
from vod_migrate.cli.console import answer, open_store, stop_on_signals
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.spoken import spoken
from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import connection_from_environment


def explain(
    name: Annotated[
        str, typer.Argument(metavar="OBJECT", help="BUCKET/KEY, the object's address (https or oss), or a MediaId.")
    ],
    offline: Annotated[bool, typer.Option("--offline", help="Do not query OSS and VOD.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the history of one object: the listing that found it, the rule that described it, every call, and its state now.

    For an object that was never registered, show why.
    """
    wanted = read_name(name)
    connection = connection_from_environment()
    with open_store() as store, stop_on_signals() as stop:
        states = MediaStates(connection, store, stop=stop)
        story = story_of(
            store,
            wanted,
            region=connection.region,
            ask_oss=None if offline else lambda bucket, key: open_bucket(connection, bucket).head(key),
            ask_vod=None if offline else lambda media_id: states.of([media_id]).get(media_id),
        )
    answer(story_json(story), story_lines(story, spoken()), as_json=as_json)
