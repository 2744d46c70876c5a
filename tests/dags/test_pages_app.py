"""The app of the pages around its routes: what each answer carries, and how many tables are read at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from databases import Databases
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from vod_migrate.airflow.pages.app import create_app
from vod_migrate.airflow.pages.download import AT_ONCE, streamed
from vod_migrate.airflow.pages.routes.objects import oss_folder
from vod_migrate.airflow.pages.run_access import repeatable_run, run_of_path
from vod_migrate.airflow.pages.store import forget_results, results
from vod_migrate.airflow.pages.viewer import Viewer, viewer_of
from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.errors import StoreUnreachable
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import parse_options
from vod_migrate.report.browse.access import read_only
from vod_migrate.report.browse.runs import readable_run
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_an_error_that_no_route_expects_is_answered_with_the_policy_and_without_a_trace(accept: str) -> None:
    def broken() -> None:
        raise RuntimeError("a fault of ours")

    app = create_app()
    app.mount("/under", inner := FastAPI())
    inner.get("/broken")(broken)

    answer = TestClient(app, raise_server_exceptions=False).get("/under/broken", headers={"accept": accept})

    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "a fault of ours" not in answer.text


def test_the_page_after_a_restart_of_the_database_reconnects_before_it_reads(
    databases: Databases, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_VOD_MIGRATE_DB", raising=False)
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", database_url)
    try:
        for _ in range(3):
            # As many at once as there are pages at once, so that several connections are dead.
            with read_only(results()), read_only(results()) as reading:
                assert reading.execute("select count(*) from vod_migrate.runs").fetchone() == {"count": 0}
            with databases.away(database_url):
                pass
    finally:
        forget_results()


def test_a_database_that_was_away_for_a_while_is_noticed_as_soon_as_it_is_back(
    databases: Databases, database_url: str
) -> None:
    with Store.open(database_url, wait=1.0, checked=True) as store:
        with databases.away(database_url):
            end = time.monotonic() + 3.2
            while time.monotonic() < end:
                with pytest.raises(StoreUnreachable), store.connection():
                    pass
        with store.connection() as reading:
            assert reading.execute("select 1 as one").fetchone() == {"one": 1}


def prepared() -> Run:
    """A run that Airflow has begun."""
    content = {"name": "films", "source": {"bucket": "b-1"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}}
    connection = connection_from_fields(
        {"access_key_id": "a", "access_key_secret": "b", "region": "cn-shanghai"}, origin="test"
    )
    return prepare(
        store=results(),
        connection=connection,
        migration=parse_migration(content, origin="test"),
        options=parse_options({}),
        origin=Origin(kind="airflow", dag_id="films_dag", dag_run_id="one", task_group=""),
    )


def test_an_examination_that_is_not_possible_says_why_and_makes_room_for_the_next(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_VOD_MIGRATE_DB", raising=False)
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", database_url)
    monkeypatch.setenv("AIRFLOW_CONN_VOD_DEFAULT", '{"conn_type": "http"}')
    try:
        run = prepared()
        with results().connection() as writing:
            writing.execute(
                "insert into vod_migrate.counts select run_no, 1, 'failed', code, 1 from vod_migrate.runs, "
                "unnest(array['file_refused', 'url_too_long']) as code"
            )
        app = create_app()
        line = readable_run(results(), run.run_id, readable=None)
        app.dependency_overrides |= {
            viewer_of: lambda: Viewer(id="1", name="somebody", user=None),
            repeatable_run: lambda: line,
        }
        client = TestClient(app)
        for code, status, told in (
            ("file_refused", 502, "it must be 'aliyun_vod'"),
            ("file_refused", 502, "it must be 'aliyun_vod'"),
            ("url_too_long", 409, "the code already gives the reason"),
            ("nothing", 409, "the code already gives the reason"),
        ):
            answer = client.post(f"/runs/{run.run_id}/diagnose", params={"code": code})
            assert (answer.status_code, told in answer.text) == (status, True), (code, answer.text)
    finally:
        forget_results()


def test_a_run_that_ends_while_its_page_is_read_offers_what_may_be_done_with_its_rest(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_VOD_MIGRATE_DB", raising=False)
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", database_url)
    for permission in ("may_read", "may_stop", "may_trigger"):
        monkeypatch.setattr(Viewer, permission, lambda *_: True)
    try:
        store = results()
        run = prepared()
        with store.connection() as writing:
            writing.execute(
                "with block as (insert into vod_migrate.blocks (queue_no, objects) values (%(queue)s, 1) returning block_id) "
                "insert into vod_migrate.work (source_id, queue_no, block_id, key) select %(source)s, %(queue)s, block_id, 'a.mp4' from block",
                {"queue": run.queue_no, "source": run.source_id},
            )
        line = readable_run(store, run.run_id, readable=None)
        assert line is not None
        assert line.running
        store.finish_run(run, state="paused", summary={"counts": {"pending": 1, "unknown": 0}})
        app = create_app()
        app.dependency_overrides |= {
            viewer_of: lambda: Viewer(id="1", name="somebody", user=None),
            run_of_path: lambda: line,
        }

        page = TestClient(app).get(f"/runs/{run.run_id}/live").text

        assert 'id="poll"' not in page
        for button in ("resume", "discard"):
            assert f'id="{button}"' in page
    finally:
        forget_results()


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "\x7f", "\x85"])
@pytest.mark.parametrize("place", ["path", "query", "form", "name"])
def test_a_field_with_a_control_character_is_refused_by_name_on_every_route_that_changes_something(
    text: str, place: str
) -> None:
    app = create_app()
    app.dependency_overrides[viewer_of] = lambda: Viewer(id="1", name="somebody", user=None)
    client = TestClient(app, raise_server_exceptions=False)
    changing = [route for route in app.routes if isinstance(route, APIRoute) and route.methods != {"GET"}]
    for route in changing:
        path = route.path.replace("{run_id}", quote(text) if place == "path" else "one")
        if place == "path" and path == route.path:
            continue
        fields = {"name": {text: "x"}, "path": {}}.get(place, {"new": text})
        form, query = ({}, fields) if place == "query" else (fields, {})
        answer = client.post(path, params=query, data=form)
        assert answer.status_code == 400, (route.path, answer.text)
        named = {"name": "name of a field", "path": "run_id"}.get(place, "'new'")
        assert named in answer.json()["detail"]
    assert len(changing) >= 5


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("2024/采访 1.mp4", "2024%2F"),
        ("a/b c+d/100%/one.mp4", "a%2Fb%20c%2Bd%2F100%25%2F"),
        ("top.mp4", ""),
        ("folder/", "folder%2F"),
        ('"><script>/x?y=1&z#.mp4', "%22%3E%3Cscript%3E%2F"),
        ("\u202e/line\nbreak/x.mp4", "%E2%80%AE%2Fline%0Abreak%2F"),
    ],
)
def test_the_oss_console_is_asked_for_the_folder_of_an_object(key: str, path: str) -> None:
    place = "https://oss.console.aliyun.com/bucket/oss-cn-shanghai/media-archive/object?path="
    assert oss_folder("cn-shanghai", "media-archive", key) == place + path


def rows() -> Iterator[bytes]:
    yield b"a\n"
    yield b"b\n"


def start(stream: Iterator[bytes]) -> StreamingResponse:
    return streamed(stream, disposition="attachment", kind="text/csv")


def read(response: StreamingResponse, send: Callable[[Any], Any]) -> None:
    async def receive() -> dict[str, str]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        send(message)

    asyncio.run(response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, take))


def test_only_a_few_tables_are_read_at_a_time_and_a_reader_who_leaves_makes_room() -> None:
    def leave(message: Any) -> None:
        if message.get("body"):
            raise OSError("gone")

    reading = [start(rows()) for _ in range(AT_ONCE)]
    with pytest.raises(HTTPException) as refused:
        start(rows())
    assert refused.value.status_code == 429
    got: list[Any] = []
    read(reading.pop(), got.append)
    assert b"".join(message.get("body", b"") for message in got) == b"a\nb\n"
    reading.append(start(rows()))
    for response in reading:
        with pytest.raises(Exception):  # noqa: B017, PT011 - Starlette's own for a reader who left
            read(response, leave)
    for response in [start(rows()) for _ in range(AT_ONCE)]:
        read(response, got.append)


def test_a_table_that_fails_at_once_takes_no_place() -> None:
    def failing() -> Iterator[bytes]:
        raise OSError("away")
        yield b""

    for _ in range(AT_ONCE + 1):
        with pytest.raises(OSError, match="away"):
            start(failing())
