"""The pages in a real Airflow, as people use them. They share the Airflow of tests/dags."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from airflow_migrations import SLOW_OBJECTS
from airflow_stage import Stage
from looking import Looking, an_object, looking, sign_in
from payloads import HOSTILE
from pyarrow import parquet
from waiting import wait_for

from vod_migrate.report.text_format import visible
from vod_migrate.results.csv_tables import unguarded

FORMULA = re.compile("^\\s*'*[=+\\-@\\t\\r\uff1d\uff0b\uff0d\uff20]")


@pytest.fixture
def admin(browser: Any, stage: Stage) -> Iterator[Looking]:
    with looking(browser, stage, "admin") as found:
        yield found
        assert found.told == []
        assert found.violations() == []


def shown(frame: Any, kind: str) -> int:
    """The number on one of the cards."""
    return int(frame.locator(f".card.{kind} strong").inner_text().replace(",", ""))


def recorded(stage: Stage, name: str, dag_run_id: str) -> dict[str, int]:
    query = """select outcome, sum(objects)::bigint from vod_migrate.counts join vod_migrate.runs using (run_no)
               where dag_id = %s and dag_run_id = %s group by outcome having sum(objects) > 0"""
    return dict(stage.rows(query, f"vod_backfill__{name}", dag_run_id))


def confirm(frame: Any) -> None:
    frame.locator("#confirm-yes").click()


@pytest.mark.smoke
def test_the_tab_of_a_run_shows_the_numbers_of_the_results_table(browser: Any, stage: Stage) -> None:
    with looking(browser, stage, None) as nobody:
        sign_in(nobody, "admin", then="/dags/vod_backfill__interviews/runs/night_1/plugin/vod-report")
        frame = nobody.frame()
        outcomes = recorded(stage, "interviews", "night_1")
        assert shown(frame, "registered") == outcomes["registered"] > 400
        assert shown(frame, "failed") == outcomes["failed"] > 0
        assert shown(frame, "registered") == len(stage.sandbox.truth("interviews-archive"))
        frame.locator("#chart canvas").wait_for()
        nobody.page.get_by_text("Browse", exact=True).click()
        icon = nobody.page.get_by_role("menuitem", name="VOD migrations").locator("img")
        assert icon.evaluate("image => image.complete && image.naturalWidth > 0")
        assert nobody.violations() == []


def test_theme_and_language_follow_the_choices_made_in_airflow(admin: Looking) -> None:
    frame = admin.open_tab("interviews", "night_1")
    light = frame.locator("body").evaluate("element => getComputedStyle(element).backgroundColor")
    title = frame.locator("h1").inner_text()
    assert "registered" in title

    admin.page.get_by_text("User", exact=True).click()
    admin.page.get_by_role("menuitem", name="Appearance").hover()
    admin.page.locator("[role^=menuitem]", has_text="Dark Mode").click()
    frame.locator("html[data-theme=dark]").wait_for()
    assert frame.locator("body").evaluate("element => getComputedStyle(element).backgroundColor") != light

    admin.page.keyboard.press("Escape")
    admin.page.get_by_text("User", exact=True).click()
    admin.page.get_by_role("menuitem", name="Select Language").click()
    admin.page.get_by_role("dialog").locator("input").fill("zh-CN")
    admin.page.keyboard.press("Enter")
    frame.locator("html[lang=zh-CN]").wait_for()
    assert "已注册" in frame.locator("h1").inner_text()
    assert "Asia/Shanghai" in frame.locator(".when").inner_text()


RESUMED = "select dag_run_id from vod_migrate.runs where dag_id = 'vod_backfill__slow' and dag_run_id <> 'live'"


def test_a_running_migration_advances_without_reload_pauses_and_goes_on(admin: Looking, stage: Stage) -> None:
    stage.start("slow", "live")
    wait_for(lambda: recorded(stage, "slow", "live").get("registered", 0) > 20, "it registers")
    frame = admin.open_tab("slow", "live")
    frame.locator("html").evaluate("() => { window.never_reloaded = true; }")
    frame.locator("#settings summary").click()
    first = shown(frame, "registered")
    tops = "() => [...document.querySelectorAll('h2')].map((one) => Math.round(one.getBoundingClientRect().top))"
    before = frame.locator("html").evaluate(tops)

    wait_for(lambda: shown(frame, "registered") > first, "the number grows on the page")
    assert frame.locator("html").evaluate("() => window.never_reloaded")
    assert frame.locator("#settings").evaluate("one => one.open"), "what a person opened stays open"
    assert frame.locator("html").evaluate(tops) == before, "nothing jumps"
    assert 0 < float(frame.locator("progress").get_attribute("value")) < 1

    frame.locator("#pause").click()
    confirm(frame)
    frame.locator(".pill.paused").wait_for()
    assert "paused by admin" in frame.locator(".alert").inner_text()
    left = shown(frame, "waiting")
    assert left > 0
    assert len(stage.sandbox.truth("slow-archive")) + left == SLOW_OBJECTS
    stage.end("slow", "live")

    stage.sandbox.settings(latency_ms=0)
    frame.locator("#resume").click()
    confirm(frame)
    link = frame.locator("#notice a")
    link.wait_for()
    wait_for(lambda: stage.rows(RESUMED), "the resumed run is there")
    link.click()
    admin.frame().locator(".pill.running").first.wait_for()
    assert "/runs/manual__" in admin.page.url


def test_cancelling_ends_a_run_and_its_rest_can_be_discarded(admin: Looking, stage: Stage) -> None:
    wait_for(lambda: stage.rows(RESUMED), "the resumed run is there")
    [(dag_run_id,)] = stage.rows(RESUMED)
    frame = admin.open_tab("slow", dag_run_id)
    frame.locator("#cancel").click()
    assert frame.locator("#confirm").evaluate("one => one.open")
    confirm(frame)
    frame.locator(".pill.cancelled").wait_for()
    left = shown(frame, "waiting")
    assert left > 0
    stage.end("slow", dag_run_id)
    frame = admin.open_tab("slow", dag_run_id)
    frame.locator("#discard").click()
    confirm(frame)
    frame.locator("#notice", has_text=f"{left:,} objects were discarded.").wait_for()
    stage.assert_nothing_is_held("slow-archive")
    assert admin.open_tab("slow", dag_run_id).locator("#discard, #resume").count() == 0


def test_a_group_of_failures_is_sent_again_and_registered(admin: Looking, stage: Stage) -> None:
    failed = (
        "select key from vod_migrate.objects join vod_migrate.sources using (source_id) "
        "where bucket = 'interviews-archive' and not registered and code = 'file_refused'"
    )
    unsent = (
        "select key from vod_migrate.objects join vod_migrate.sources using (source_id) "
        "where key = any(%s) and bucket = 'interviews-archive' and not registered"
    )
    keys = [key for (key,) in stage.rows(failed)]
    assert keys
    for key in keys:
        stage.sandbox.put("interviews-archive", key)
    frame = admin.open_tab("interviews", "night_1")
    frame.locator("#failure-object_missing button[data-order]").click()
    frame.locator("#change").fill("describe.titel=again")
    confirm(frame)
    frame.locator("#change-refused", has_text="did you mean 'title'?").wait_for()
    admin.told.clear()  # the browser itself remarks on the status 422
    frame.locator("#change").fill("describe.title=again {{ stem }}\n\nregister.generate_thumbnail=true")
    confirm(frame)
    frame.locator("#notice a").wait_for()
    wait_for(lambda: not stage.rows(unsent, keys), "all of them are registered")
    assert set(keys) <= set(stage.sandbox.truth("interviews-archive"))
    changed = ["describe.title=again {{ stem }}", "register.generate_thumbnail=true"]
    assert stage.rows("select options -> 'settings' from vod_migrate.runs where options ? 'settings'") == [(changed,)]
    title = (
        "select sent ->> 'Title' like 'again %%' from vod_migrate.objects join vod_migrate.sources using (source_id) "
        "where key = %s and bucket = 'interviews-archive' and registered"
    )
    assert stage.rows(title, keys[0]) == [(True,)]
    parent = stage.run_id("interviews", "night_1")
    frame = admin.open_tab("interviews", "night_1")
    assert "register.generate_thumbnail=true" in frame.locator("#related").inner_text()
    frame.locator("#related a").first.click()
    frame.locator("#related a", has_text=parent).wait_for()


def test_a_page_says_what_is_known_about_failures_and_looks_at_those_that_nobody_examined(
    admin: Looking, stage: Stage
) -> None:
    run_id = stage.run_id("hostile", "night_1")
    forgotten = stage.rows(
        "delete from vod_migrate.diagnoses d using vod_migrate.runs r where r.run_no = d.run_no and run_id = %s returning key",
        run_id,
    )
    assert len(forgotten) == len(HOSTILE) / 2
    frame = admin.open_tab("hostile", "night_1")
    group = frame.locator("#failure-file_refused h3")
    assert "not examined" in group.inner_text()
    group.get_by_role("button", name="Find out why").click()
    assert f"Examines {len(forgotten)} objects" in frame.locator("#confirm-detail").inner_text()
    confirm(frame)
    frame.locator("#notice", has_text=f"Examined: {len(forgotten)}.").wait_for()
    frame.locator("#failure-file_refused .pill", has_text=re.compile("^examined$")).wait_for()
    assert group.get_by_role("button", name="Find out why").count() == 0

    stage.rows(
        "update vod_migrate.diagnoses d set cause = 'url_encoding', certain = false from vod_migrate.runs r "
        "where r.run_no = d.run_no and run_id = %s returning key",
        run_id,
    )
    frame = admin.open_tab("hostile", "night_1")
    assert "cause is likely" in frame.locator("#failure-url_encoding h3").inner_text()
    frame.locator("#failure-url_encoding button[data-order]").click()
    assert frame.locator("#change").input_value() == "register.url_encoding=raw", "what mends it is proposed"


def test_every_file_can_be_downloaded_and_holds_what_the_page_says(admin: Looking, stage: Stage) -> None:
    frame = admin.open_tab("hostile", "night_1")
    outcomes = recorded(stage, "hostile", "night_1")
    files = {}
    for link in frame.locator(".actions .files a").all():
        with admin.page.expect_download() as waiting:
            link.click()
        files[waiting.value.suggested_filename.split(".", 1)[1]] = waiting.value.path().read_bytes()
    assert sorted(files) == ["failures.csv", "html", "mapping.csv", "mapping.parquet"]

    failures = list(csv.DictReader(io.StringIO(files["failures.csv"].decode("utf-8-sig"))))
    mapping = list(csv.DictReader(io.StringIO(files["mapping.csv"].decode("utf-8-sig"))))
    assert {unguarded(row["key"]) for row in failures + mapping} == set(HOSTILE)
    assert len(failures) == outcomes["failed"] == len(HOSTILE) / 2
    truth = {key: one.media_id for key, one in stage.sandbox.truth("hostile-archive").items()}
    assert {unguarded(row["key"]): row["media_id"] for row in mapping} == truth
    cells = [cell for row in failures + mapping for cell in row.values()]
    assert [cell for cell in cells if FORMULA.match(cell) and not cell.startswith("'")] == []

    table = parquet.read_table(io.BytesIO(files["mapping.parquet"]))
    assert dict(zip(table["key"].to_pylist(), table["media_id"].to_pylist(), strict=True)) == truth
    assert b"Content-Security-Policy" in files["html"]


def test_hostile_keys_and_titles_are_shown_and_never_run(admin: Looking, stage: Stage) -> None:
    frame = admin.open_tab("hostile", "night_1")
    frame.locator("body").evaluate("body => body.querySelectorAll('details').forEach((one) => { one.open = true; })")
    samples = frame.locator(".samples .name").all_inner_texts()
    assert len(samples) >= 5
    shown_keys = {visible(key) for key in HOSTILE}
    assert {one for one in samples if one.endswith(".mp4")} <= shown_keys, "exactly as they are, and nothing else"
    assert admin.page.title() != "taken"
    assert frame.locator("script:not([src]):not([type='application/json'])").count() == 0
    assert admin.violations() == []

    page = admin.open(f"runs/{stage.run_id('hostile', 'night_1')}")
    page.wait_for_selector("h1")
    assert page.title() == "hostile: succeeded"
    for key in HOSTILE[::4]:
        admin.open(f"objects?{urlencode({'q': key, 'migration': 'hostile'})}")
        found = page.get_by_role("link", name=visible(key), exact=True)
        found.click()
        page.wait_for_url("**/object?*")
        assert visible(key) in page.locator("main").inner_text()
        assert page.title() != "taken"
        assert admin.violations() == []


def test_tables_are_filtered_and_sorted_by_their_address_and_live_parts_keep_what_is_being_typed(
    admin: Looking,
) -> None:
    page = admin.open("dags/vod_backfill__interviews")
    page.wait_for_selector("#runs-filter")
    page.select_option("[name=mode]", "new")
    page.select_option("[name=order]", "oldest")
    morph = """async () => {
        const text = await (await fetch(location.href)).text();
        const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("#live").innerHTML;
        Idiomorph.morph(document.querySelector("#live"), fresh, { morphStyle: "innerHTML" });
    }"""
    page.evaluate(morph)
    assert page.input_value("[name=mode]") == "new"
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/vod_backfill__interviews?state=&mode=new&order=oldest")
    assert page.input_value("[name=order]") == "oldest"
    assert {row.locator("td").nth(1).inner_text() for row in page.locator(".runs tbody tr").all()} == {"new"}

    page = admin.open("objects?migration=hostile")
    forwards = page.locator(".objects tbody th").all_inner_texts()
    page.locator("a.sort").click()
    page.locator("th[aria-sort=descending]").wait_for()
    assert page.locator(".objects tbody th").all_inner_texts() == forwards[::-1]
    assert len(forwards) == len(HOSTILE)

    page = admin.open("migrations?q=HOST")
    assert page.locator(".migrations tbody th").all_inner_texts() == ["hostile"]


@pytest.mark.parametrize("width", [1280, 400])
def test_every_table_that_is_whole_is_sorted_by_any_column_with_the_keyboard_and_keeps_its_filter(
    browser: Any, stage: Stage, width: int
) -> None:
    with looking(browser, stage, "admin", viewport={"width": width, "height": 900}) as found:
        page = found.open("migrations?q=s")
        page.wait_for_selector(".migrations thead button.sort")
        objects = page.get_by_role("button", name="Objects", exact=True)
        objects.focus()
        for direction, largest in (("descending", 0), ("ascending", -1)):
            page.keyboard.press("Enter")
            page.locator(f"th[aria-sort={direction}]", has_text="Objects").wait_for()
            numbers = page.locator(".migrations td:nth-child(3)").evaluate_all(
                "cells => cells.map((one) => Number(one.textContent.replace(',', '')))"
            )
            assert numbers[largest] == max(numbers)
            assert numbers == sorted(numbers, reverse=direction == "descending")
        assert objects.evaluate("one => one === document.activeElement")
        assert page.url.endswith("?q=s")

        page = found.open(f"runs/{stage.run_id('hostile', 'night_1')}")
        page.wait_for_selector("table.numbers button.sort")
        tables = page.locator("main table").all()
        assert len(tables) >= 2
        for table in tables:
            assert table.locator("thead button.sort").count() == table.locator("thead th").count() or (
                table.locator("tbody tr").count() < 2
            )
        names = "all => all.map((one) => one.dataset.name)"
        failures = page.locator("article.failure")
        if failures.count() > 1:
            page.locator("[data-failures-by=name]").click()
            assert failures.evaluate_all(names) == sorted(failures.evaluate_all(names))
            assert page.locator("[data-failures-by=name]").get_attribute("aria-pressed") == "true"
        assert found.told == []
        assert found.violations() == []
        assert found.axe(page) == []


@pytest.mark.parametrize("allowed", [True, False])
def test_a_key_is_copied_exactly_with_the_keyboard_also_where_a_page_has_no_clipboard(
    browser: Any, stage: Stage, *, allowed: bool
) -> None:
    key = "\u202egpm.exe.mp4"
    with looking(browser, stage, "admin", permissions=["clipboard-read", "clipboard-write"]) as found:
        if not allowed:
            found.page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('denied'));")
        # The first page reads language and zone, and is loaded again.
        found.open("migrations").wait_for_selector("h1")
        page = found.open(f"object?{urlencode({'account': 'default', 'bucket': 'hostile-archive', 'key': key})}")
        button = page.get_by_role("button", name="Copy the key")
        button.focus()
        page.keyboard.press("Enter")
        if allowed:
            page.locator("#spoken", has_text="Copied.").wait_for(state="attached")
        else:
            page.locator("#notice", has_text="press Ctrl+C").wait_for()
            page.keyboard.press("Control+c")
            page.locator("#notice").wait_for(state="hidden")
            assert button.evaluate("one => one === document.activeElement")
        assert page.evaluate("navigator.clipboard.readText()") == key


def test_a_console_opens_in_a_tab_of_its_own_from_within_airflow(admin: Looking) -> None:
    admin.page.context.route("https://*.console.aliyun.com/**", lambda route: route.fulfill(body="the console"))
    frame = admin.open_tab("hostile", "night_1")
    frame.locator(".samples a").first.click()
    with admin.page.expect_popup() as opened:
        frame.get_by_role("link", name="Folder in the OSS console").click()
    assert opened.value.url.startswith("https://oss.console.aliyun.com/bucket/oss-cn-shanghai/hostile-archive/object")
    assert opened.value.evaluate("window.opener") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_no_page_has_serious_accessibility_violations_or_overflows(
    browser: Any, stage: Stage, theme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with looking(browser, stage, "admin", color_scheme=theme, viewport=size) as found:
        for path in (
            "dags/vod_backfill__interviews/runs/night_1",
            "dags/vod_backfill__hostile/runs/night_1",
            "dags/vod_backfill__interviews",
            "dags/vod_example_group",
            "dags/vod_backfill__interviews/runs/nothing",
            "migrations",
            "migration?name=interviews&account=default",
            f"compare?run={stage.run_id('interviews', 'night_1')}&other={stage.run_id('hostile', 'night_1')}",
            "objects?state=failed",
            f"object?{an_object(stage, 'hostile-archive')}",
        ):
            page = found.open(path)
            page.wait_for_selector("h1")
            assert found.axe(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_database_being_away_is_said_on_the_page_which_comes_back_by_itself(admin: Looking, stage: Stage) -> None:
    page = admin.open("dags/vod_backfill__interviews/runs/night_1")
    page.wait_for_selector(".cards")
    with stage.databases.away(stage.results_url):
        page.goto(page.url)
        page.wait_for_selector(".trouble")
        assert "does not respond" in page.locator("h1").inner_text()
    page.wait_for_selector(".cards")
    admin.told.clear()  # the browser itself remarks on the status 503


def test_a_viewer_is_offered_no_action(browser: Any, stage: Stage) -> None:
    with looking(browser, stage, "viewer") as found:
        frame = found.open_tab("interviews", "night_1")
        assert frame.locator(".actions button, .failure h3 button").count() == 0


def test_the_objects_of_a_migration_are_transferred_by_whoever_may_change_both(admin: Looking, stage: Stage) -> None:
    owned = "select count(*) from vod_migrate.objects join vod_migrate.migrations using (migration_id) where migrations.name = %s"
    [(before,)] = stage.rows(owned, "interviews")
    [(others,)] = stage.rows(owned, "hostile")
    assert before > 400
    page = admin.open("migration?name=interviews&account=default")
    page.locator(".transfer summary").click()
    page.locator("select[name=new]").select_option("hostile")
    page.locator(".transfer button").click()
    confirm(page)
    page.locator("#notice", has_text=f"{before:,} objects were transferred.").wait_for()
    assert stage.rows(owned, "hostile") == [(before + others,)]
    page.goto(page.url)
    assert page.locator(".card.registered strong").inner_text() == "0"
