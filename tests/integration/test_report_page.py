"""The page as a browser takes it: our scripts run, nobody else's do, and it fits a phone."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from vod_migrate.report.html import render_html
from vod_migrate.report.model import (
    CallRates,
    Calls,
    FailureGroup,
    ReasonGroup,
    Report,
    RunFacts,
    Sample,
    ScanFacts,
    Setting,
)
from vod_migrate.report.rate_chart import rate_points
from vod_migrate.results.summary import RunCounts

BEGIN = dt.datetime(2026, 11, 21, 17, 0, tzinfo=dt.UTC)
HOSTILE = (
    "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">" + "long/" * 60
)


def hostile_report() -> Report:
    setting = (Setting(name="source.prefixes", value=HOSTILE),)
    run = RunFacts(
        run_id=HOSTILE, migration="interviews", bucket="media-archive", account=HOSTILE, mode="new", state="stopped",
        stop_code=HOSTILE, stop_message=HOSTILE, local_date=None, origin="airflow", dag_id=HOSTILE, dag_run_id=HOSTILE,
        started=BEGIN, finished=BEGIN + dt.timedelta(seconds=90), seconds=90, timezone="Asia/Shanghai", options=setting,
        settings=setting,
    )  # fmt: skip
    return Report(
        run=run,
        sentence="Stopped after 2 min.",
        counts=RunCounts(discovered=100, registered=60, failed=20, pending=10, left_out={HOSTILE: 10}),
        calls=Calls(ok=80, throttled=3, transient=1, files=800),
        rates=CallRates(
            begin=BEGIN,
            width=1,
            points=rate_points([(n, 40, n % 3, 0) for n in range(90)], width=1, span=89.5),
            account_rate=47,
            cap=None,
            documented=50,
        ),
        failures=(
            FailureGroup(
                code=HOSTILE,
                count=20,
                samples=(Sample(key=HOSTILE, message=HOSTILE, request_id=HOSTILE),),
            ),
        ),
        left_out=(ReasonGroup(reason=HOSTILE, count=10),),
        scans=(
            ScanFacts(
                kind="prefix",
                prefix=HOSTILE,
                state="failed",
                pages=1,
                listed=100,
                error_code=HOSTILE,
                error=HOSTILE,
                seconds=None,
            ),
        ),
        prefixes=1,
        prefixes_failed=1,
        previous=None,
    )


def page_of(report: Report, folder: Path) -> Path:
    file = folder / "report.html"
    file.write_text(render_html(report, tables=("a.csv", "b.csv")), encoding="utf-8")
    return file


def test_the_policy_names_every_script_and_style_of_the_page_and_nothing_is_fetched(tmp_path: Path) -> None:
    tree = html.parse(str(page_of(hostile_report(), tmp_path))).getroot()
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    inline = tree.xpath("//style | //script[not(@type)]")
    assert len(inline) == 3
    for element in inline:
        digest = hashlib.sha256(element.text.encode()).digest()
        assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "unsafe" not in policy
    assert tree.xpath("//@src | //link | //*[@style] | //@*[starts-with(name(), 'on')]") == []
    assert tree.xpath("//a/@href") == ["a.csv", "b.csv"]


def test_a_run_without_calls_has_a_page_without_scripts(tmp_path: Path) -> None:
    report = hostile_report()
    rates = dataclasses.replace(report.rates, begin=None, points=())
    tree = html.parse(str(page_of(dataclasses.replace(report, rates=rates, calls=Calls()), tmp_path))).getroot()
    assert tree.xpath("//script") == []
    assert "No call was sent." in tree.text_content()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_the_chart_is_drawn_no_foreign_script_runs_and_nothing_overflows(
    browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    file = page_of(hostile_report(), tmp_path)
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(file.as_uri())
    page.wait_for_selector("#chart canvas")
    drawn = page.locator("#chart canvas").bounding_box()
    page.hover("#chart .u-over")
    readout = page.locator("#readout").inner_text()
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    title = page.title()
    page.close()
    assert told == []
    assert title == "interviews, 2026-11-22: stopped"
    assert "40 accepted" in readout
    assert drawn["width"] > width / 2
    assert overflow == 0
