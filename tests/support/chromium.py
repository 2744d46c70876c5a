"""The browser that looks at pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright import sync_api


@contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's browser on the Chromium of this machine."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("this test needs Chromium: sudo apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
