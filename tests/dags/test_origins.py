"""Buttons behind proxies: what counts as this server's own origin, and what another site's."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.configuration import conf
from fastapi import HTTPException
from starlette.requests import Request

from vod_migrate.airflow.pages.viewer import TOKEN_HEADER, Viewer, acting_viewer

PUBLIC = "https://airflow.example.com"
INSIDE = ("host", "airflow-api:8080")

CASES: list[tuple[str, str, list[tuple[str, str]], str, bool]] = [
    # what stands before the server, the browser's origin, headers, [api] base_url, whether it is ours
    ("nothing", "http://localhost:8080", [("host", "localhost:8080")], "", True),
    ("nothing, IPv6", "http://[::1]:8080", [("host", "[::1]:8080")], "", True),
    ("a proxy that keeps Host", PUBLIC, [("host", "airflow.example.com")], "", True),
    ("the port of the scheme", PUBLIC, [("host", "airflow.example.com:443")], "", True),
    ("capitals", PUBLIC, [("host", "Airflow.Example.com")], "", True),
    ("a proxy that changes Host", PUBLIC, [INSIDE], PUBLIC, True),
    ("base_url with a path", PUBLIC, [INSIDE], f"{PUBLIC}/airflow/", True),
    ("base_url with its port", PUBLIC, [INSIDE], f"{PUBLIC}:443", True),
    ("another port than base_url's", f"{PUBLIC}:8443", [INSIDE], PUBLIC, False),
    ("another scheme than base_url's", "http://airflow.example.com", [INSIDE], PUBLIC, False),
    ("X-Forwarded-Host", PUBLIC, [INSIDE, ("x-forwarded-host", "airflow.example.com")], "", True),
    ("two proxies", PUBLIC, [INSIDE, ("x-forwarded-host", "airflow.example.com, gateway:8000")], "", True),
    ("two proxies, a line each", PUBLIC, [INSIDE, ("x-forwarded-host", "gateway"), ("x-forwarded-host", "airflow.example.com")], "", True),
    ("a port of its own", f"{PUBLIC}:8443", [INSIDE, ("x-forwarded-host", "airflow.example.com"), ("x-forwarded-port", "8443,80")], "", True),
    ("Forwarded", PUBLIC, [INSIDE, ("forwarded", "for=10.0.0.1;host=airflow.example.com;proto=https, for=10.0.0.2")], "", True),
    ("Forwarded in quotes", f"{PUBLIC}:8443", [INSIDE, ("forwarded", 'For="[2001:db8::1]:4711"; Host="airflow.example.com:8443"')], "", True),
    ("another site", "https://attacker.example", [INSIDE, ("x-forwarded-host", "airflow.example.com")], PUBLIC, False),
    ("a part of the name", "https://example.com", [("host", "airflow.example.com")], PUBLIC, False),
    ("a name that begins with ours", "https://airflow.example.com.attacker.example", [("host", "airflow.example.com")], PUBLIC, False),
    ("our name as a user", "https://airflow.example.com@attacker.example", [("host", "airflow.example.com")], PUBLIC, False),
    ("no origin of its own", "null", [("host", "")], "", False),
    ("a port that is none", "https://airflow.example.com:x", [("host", "airflow.example.com:x")], PUBLIC, False),
    ("no host at all", PUBLIC, [], "", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("origin", "headers", "base_url", "own"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_button_works_behind_a_proxy_and_for_no_other_site(
    monkeypatch: pytest.MonkeyPatch, origin: str, headers: list[tuple[str, str]], base_url: str, own: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert conf.get("api", "base_url", fallback="") == base_url
    viewer = Viewer(id="7", name="Maria", user=None)
    sent = [*headers, ("origin", origin), (TOKEN_HEADER, viewer.token)]
    request = Request({"type": "http", "headers": [(name.encode(), value.encode()) for name, value in sent]})
    assert allowed(request, viewer) is own


def allowed(request: Request, viewer: Any) -> bool:
    try:
        return acting_viewer(request, viewer) is viewer
    except HTTPException as error:
        if error.detail != "Another site sent this request.":
            raise
        return False
