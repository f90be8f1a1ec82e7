from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.report.conftest import OpenPage
from tests.sample_warehouse import QUERIES, VIDEOS, Hit, make_sample_warehouse
from visualsearch_pipeline.report import write_report

pytestmark = pytest.mark.soak

HITS = 10_000
IN_DOCUMENT = 150
"""Cards that may be in the document at once: some windows' worth, whatever there is."""


@pytest.fixture(scope="module")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    queries = list(QUERIES)
    hits = [
        Hit(
            queries[number % len(queries)],
            VIDEOS[number % 5].number,
            float(number),
            number + 1.0,
            round(1 - number / (2 * HITS), 5),
            text=f"words of hit {number}",
            pictured=False,
        )
        for number in range(HITS)
    ]
    sample = make_sample_warehouse(folder, hits=hits, media=False)
    assert write_report(sample.database_path, folder / "report", archive_root=None).hits == HITS
    return folder / "report"


def shown(page: Page) -> list[str]:
    return page.locator(".card .words").all_inner_texts()


def test_scrolling_through_ten_thousand_hits_shows_each_of_them_and_keeps_few(
    open_page: OpenPage, large_report: Path
) -> None:
    page = open_page(large_report, width=1900, height=2400)
    assert page.locator("#count").inner_text() == "10,000 hits"
    result = page.evaluate(
        """async () => {
            const seen = new Set();
            let most = 0, blank = 0;
            const frame = () => new Promise(requestAnimationFrame);
            for (let top = 0; top < document.documentElement.scrollHeight; top += 0.9 * innerHeight) {
                scrollTo(0, top);
                await frame();
                const cards = document.querySelectorAll(".card");
                most = Math.max(most, cards.length);
                if (!document.elementFromPoint(120, innerHeight / 2).closest(".gallery")) blank += 1;
                for (const card of cards) seen.add(card.querySelector(".words").textContent);
            }
            return {seen: seen.size, most, blank};
        }"""
    )
    assert result["seen"] == HITS
    assert result["most"] <= IN_DOCUMENT
    assert result["blank"] == 0


def test_the_keyboard_reaches_the_last_of_ten_thousand_hits(open_page: OpenPage, large_report: Path) -> None:
    page = open_page(large_report)
    page.locator(".card").first.focus()
    page.keyboard.press("End")
    focused = "(words) => document.activeElement.querySelector('.words')?.textContent === words"
    page.wait_for_function(focused, arg="words of hit 9996")  # the worst of the last query, street.red_truck
    box = page.locator(".card:focus").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 800
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("ArrowLeft")  # the focus is where it was, though the card was far out of sight
    page.wait_for_function(focused, arg="words of hit 9992")
    assert page.locator(".card").count() <= IN_DOCUMENT


def test_filtering_ten_thousand_hits_finds_the_right_ones(open_page: OpenPage, large_report: Path) -> None:
    page = open_page(large_report, height=4000)
    page.get_by_role("searchbox").fill("hit 123")
    numbers = {number for number in range(HITS) if "123" in str(number)}
    page.locator("#count").filter(has_text=f"{len(numbers)} of 10,000 hits").wait_for()
    assert {int(text.removeprefix("words of hit ")) for text in shown(page)} == numbers
    page.get_by_role("searchbox").fill("")
    page.get_by_role("slider").fill("0.99")
    page.locator("#count").filter(has_text="201 of 10,000 hits").wait_for()
