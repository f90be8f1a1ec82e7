"""A running `visualsearch dev` on a demo, and a browser to look at it with; both shared by all tests of a worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.command_line import finished_demo
from tests.running_ui import RunningUi, free_port, start_dev

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        message = "Chromium is not installed: scripts/install-system-packages does it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUi]:
    demo = finished_demo(tmp_path_factory).copied_to(tmp_path_factory.mktemp("ui"))
    with start_dev(demo, port=free_port()) as running:
        yield running


@pytest.fixture
def page(browser: Browser, ui: RunningUi) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1500, "height": 1000}, base_url=ui.url)
    page.set_default_timeout(30_000)
    yield page
    page.close()
