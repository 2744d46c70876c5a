"""A signed-in browser that notices what a page must never do: run foreign scripts, or break its own policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from airflow_stage import Stage

AXE = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
FRAME = "iframe[title='VOD report']"

_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""
_ABOUT_SANDBOX = "An iframe which has both allow-scripts and allow-same-origin"


@dataclass
class Looking:
    """One page of a browser. told: what the console, dialogs and broken scripts said."""

    stage: Stage
    page: Any
    told: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        """A page of the app by itself."""
        self.page.goto(f"{self.stage.url}/vod-reports/{path}")
        return self.page

    def open_tab(self, name: str, dag_run_id: str) -> Any:
        """The report's tab within Airflow; returns the frame."""
        self.page.goto(self.stage.tab(name, dag_run_id))
        return self.frame()

    def frame(self) -> Any:
        frame = self.page.frame_locator(FRAME)
        frame.locator("h1").wait_for()
        return frame

    def violations(self) -> list[str]:
        return [told for frame in self.page.frames for told in frame.evaluate("window.violations || []")]

    def axe(self, scope: Any) -> list[str]:
        """Serious accessibility violations. scope: a page, or a frame of it."""
        scope.evaluate(AXE)
        found = scope.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:200]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


@contextmanager
def looking(browser: Any, stage: Stage, user: str | None, **context: Any) -> Iterator[Looking]:
    """user: already signed in; None: nobody. context: Playwright's options of a browser context."""
    options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "timezone_id": "Asia/Shanghai", **context}
    opened = browser.new_context(**options)
    opened.set_default_timeout(45_000)  # CI runs other tests beside these, on two cores
    if user is not None:
        opened.add_cookies([{"name": "_token", "value": stage.token(user), "url": stage.url}])
    opened.add_init_script(_WATCH)
    found = Looking(stage=stage, page=opened.new_page())

    def note(text: str) -> None:
        if _ABOUT_SANDBOX not in text:
            found.told.append(text)

    def dismissed(dialog: Any) -> None:
        note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def heard(message: Any) -> None:
        if message.type in ("error", "warning"):
            note(f"{message.text} {message.location.get('url', '')}")

    found.page.on("console", heard)
    found.page.on("pageerror", lambda error: note(str(error)))
    found.page.on("dialog", dismissed)
    yield found
    opened.close()


def sign_in(found: Looking, user: str, then: str) -> None:
    """Through Airflow's own form."""
    page = found.page
    page.goto(f"{found.stage.url}/auth/login?next={quote(then, safe='')}")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", found.stage.passwords[user])
    page.locator("button[type=submit]").click()


def an_object(stage: Stage, bucket: str) -> str:
    """The query of an object's page: always the same object of a bucket."""
    return urlencode({"account": "default", "bucket": bucket, "key": stage.key(bucket)})
