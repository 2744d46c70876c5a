"""The documentation site in a browser, as `make site` has built it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Request

SITE = Path(__file__).parents[2] / "build" / "site"
REDIRECT = SITE / "index.html"
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html") if page != REDIRECT)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_loads_alone_and_without_an_error(browser: Browser, address: str, theme: str) -> None:
    assert PAGES
    context = browser.new_context(color_scheme=theme)  # type: ignore[arg-type]  # one of the two
    page = context.new_page()
    troubles: list[str] = []

    def note_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            troubles.append(f"{page.url}: {message.text}")

    def note_request(request: Request) -> None:
        if not request.url.startswith((address, "data:")):
            troubles.append(f"{page.url} asks {request.url}")

    page.on("console", note_message)
    page.on("request", note_request)
    for name in PAGES:
        answer = page.goto(f"{address}/{name}")
        assert answer is not None
        assert answer.ok, name
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{name} is wider than the window"
        shown = page.locator("img[src*='-wide.png']:visible").evaluate_all("all => all.map(one => one.src)")
        assert all(f"-{theme}-wide.png" in source for source in shown), f"{name} shows pictures of the other theme"
    context.close()
    assert troubles == []


def test_the_address_of_the_site_leads_to_its_first_page(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    page.wait_for_url(f"{address}/docs/index.html")
    page.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [("quota", "Why the quota is one row"), ("配额", "vod-migrate 中文文档"), ("转码模板组", "vod-migrate")],
)
def test_a_search_finds_english_and_chinese(browser: Browser, address: str, query: str, found: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/search.html?q={query}")
    page.wait_for_selector("#search-results ul.search li")
    results = page.locator("#search-results ul.search li a").all_inner_texts()
    page.close()
    assert found in results
