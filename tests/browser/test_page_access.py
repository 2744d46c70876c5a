"""Who may read and do what on the pages in a real Airflow, and what an attacker gets."""

from __future__ import annotations

import re

from airflow_stage import Stage
from fastapi.routing import APIRoute
from limited_auth import OUTSIDER
from looking import an_object

from vod_migrate.cloud.connection import connection_from_fields
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import parse_options
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin
from vod_migrate.run.settle import finish


def routes() -> list[APIRoute]:
    from vod_migrate.airflow.pages.app import create_app  # noqa: PLC0415 - imports Airflow

    app = create_app()
    assert {type(route) for route in app.routes} == {APIRoute}, "no schema, no docs, no mounts"
    return [route for route in app.routes if isinstance(route, APIRoute)]


def filled(route: APIRoute, stage: Stage) -> str:
    """An address of the route about the interviews, which some may not read."""
    values = {
        "dag_id": "vod_backfill__interviews",
        "dag_run_id": "night_1",
        "run_id": stage.run_id("interviews", "night_1"),
        "digest": "0",
        "name": "pages.css",
    }
    asked = {
        "/object": f"?{an_object(stage, 'interviews-archive')}",
        "/transfer": "?account=default&old=interviews",
        "/compare": f"?run={values['run_id']}",
        "/runs/{run_id}/diagnose": "?code=file_refused",
        "/runs/{run_id}/settings": "?setting=register.url_encoding=raw",
    }
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], route.path) + asked.get(route.path, "")


def test_nobody_gets_anything_from_any_route(stage: Stage) -> None:
    with stage.client(None) as nobody:
        for route in routes():
            for method in route.methods:
                answer = nobody.request(method, filled(route, stage))
                assert answer.status_code == 401, (method, route.path)
                assert "interviews" not in answer.text
        for path in ("/openapi.json", "/docs", "/redoc"):
            assert nobody.get(path).status_code == 404


def test_what_belongs_to_another_dag_does_not_exist_for_who_may_not_read_it(stage: Stage) -> None:
    run_id = stage.run_id("interviews", "night_1")
    with stage.client(OUTSIDER) as outsider:
        for route in routes():
            asks = re.findall(r"\{(\w+)\}", route.path)
            for method in route.methods:
                answer = outsider.request(method, filled(route, stage))
                if set(asks) & {"dag_id", "run_id"} or route.path in ("/object", "/transfer", "/compare"):
                    assert answer.status_code in (403, 404), (method, route.path)
                assert "interviews-archive" not in answer.text, route.path
                assert "vod_backfill__interviews" not in answer.text, route.path
        # A DAG that they may read does not lead to another one's run.
        assert outsider.get("/dags/vod_backfill__hostile/runs/night_1").status_code == 200
        assert outsider.get(f"/dags/vod_backfill__hostile/runs/night_1?run={run_id}").text.count(run_id) == 0
        assert outsider.get(f"/dags/vod_backfill__hostile/runs/{run_id}").status_code == 404
        own = stage.run_id("hostile", "night_1")
        assert outsider.get(f"/compare?run={own}").status_code == 200
        assert outsider.get(f"/compare?run={own}&other={run_id}").status_code == 404
        assert outsider.get("/migration?name=interviews&account=default").status_code == 404
        assert "interviews" not in outsider.get("/migrations").text
        assert "interviews" not in outsider.get("/objects.csv").text


def test_runs_by_hand_are_for_administrators(stage: Stage) -> None:
    fields = {
        "access_key_id": stage.sandbox.access_key_id,
        "access_key_secret": stage.sandbox.access_key_secret,
        "region": stage.sandbox.region,
        "oss_endpoint": stage.sandbox.endpoint,
        "vod_endpoint": stage.sandbox.endpoint,
        "account": "by-hand",
    }
    connection = connection_from_fields(fields, origin="test")
    content = {
        "name": "secret",
        "source": {"bucket": "secret-archive"},
        "register": {"template_group_id": "VOD_NO_TRANSCODE"},
    }
    migration = parse_migration(content, origin="test")
    run = prepare(
        store=stage.store,
        connection=connection,
        migration=migration,
        options=parse_options({}),
        origin=Origin(),
    )
    finish(store=stage.store, run_id=run.run_id)
    for user, expected in (("admin", 200), ("editor", 404), ("viewer", 404), (OUTSIDER, 404)):
        with stage.client(user) as client:
            assert client.get(f"/runs/{run.run_id}").status_code == expected, user
            assert ("secret" in client.get("/migrations").text) is (user == "admin"), user


def test_a_viewer_reads_and_cannot_act(stage: Stage) -> None:
    run_id = stage.run_id("interviews", "night_1")
    with stage.client("viewer") as viewer:
        page = viewer.get(f"/runs/{run_id}")
        assert page.status_code == 200
        token = re.search(r'"x-vod-reports-token": "([^"]+)"', page.text)
        assert token is not None
        assert viewer.get(f"/runs/{run_id}/settings?setting=select.min_size=1").status_code == 403
        # Runs are started through Airflow's own API, with or without a change.
        order = {"logical_date": None, "conf": {"mode": "failed", "settings": ["select.min_size=1"]}}
        asked = f"{stage.url}/api/v2/dags/vod_backfill__interviews/dagRuns"
        assert viewer.post(asked, json=order).status_code == 403
        acting = [route for route in routes() if route.methods - {"GET", "HEAD"}]
        assert {route.path.rpartition("/")[2] for route in acting} == {
            "pause", "cancel", "discard", "diagnose", "transfer",
        }  # fmt: skip
        for route in acting:
            path = filled(route, stage)
            for method in route.methods:
                answer = viewer.request(method, path, headers={"x-vod-reports-token": token[1]})
                assert answer.status_code == 403, (method, path)


def test_an_action_needs_the_token_of_the_same_user_and_no_other_site(stage: Stage) -> None:
    run_id = stage.run_id("interviews", "night_1")

    def token(user: str) -> str:
        with stage.client(user) as client:
            found = re.search(r'"x-vod-reports-token": "([^"]+)"', client.get(f"/runs/{run_id}").text)
            assert found is not None
            return found[1]

    own = {"x-vod-reports-token": token("editor")}
    with stage.client("editor") as editor:
        for headers, expected in (
            ({}, 403),
            ({"x-vod-reports-token": "made up"}, 403),
            ({"x-vod-reports-token": token("admin")}, 403),
            ({**own, "sec-fetch-site": "cross-site"}, 403),
            ({**own, "sec-fetch-site": "same-site"}, 403),
            ({**own, "origin": "https://attacker.example"}, 403),
            (own, 409),  # allowed, but the run has ended
        ):
            assert editor.post(f"/runs/{run_id}/pause", headers=headers).status_code == expected, headers


def test_every_answer_has_a_policy_that_allows_no_inline_script(stage: Stage) -> None:
    with stage.client("admin") as admin:
        for path in ("/dags/vod_backfill__interviews", "/runs/unknown", "/nowhere"):
            headers = admin.get(path, headers={"accept": "text/html"}).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert re.search(r"script-src 'nonce-[\w-]{20,}'(;|$)", policy)
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
