from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.report.conftest import OpenPage
from tests.sample_warehouse import HITS, VIDEOS, Hit, SampleWarehouse, make_sample_warehouse
from visualsearch_pipeline.report import write_report

PLAYED = "() => document.querySelector('video')?.currentTime >= {seconds}"


def cards(page: Page) -> Locator:
    return page.locator(".card")


def select(form: Locator, field: str, value: str) -> None:
    form.get_by_role("combobox", name=field, exact=True).select_option(value)


def names(page: Page) -> list[str]:
    return page.locator(".card .name").all_inner_texts()


def expect_focus(page: Page, name: str) -> None:
    """The focus is on the card of the video `name`, or on what has this id."""
    focused = "(document.activeElement.querySelector('.name')?.textContent ?? document.activeElement.id)"
    page.wait_for_function(f"(name) => {focused} === name", arg=name)


def test_every_query_has_its_hits_with_picture_name_time_score_and_day(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, height=4000)
    assert page.locator(".row.header h2").all_inner_texts() == [
        "speech / says_warranty",
        "street / logo",
        "street / red_shirt",
        "street / red_truck",
    ]
    expect(cards(page)).to_have_count(10)
    expect(page.locator("#count")).to_have_text("10 hits")
    first = page.get_by_role("button", name="red_truck: gate.mp4, at 0:01 to 0:03, score 0.91, 2 Mar 2026")
    expect(first.locator(".badge.when")).to_have_text("0:01\u20130:03")
    expect(first.locator(".badge.score")).to_have_text("0.91")
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    assert page.evaluate("[...document.images].map((image) => image.naturalWidth > 100)") == [True] * 10


@pytest.mark.parametrize(
    ("choose", "expected"),
    [
        (lambda form: select(form, "Query set", "speech"), ["interview.mp4", "shop floor.mp4"]),
        (lambda form: select(form, "Query", "street/logo"), ["dock.mp4", "shop floor.mp4"]),
        (lambda form: select(form, "Day", "2026-03-03"), ["interview.mp4"] * 2 + ["yard/night.mp4"]),
        (lambda form: form.get_by_role("slider").fill("0.9"), ["dock.mp4", "gate.mp4"]),
        (lambda form: form.get_by_role("searchbox").fill("WATER"), ["interview.mp4"]),
        (lambda form: form.get_by_role("searchbox").fill("gopro truck gate"), ["gate.mp4"] * 2),
        (lambda form: form.get_by_role("checkbox", name="New in the last run").check(), ["shop floor.mp4"]),
    ],
    ids=["set", "query", "day", "score", "words", "words of several columns", "new"],
)
def test_filters_show_what_fits_and_a_reload_keeps_them(
    open_page: OpenPage, report: Path, choose: Callable[[Locator], object], expected: list[str]
) -> None:
    page = open_page(report, height=4000)
    choose(page.get_by_role("search"))
    expect(cards(page)).to_have_count(len(expected))
    assert sorted(names(page)) == expected
    expect(page.locator("#count")).to_have_text(f"{len(expected)} of 10 hits")
    page.reload()
    expect(cards(page)).to_have_count(len(expected))
    assert sorted(names(page)) == expected
    page.get_by_role("button", name="Reset").click()
    expect(cards(page)).to_have_count(10)
    assert "#" not in page.url


def test_sorting_orders_the_hits_of_each_query(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, height=4000, at="#query=street%2Fred_truck")
    by_score = ["gate.mp4", "yard/night.mp4", "gate.mp4", "dock.mp4", "shop floor.mp4"]
    assert names(page) == by_score
    for value, expected in {
        "newest": ["shop floor.mp4", "yard/night.mp4", "dock.mp4", "gate.mp4", "gate.mp4"],
        "oldest": ["dock.mp4", "gate.mp4", "gate.mp4", "yard/night.mp4", "shop floor.mp4"],
        "name": ["dock.mp4", "gate.mp4", "gate.mp4", "shop floor.mp4", "yard/night.mp4"],
    }.items():
        select(page.get_by_role("search"), "Sort", value)
        assert names(page) == expected
    page.get_by_role("searchbox").fill("nowhere to be found")
    expect(page.get_by_text("No hit fits these filters.")).to_be_visible()


def test_a_click_plays_the_archived_video_at_the_second_of_the_hit(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, height=4000)
    page.get_by_role("button", name="red_truck: yard/night.mp4").click()
    player = page.get_by_role("dialog", name="yard/night.mp4")
    expect(player.get_by_text("0:04\u20130:06 · score 0.83 · 3 Mar 2026 · street / red_truck")).to_be_visible()
    page.wait_for_function(PLAYED.format(seconds=4.0))
    source = player.locator("video").get_attribute("src")
    assert source == "../archive/videos/2026-03-03/VI000000000000000003.mp4#t=4"
    expect(player.get_by_role("link", name="Open the file")).to_have_attribute("href", source)
    player.get_by_role("button", name="Next").click()
    assert page.locator("#player-name").inner_text() == "gate.mp4"
    page.wait_for_function(PLAYED.format(seconds=2.0))


def test_archive_and_report_moved_together_still_play(
    open_page: OpenPage, sample: SampleWarehouse, report: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample.folder / "state", tmp_path / "another place & time #1" / "state")
    page = open_page(tmp_path / "another place & time #1" / "state" / "report")
    page.get_by_role("button", name="logo: dock.mp4").click()
    page.wait_for_function(PLAYED.format(seconds=1.0))


def test_a_video_that_is_not_archived_is_said_so_and_a_card_is_drawn(open_page: OpenPage, tmp_path: Path) -> None:
    late = Hit("street.logo", 7, 1.0, 2.0, 0.5, pictured=False)
    sample = make_sample_warehouse(tmp_path, hits=[late])
    write_report(sample.database_path, tmp_path / "report", archive_root=str(sample.archive))
    page = open_page(tmp_path / "report")
    expect(cards(page).locator(".placeholder")).to_be_visible()
    cards(page).click()
    expect(page.get_by_role("alert")).to_have_text("This video is not in the archive. Its source: /footage/late.mp4")
    expect(page.get_by_role("link", name="Open the file")).to_be_hidden()


def test_a_video_removed_from_the_archive_is_said_so(open_page: OpenPage, tmp_path: Path) -> None:
    sample = make_sample_warehouse(tmp_path, hits=HITS[:1])
    write_report(sample.database_path, tmp_path / "report", archive_root=str(sample.archive))
    shutil.rmtree(sample.archive)
    page = open_page(tmp_path / "report", expected="Failed to load resource: net::ERR_FILE_NOT_FOUND")
    cards(page).click()
    expect(page.get_by_role("alert")).to_contain_text("cannot play the file, or it is not there any more")


def test_everything_can_be_done_with_the_keyboard(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, at="#sort=name")
    page.keyboard.press("/")
    page.keyboard.type("street")
    page.keyboard.press("ArrowDown")
    expect_focus(page, "dock.mp4")
    page.keyboard.press("ArrowRight")
    expect_focus(page, "shop floor.mp4")
    page.keyboard.press("ArrowDown")
    expect_focus(page, "interview.mp4")  # down goes over the header to the next row
    page.keyboard.press("End")
    expect_focus(page, "yard/night.mp4")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="dock.mp4")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name="shop floor.mp4")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect_focus(page, "shop floor.mp4")  # one goes on where one was
    expect(page.locator("video")).to_have_count(0)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect_focus(page, "shop floor.mp4")  # the gallery is one stop of the Tab key
    page.get_by_role("tab", name="Hits").focus()
    page.keyboard.press("ArrowLeft")
    expect_focus(page, "tab-spend")
    expect(page.get_by_role("tabpanel", name="Spend")).to_be_visible()


def test_everything_that_can_be_used_has_a_name_for_those_who_hear_it(open_page: OpenPage, report: Path) -> None:
    page = open_page(report)
    session = page.context.new_cdp_session(page)
    used = {"button", "link", "searchbox", "combobox", "slider", "checkbox", "tab", "tabpanel", "table", "progressbar"}
    heard = set()
    for tab in ("Hits", "Changes", "Coverage", "Spend"):
        page.get_by_role("tab", name=tab).click()
        for node in session.send("Accessibility.getFullAXTree")["nodes"]:
            role = node.get("role", {}).get("value", "").lower()
            if role in used and not node["ignored"]:
                heard.add(role)
                assert node.get("name", {}).get("value"), f"a {role} on {tab} has no name"
    assert heard >= {"button", "searchbox", "combobox", "slider", "checkbox", "tab", "tabpanel", "table"}


HOSTILE = """<script>document.title='owned'</script><img src=x onerror="alert(1)">'"& {{7*7}} \u202e\u2028.mp4"""


def test_hostile_names_are_shown_as_they_are_and_do_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    videos = [replace(video, name=HOSTILE, camera=HOSTILE) for video in VIDEOS]
    sample = make_sample_warehouse(
        tmp_path, videos=videos, hits=[replace(HITS[0], text=HOSTILE), replace(HITS[-1], text=HOSTILE)]
    )
    folder = tmp_path / "report <b>&amp;'\"#%41"
    write_report(sample.database_path, folder, archive_root=str(sample.archive), title=HOSTILE)
    page = open_page(folder, height=2000)
    assert page.locator(".card .name").first.evaluate("(name) => name.textContent") == HOSTILE
    assert page.locator(".card .words").first.evaluate("(words) => words.textContent") == HOSTILE
    assert page.locator("h1").evaluate("(title) => title.textContent") == HOSTILE
    assert page.evaluate("document.title").startswith("<script>")
    page.get_by_role("searchbox").fill("<img src=x")
    expect(cards(page)).to_have_count(2)
    cards(page).first.click()
    page.wait_for_function(PLAYED.format(seconds=1.0))
    page.keyboard.press("Escape")
    for tab in ("Changes", "Coverage", "Spend"):
        page.get_by_role("tab", name=tab).click()
    assert page.evaluate("document.querySelectorAll('script:not([src]), img[src=x], [onerror]').length") == 0


def test_changes_of_the_last_run_are_listed(open_page: OpenPage, report: Path) -> None:
    page = open_page(report)
    page.get_by_role("tab", name="Changes").click()
    panel = page.get_by_role("tabpanel", name="Changes")
    expect(panel.locator("h2")).to_have_text(["New hits (1)", "Gone hits (1)"])
    rows = [row.split("\t")[:4] for row in panel.locator("tbody tr").all_inner_texts()]
    assert rows == [
        ["street / red_truck", "shop floor.mp4", "0:02.5\u20130:04", "0.31"],
        ["street / red_truck", "dock.mp4", "0:07\u20130:09", "0.44"],
    ]


def test_plots_are_drawn_and_their_tables_say_the_same(open_page: OpenPage, report: Path) -> None:
    page = open_page(report)
    page.get_by_role("tab", name="Spend").click()
    spend = page.get_by_role("tabpanel", name="Spend")
    expect(spend.get_by_role("img", name="$0.9203 in all")).to_be_visible()
    assert spend.locator("tbody tr").first.inner_text().split("\t") == ["upload", "6", "$0.90", "97.7%"]
    expect_plot(page, "#panel-spend", "rgb(15, 138, 143)")
    page.emulate_media(color_scheme="dark")
    expect_plot(page, "#panel-spend", "rgb(61, 181, 186)")
    page.get_by_role("tab", name="Coverage").click()
    coverage = page.get_by_role("tabpanel", name="Coverage")
    expect(coverage.get_by_text("20 of 24 pairs")).to_be_visible()
    expect_plot(page, "#panel-coverage", "rgb(61, 181, 186)")  # searched
    expect_plot(page, "#panel-coverage", "rgb(217, 184, 74)")  # not yet
    expect(coverage.get_by_role("progressbar", name="logo: 5 of 6 videos searched")).to_be_visible()
    expect(coverage.get_by_text("/footage/broken upload.mp4")).to_be_visible()
    coverage.get_by_text("The days in numbers").click()
    days = coverage.get_by_role("table", name="Coverage by day").locator("tbody tr")
    expect(days).to_have_count(4)
    assert days.first.inner_text().split("\t") == ["5 Mar 2026", "1", "0 of 4", "0%"]


def expect_plot(page: Page, panel: str, colour: str) -> None:
    """The plot in `panel` has points of this colour."""
    page.wait_for_function(
        """([panel, colour]) => {
            const canvas = document.querySelector(`${panel} canvas`);
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
            copy.drawImage(canvas, 0, 0);
            const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
            for (let i = 0; i < data.length; i += 4) {
                if (data[i + 3] === 255 && `rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})` === colour) return true;
            }
        }""",
        arg=[panel, colour],
    )


def test_on_a_phone_the_coverage_of_a_query_is_seen_without_scrolling(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, width=390, height=844)
    page.get_by_role("tab", name="Coverage").click()
    table = page.get_by_role("table", name="Coverage by query")
    expect(table.get_by_role("columnheader", name="Kind")).to_be_hidden()
    for column in ("Query", "How far", "Hits"):
        box = table.get_by_role("columnheader", name=column, exact=True).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390 - 14, column


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1920])
def test_no_width_needs_scrolling_sideways(open_page: OpenPage, report: Path, width: int, scheme: str) -> None:
    page = open_page(report, width=width, height=700, scheme=scheme)
    red, *_ = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red < 60) == (scheme == "dark")
    for tab in ("Changes", "Coverage", "Spend", "Hits"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
    cards(page).first.click()
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
