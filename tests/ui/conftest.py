"""A running `visualsearch dev` on a demo, and a browser to look at it with; both shared by all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.command_line import finished_demo
from tests.headless_browser import chromium
from tests.running_ui import RunningUi, free_port, start_dev


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


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
