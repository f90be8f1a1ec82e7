"""A real browser that sees a report as its reader does: from a `file:` URL, with nothing else to load from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route

from tests.headless_browser import chromium
from tests.sample_warehouse import SampleWarehouse, make_sample_warehouse
from visualsearch_pipeline.report import write_report

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a report's page; at the end, nothing may have gone wrong in it and nothing may have left the machine."""
    problems: list[str] = []
    contexts = []

    def refuse(route: Route) -> None:
        problems.append(f"asked for {route.request.url}")
        route.abort()

    def open_report(
        report: Path,
        *,
        width: int = 1280,
        height: int = 800,
        scheme: Literal["light", "dark"] = "light",
        at: str = "",
        expected: str | None = None,
    ) -> Page:
        def note(line: ConsoleMessage) -> None:
            if line.type in {"error", "warning"} and line.text != expected:
                problems.append(line.text)

        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.route(lambda url: not url.startswith(("file:", "data:", "blob:")), refuse)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("console", note)
        page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
        page.goto(f"{(report / 'index.html').as_uri()}{at}")
        page.locator("#count").filter(has_text="hit").wait_for()
        return page

    yield open_report
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWarehouse:
    return make_sample_warehouse(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def report(sample: SampleWarehouse) -> Path:
    """The sample's report, where a project has it: beside the archive."""
    destination = sample.folder / "state" / "report"
    write_report(sample.database_path, destination, archive_root=str(sample.archive))
    return destination
