"""The page with queries about private images and the public library, as its reader sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.report.conftest import OpenPage
from tests.report.library_sample import PHOTOS, POSTS, Post, make_library_sample
from tests.report.report_reading import missing_files, shown_data
from tests.sample_warehouse import HITS, SampleWarehouse
from visualsearch_pipeline.report import write_report


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> SampleWarehouse:
    return make_library_sample(tmp_path_factory.mktemp("libraries"))


@pytest.fixture(scope="session")
def library_report(libraries: SampleWarehouse) -> Path:
    destination = libraries.folder / "state" / "report"
    report = write_report(libraries.database_path, destination, archive_root=str(libraries.archive))
    assert (report.hits, report.hits_total) == (17, 17)
    return destination


def card(page: Page, label: str) -> Locator:
    return page.get_by_role("button", name=label, exact=True)


def names(page: Page) -> list[str]:
    return sorted(page.locator(".card .name").all_inner_texts())


def test_images_are_cards_with_their_picture_name_score_and_day(open_page: OpenPage, library_report: Path) -> None:
    page = open_page(library_report, height=4000, at="#library=image")
    late = card(page, "red_photos: parked.png, score 0.71, 2 Mar 2026, new")
    expect(late.locator(".badge.new")).to_be_visible()
    expect(late.locator(".badge.when")).to_have_count(0)
    shown = card(page, "red_photos: holidays/50%41 red car #1?.jpg, score 0.93, 2 Mar 2026").locator("img")
    shown.evaluate("(image) => image.decode()")
    assert shown.evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [400, 267]
    gone = card(page, "red_photos: gone.png, score 0.42, 2 Mar 2026")
    expect(gone.locator(".placeholder")).to_be_visible()
    expect(page.locator("#count")).to_have_text("3 of 17 hits")


def test_public_hits_are_cards_with_platform_creator_title_time_score_and_the_day_of_asking(
    open_page: OpenPage, library_report: Path
) -> None:
    page = open_page(library_report, height=4000, at="#library=public")
    disco = card(page, "trend: Kitchen disco, TikTok, at 0:02 to 0:05.5, score 0.88, amy.cooks · asked 5 Mar 2026")
    expect(disco.locator(".placeholder")).to_have_text("TikTok")
    expect(disco.locator(".day")).to_have_text("amy.cooks · asked 5 Mar 2026")
    post = page.get_by_role("link", name="Kitchen disco: open the post on TikTok").first
    expect(post).to_have_attribute("href", "https://www.tiktok.com/@amy.cooks/video/1")
    expect(post).to_have_attribute("rel", "noopener noreferrer")
    unknown = card(page, "trend: as the service names 3, Instagram, at 0:02 to 0:05.5, score 0.35, asked 5 Mar 2026")
    expect(unknown).to_be_visible()
    assert page.get_by_role("link", name="open the post").count() == 3
    expect(page.locator(".card .words").filter(has_text="It lasts two years, they said.")).to_be_visible()
    assert "Not there any more" not in names(page), "only what the last answer had is shown"


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("#library=image", ["gone.png", "holidays/50%41 red car #1?.jpg", "parked.png"]),
        ("#query=street%2Ftrend&score=0.6", ["Kitchen disco", "Sunday dance"]),
        ("#day=2026-03-05", ["Kitchen disco", "Kitchen disco", "Sunday dance", "as the service names 3"]),
        ("#new=1", ["Sunday dance", "parked.png", "shop floor.mp4"]),
        ("#find=tiktok+amy", ["Kitchen disco", "Kitchen disco"]),
        ("#find=canon+red", ["gone.png", "holidays/50%41 red car #1?.jpg", "parked.png"]),
    ],
)
def test_filters_and_search_know_all_libraries(
    open_page: OpenPage, library_report: Path, at: str, expected: list[str]
) -> None:
    page = open_page(library_report, height=4000, at=at)
    assert names(page) == expected
    expect(page.locator("#count")).to_have_text(f"{len(expected)} of 17 hits")


def test_the_choice_of_a_library_leaves_its_queries_to_choose_from(open_page: OpenPage, library_report: Path) -> None:
    page = open_page(library_report, height=4000)
    expect(page.get_by_text("17 hits of 7 queries in 6 videos and 4 images, and in the public library")).to_be_visible()
    page.get_by_role("combobox", name="Found in").select_option("Public library")
    queries = page.get_by_role("combobox", name="Query", exact=True).locator("option")
    assert queries.all_inner_texts() == ["All queries", "claim", "trend"]
    page.get_by_role("combobox", name="Sort").select_option("Name")
    assert page.locator(".card .name").all_inner_texts()[1:] == [
        "as the service names 3",
        "Kitchen disco",
        "Sunday dance",
    ]
    assert "library=public" in page.url


def test_the_keyboard_goes_through_all_libraries_and_the_large_view_shows_each_as_it_is(
    open_page: OpenPage, library_report: Path
) -> None:
    page = open_page(library_report, at="#find=car&library=image")
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="holidays/50%41 red car #1?.jpg")
    large = dialog.get_by_role("img", name="holidays/50%41 red car #1?.jpg")
    large.evaluate("(image) => image.decode()")
    assert large.evaluate("(image) => image.naturalWidth") == 1200, "the source's own file, not the small picture"
    expect(dialog.get_by_role("button", name="Play the hit again")).to_be_hidden()
    opened = str(dialog.get_by_role("link", name="Open the file").get_attribute("href"))
    assert opened.endswith(f"/footage/{quote(PHOTOS[0].name)}")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reset").click()
    page.keyboard.press("/")
    page.keyboard.type("disco")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Kitchen disco")
    facts = "TikTok · amy.cooks · 0:02–0:05.5 · score 0.88 · asked 5 Mar 2026 · street / trend · PI-001"  # noqa: RUF001  as it is set
    expect(dialog.locator(".facts")).to_have_text(facts)
    expect(dialog.get_by_role("link", name="Open the post")).to_have_attribute(
        "href", "https://www.tiktok.com/@amy.cooks/video/1"
    )
    page.keyboard.press("ArrowLeft")
    expect(dialog.locator(".words")).to_have_text("It lasts two years, they said.")
    page.keyboard.press("Escape")
    focused = "document.activeElement.querySelector('.words')?.textContent"
    page.wait_for_function(f"(words) => {focused} === words", arg="It lasts two years, they said.")


def test_what_cannot_be_shown_large_says_why(open_page: OpenPage, library_report: Path) -> None:
    page = open_page(library_report, height=4000, expected="Failed to load resource: net::ERR_FILE_NOT_FOUND")
    page.get_by_role("button", name="red_photos: gone.png").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot show the file, or it is not there any more")
    expect(page.get_by_role("dialog").locator(".placeholder")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="trend: as the service names 3").click()
    expect(page.get_by_role("alert")).to_have_text("The address of its post is not known.")
    expect(page.get_by_role("dialog").get_by_role("link")).to_have_count(0)


def test_coverage_and_changes_tell_of_images_and_of_the_days_of_asking(
    open_page: OpenPage, library_report: Path
) -> None:
    page = open_page(library_report)
    page.get_by_role("tab", name="Coverage").click()
    rows = page.get_by_role("table", name="Coverage by query").locator("tbody tr").all_inner_texts()
    told = {cells[0]: (cells[1], cells[3]) for cells in (row.split("\t") for row in rows)}
    assert told["street / red_photos"] == ("text in images", "3 of 4 images")
    assert told["street / trend"] == ("text in public videos", "asked 5 Mar 2026")
    assert told["street / logo"] == ("image", "5 of 6 videos")
    expect(page.get_by_role("progressbar", name="red_photos: 3 of 4 images searched")).to_be_visible()
    page.get_by_role("tab", name="Changes").click()
    panel = page.get_by_role("tabpanel", name="Changes")
    expect(panel.locator("h2")).to_have_text(["New hits (3)", "Gone hits (2)"])
    changes = [row.split("\t")[:4] for row in panel.locator("tbody tr").all_inner_texts()]
    assert ["street / red_photos", "parked.png", "image", "0.71"] in changes
    assert ["street / trend", "Sunday dance", "public video", "0.67"] in changes
    assert ["street / trend", "Not there any more", "public video", "0.50"] in changes


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), pytest.param(1280, "light", marks=pytest.mark.soak)])
def test_no_width_needs_scrolling_sideways_or_hides_a_link(
    open_page: OpenPage, library_report: Path, width: int, scheme: str
) -> None:
    page = open_page(library_report, width=width, height=900, scheme=scheme, at="#library=public")
    link = page.get_by_role("link", name="open the post").first
    box, frame = link.bounding_box(), page.locator(".card").first.locator(".picture").bounding_box()
    assert box is not None
    assert frame is not None
    assert frame["x"] <= box["x"]
    assert frame["y"] <= box["y"]
    assert box["y"] + box["height"] <= frame["y"] + frame["height"]
    for tab in ("Changes", "Coverage", "Hits"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab


HOSTILE = """</script><img src=x onerror="alert(1)">'"& {{7*7}} \u202e"""


def test_what_people_post_is_shown_as_it_is_and_no_link_runs_anything(open_page: OpenPage, tmp_path: Path) -> None:
    posts = [
        replace(POSTS[0], title=HOSTILE, creator=HOSTILE, url="javascript:alert(1)"),
        replace(POSTS[1], url="data:text/html,<script>alert(1)</script>"),
        Post(9, HOSTILE, None, None, "https://example.org/?a=<b>&c=\"'", 0.2),
    ]
    sample = make_library_sample(tmp_path, posts=posts, hits=HITS[:1])
    write_report(sample.database_path, tmp_path / "report", archive_root=None)
    page = open_page(tmp_path / "report", height=4000, at="#library=public")
    assert HOSTILE in [name.evaluate("(name) => name.textContent") for name in page.locator(".card .name").all()]
    links = page.get_by_role("link", name="open the post")
    assert [link.get_attribute("href") for link in links.all()] == ["https://example.org/?a=<b>&c=\"'"]
    page.locator(".card").last.click()
    page.keyboard.press("Escape")
    assert page.evaluate("document.querySelectorAll('script:not([src]), img[src=x], [onerror]').length") == 0


def test_a_picture_is_made_of_the_very_bytes_that_were_found_or_not_at_all(tmp_path: Path) -> None:
    sample = make_library_sample(tmp_path, hits=())
    replaced = tmp_path / "footage" / PHOTOS[0].name
    Image.new("RGB", (90, 90), "green").save(replaced)
    report = write_report(sample.database_path, tmp_path / "report", archive_root=None)
    assert report.pictures == 1, "parked.png: the first was replaced in its place, the third is gone"
    assert missing_files(tmp_path / "report") == []
    hits, media = shown_data(tmp_path / "report", "hits"), shown_data(tmp_path / "report", "media")
    pictured = [media["name"][medium] for medium, name in zip(hits["medium"], hits["picture"], strict=True) if name]
    assert pictured == ["parked.png"]


def test_no_address_in_the_report_carries_parameters_of_the_service(library_report: Path) -> None:
    media = shown_data(library_report, "media")
    found = [link for link in media["link"] if link]
    assert [link for link in found if "://" in link and not link.startswith("file:///")] == []
    assert json.dumps(media).count("https://") == 2


@pytest.mark.soak
def test_ten_thousand_public_hits_stay_smooth(open_page: OpenPage, tmp_path: Path) -> None:
    count = 10_000
    posts = [
        Post(
            number,
            "tiktok",
            f"title {number}",
            "amy",
            f"https://www.tiktok.com/@amy/video/{number}",
            1 - number / count,
        )
        for number in range(1, count)
    ]
    sample = make_library_sample(tmp_path, posts=posts, hits=())
    assert write_report(sample.database_path, tmp_path / "report", archive_root=None).hits == count + 3
    page = open_page(tmp_path / "report", width=1900, height=2400)
    result = page.evaluate(
        """async () => {
            const seen = new Set();
            let most = 0;
            for (let top = 0; top < document.documentElement.scrollHeight; top += 0.9 * innerHeight) {
                scrollTo(0, top);
                await new Promise(requestAnimationFrame);
                const cards = document.querySelectorAll(".card");
                most = Math.max(most, cards.length);
                for (const card of cards) seen.add(card.querySelector(".name").textContent);
            }
            return {seen: seen.size, most};
        }"""
    )
    assert result["seen"] == count - 1 + 3
    assert result["most"] <= 150
