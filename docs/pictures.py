"""`make pictures`: every page inside Airflow as a picture, in both themes and both widths, from a real run on the sandbox."""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
WIDTHS = {"wide": 1280, "narrow": 400}
THEMES = ("light", "dark")

PAGES = {
    "run": "dags/vod_backfill__interviews/runs/night_3",
    "running": "dags/vod_backfill__podcasts/runs/tonight",
    "dag": "dags/vod_backfill__interviews",
    "compare": "compare?run={run_id}",
    "migrations": "migrations",
    "migration": "migration?name=interviews&account=default",
    "objects": "objects?state=failed",
    "object": "object?account=default&bucket=interviews-archive&key=2026%2Fepisode%200013.mp4",
}
"""Name of the picture: path below the app. run_id: of the last night."""

NIGHTS = 3
SEEN_AT_WORK = 1_000

MIGRATIONS: dict[str, dict[str, Any]] = {
    "interviews": {},
    "podcasts": {"register": {"calls_per_second": 12}},
}


def main() -> None:
    """Writes docs/pictures/*.png."""
    sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("browser", "support")]
    from airflow_stage import staged  # noqa: PLC0415 - of the tests
    from chromium import chromium  # noqa: PLC0415 - of the tests
    from databases import postgres_of_the_session  # noqa: PLC0415 - of the tests
    from looking import looking  # noqa: PLC0415 - of the browser tests

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vod-pictures-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with (
            postgres_of_the_session() as databases,
            staged(Path(folder), databases, MIGRATIONS) as stage,
            chromium() as browser,
        ):
            _play(stage)
            run_id = stage.run_id("interviews", f"night_{NIGHTS}")
            for name, theme, width in product(PAGES, THEMES, WIDTHS):
                size = {"width": WIDTHS[width], "height": 860}
                with looking(browser, stage, "admin", color_scheme=theme, viewport=size) as found:
                    page = found.open(PAGES[name].format(run_id=run_id))
                    _take(page, FOLDER / f"{name}-{theme}-{width}.png")
            with looking(browser, stage, "admin", locale="zh-CN", viewport={"width": 1280, "height": 860}) as found:
                frame = found.open_tab("interviews", "night_3")
                frame.locator("#chart canvas").wait_for()
                _take(found.page, FOLDER / "airflow-chinese.png")


def _play(stage: Any) -> None:
    """Three nights of one migration, the last with throttling and failures; and one that is at work."""
    from waiting import wait_for  # noqa: PLC0415 - of the tests

    sandbox = stage.sandbox
    for name in MIGRATIONS:
        sandbox.add_bucket(f"{name}-archive")
    for night in range(1, NIGHTS + 1):
        for number in range(500 * night):
            sandbox.put("interviews-archive", f"{2023 + night}/episode {number:04}.mp4")
        if night == NIGHTS:
            sandbox.fault("fail_files", api="RegisterMedia", key="*13.mp4")
            sandbox.fault("throttle", api="RegisterMedia", rate=0.15, count=40)
        stage.start("interviews", f"night_{night}")
        stage.end("interviews", f"night_{night}")
    sandbox.clear_faults()
    sandbox.generate("podcasts-archive", 100_000, dirt=0.2)
    stage.start("podcasts", "tonight")
    wait_for(lambda: len(sandbox.truth("podcasts-archive")) > SEEN_AT_WORK, "it registers")


def _take(page: Any, file: Path) -> None:
    page.wait_for_selector("h1, iframe")
    page.wait_for_timeout(1_500)
    page.screenshot(path=str(file))
    print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
