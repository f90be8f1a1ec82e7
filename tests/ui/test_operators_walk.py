"""An operator walks through the Dagster UI in a real browser: clicks only, and what comes of it in tables and journal.

The tests are one walk and share its day: each begins where the one before it ended.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.ui.operators_day import OperatorsDay, operators_day
from tests.ui.pictures import picture

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

LINEAGE = "/locations/visualsearch_pipeline/asset-groups/visual_search/lineage"
BROKEN = "night shift (broken download).mp4"
WHOLE = "loading dock night.mp4"
BY_DAY = ("media", "uploads", "videos", "hits/street", "transcripts", "captions", "archive")
_CLICKS = 4


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorsDay]:
    with operators_day(tmp_path_factory.mktemp("operator")) as day:
        yield day


@pytest.fixture
def page(browser: Browser, day: OperatorsDay) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1500, "height": 900}, base_url=day.ui.url)
    page.set_default_timeout(60_000)
    yield page
    page.close()


def test_a_bad_file_fails_its_day_and_once_mended_failed_and_missing_runs_that_day_alone(
    page: Page, day: OperatorsDay
) -> None:
    first, second, third = (one.isoformat() for one in day.days)
    chain = ("media", "uploads", "videos")

    dialog = materialize_in_the_graph(page, *chain)
    choose_days(dialog, first, third)
    dialog.get_by_role("button", name="Launch backfill").click()
    day.wait_until(lambda: bool(day.runs()) and day.is_at_rest())

    assert day.day_states("media") == {first: "MATERIALIZED", second: "MATERIALIZED", third: "FAILED"}
    for asset in ("uploads", "videos"):
        assert day.day_states(asset) == {first: "MATERIALIZED", second: "MATERIALIZED"}
    sent = len(day.calls("upload"))
    assert sent == 8  # of the ten good clips, those of the good days

    # What is wrong stands where one looks: the day is red, its run names the file, the reason and what to do.
    page.goto(f"/assets/media?view=partitions&partition={third}")
    expect(page.get_by_text("failed, and did not materialize this asset")).to_be_visible()
    picture(page, "operating-failed-day", height=560)
    (failed,) = [run for run in day.runs() if run["status"] == "FAILURE"]
    page.goto(f"/runs/{failed['runId']}")
    expect(page.get_by_text(BROKEN).first).to_be_visible()
    page.goto("/assets/media?view=checks")
    page.get_by_text("[Show Markdown]").first.click()
    table = page.get_by_role("dialog")
    expect(table.get_by_text(BROKEN)).to_be_visible()
    expect(table.get_by_text("it is cut short")).to_be_visible()
    picture(page, "operating-failed-items", height=700)

    mark = day.mark()
    mend(day)
    dialog = materialize_in_the_graph(page, *chain)
    dialog.get_by_role("button", name="Failed and missing", exact=True).click()
    choose_days(dialog, first, third)
    dialog.get_by_text("Backfill only failed and missing partitions within selection").click()
    picture(page, "operating-failed-and-missing", height=760)
    dialog.get_by_role("button", name="Launch").click()
    day.wait_until(lambda: day.day_states("videos").get(third) == "MATERIALIZED" and day.is_at_rest())

    for asset in chain:
        assert day.day_states(asset) == dict.fromkeys((first, second, third), "MATERIALIZED")
    # The clips of that day and the mended one; nothing of the other days.
    assert len(day.calls("upload", since=mark)) == 3
    names = Counter(video.video_name for video in day.server.videos())
    assert len(names) == 11
    assert set(names.values()) == {1}


def test_a_backfill_of_three_days_asks_the_chosen_query_and_no_other(page: Page, day: OperatorsDay) -> None:
    day.wait_until(lambda: {video.status for video in day.server.videos()} == {"PARSE"})
    first, _, third = (one.isoformat() for one in day.days)
    before, mark = {run["runId"] for run in day.runs()}, day.mark()

    # The service has finished meanwhile; `videos` looks.
    dialog = materialize(page, "videos")
    choose_days(dialog, first, third)
    dialog.get_by_role("button", name="Launch").first.click()
    day.wait_until(lambda: {run["runId"] for run in day.runs()} > before and day.is_at_rest())
    before = {run["runId"] for run in day.runs()}

    dialog = materialize(page, "hits/street")
    choose_days(dialog, first, third)
    dialog.get_by_text("Config", exact=True).click()
    dialog.get_by_text("Add config").click()
    page.locator(".CodeMirror").last.click()
    page.keyboard.insert_text("ops:\n  hits__street:\n    config:\n      queries: [red_truck]\n")
    expect(page.get_by_text("No errors", exact=True)).to_be_visible()
    picture(page, "operating-config", height=860)
    page.get_by_role("button", name="Save config").click()
    dialog.get_by_role("button", name="Launch").first.click()
    day.wait_until(lambda: {run["runId"] for run in day.runs()} > before and day.is_at_rest())

    (run,) = [run for run in day.runs() if run["runId"] not in before]
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert run["status"] == "SUCCESS", day.ui.log.read_text()[-3000:]
    assert (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]) == (first, third)
    searches = day.calls("search", "search_similar_images", "search_clips_by_image", since=mark)
    assert {entry.params.get("search_param") for entry in searches} == {"a red truck at night"}
    assert {entry.operation for entry in searches} == {"search"}
    assert set(day.day_states("hits/street")) == {one.isoformat() for one in day.days}

    page.goto("/assets/hits/street?view=events")
    expect(page.get_by_text("red_truck").first).to_be_visible()
    picture(page, "operating-hits", height=1320)


def test_with_the_sensors_on_a_dropped_file_becomes_hits_without_another_touch(page: Page, day: OperatorsDay) -> None:
    mend(day)  # has no effect if the walk came here from its beginning
    for name in ("new_media", "indexing", "results", "done_days"):
        turn_on(page, day, name)

    dropped = drop_file(day, "forklift at night.mp4")
    day.wait_until(lambda: bool(hits_in(day, dropped.name)), seconds=420)
    picture(page, "operating-automation", height=480)

    hits = hits_in(day, dropped.name)
    assert ("street", "red_truck") in {(query_set, query_id) for query_set, query_id, _ in hits}
    assert {row_day for _, _, row_day in hits} == {day.days[2]}
    # Everything else of the three days followed too, each once.
    day.wait_until(lambda: day.is_at_rest() and not open_work(day), seconds=420)
    names = Counter(video.video_name for video in day.server.videos())
    assert len(names) == 12
    assert set(names.values()) == {1}
    transcribed = Counter(entry.params.get("video_no") for entry in day.calls("get_audio_transcription"))
    assert len(transcribed) == 12
    assert set(transcribed.values()) == {1}
    assert day.sql("select count(*) from videos") == [(12,)]

    # Today, of which nothing has come, shows as done as well: the graph is green.
    today = day.days[2] + timedelta(days=1)
    all_days = dict.fromkeys((one.isoformat() for one in (*day.days, today)), "MATERIALIZED")
    day.wait_until(lambda: all(day.day_states(asset) == all_days for asset in BY_DAY), seconds=240)

    page.goto(LINEAGE)
    picture(page, "asset-graph", width=2300, height=900)
    page.goto("/assets/archive?view=events")
    page.get_by_text("[Show Markdown]").first.click()
    expect(page.get_by_role("dialog").get_by_role("img").first).to_be_visible()
    picture(page, "operating-archive", height=1000)
    # A tick that asked for nothing says in numbers why.
    page.goto("/locations/visualsearch_pipeline/sensors/new_media")
    page.get_by_role("button", name="0 runs requested", exact=True).first.click()
    expect(page.get_by_role("dialog").get_by_text("nothing new to ask for")).to_be_visible()
    picture(page, "operating-sensor", height=800)


def materialize_in_the_graph(page: Page, *assets: str) -> Locator:
    """Select assets in the graph, and open the dialog that materializes them."""
    page.goto(LINEAGE)
    for number, name in enumerate(assets):
        node = page.get_by_text(name, exact=True).first
        expect(node).to_be_visible()
        if number == 0:
            page.wait_for_timeout(1_500)  # the graph moves into its place
        node.click(modifiers=["Shift"] if number else [])
        page.wait_for_timeout(500)
    page.get_by_role("button", name="Materialize selected").first.click()
    return launch_dialog(page)


def materialize(page: Page, asset: str) -> Locator:
    """Open the dialog that materializes an asset, from its own page."""
    page.goto(f"/assets/{asset}?view=partitions")
    page.get_by_role("button", name="Materialize").first.click()
    return launch_dialog(page)


def launch_dialog(page: Page) -> Locator:
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize")
    expect(dialog).to_be_visible()
    return dialog


def choose_days(dialog: Locator, first: str, last: str) -> None:
    box = dialog.get_by_role("textbox").first
    box.click()
    box.fill(f"[{first}...{last}]")
    box.press("Enter")
    expect(dialog.get_by_text("partition").first).to_be_visible()


def turn_on(page: Page, day: OperatorsDay, name: str) -> None:
    """Click the switch of a sensor until it is on: what the UI shows comes before and after what is."""
    for _ in range(_CLICKS):
        page.goto("/automation")
        switch = switch_of(page, name)
        page.wait_for_timeout(1_000)  # the list is drawn anew once the states have come
        switch.click()
        with suppress(AssertionError):  # a click on what was being drawn anew is lost
            day.wait_until(lambda: name in day.sensors_that_are_on(), seconds=20)
            return
    raise AssertionError(f"the switch of {name} does not turn it on")


def switch_of(page: Page, name: str) -> Locator:
    """The switch of a sensor on the page of all automations."""
    row = page.locator("[data-index]").filter(has=page.get_by_text(name, exact=True))
    boxes = row.locator("label")
    expect(boxes).to_have_count(2)  # the one that selects the row, and the switch, which comes later
    return boxes.last


def mend(day: OperatorsDay) -> None:
    """Put a whole file where the broken one was; with bytes of its own, or it would be a copy of another."""
    broken = day.footage / BROKEN
    was = broken.stat()
    broken.write_bytes(with_other_bytes(day.footage / WHOLE, b"mended"))
    os.utime(broken, (was.st_mtime, was.st_mtime))


def drop_file(day: OperatorsDay, name: str) -> Path:
    """A file comes into the source, as from a camera that was not read out for a day."""
    whole = day.footage / WHOLE
    path = day.footage / name
    arriving = path.with_suffix(".part")
    arriving.write_bytes(with_other_bytes(whole, b"another"))
    moment = datetime.combine(day.days[2], time(6), tzinfo=UTC).timestamp()
    os.utime(arriving, (moment, moment))
    shutil.move(arriving, path)
    return path


def with_other_bytes(path: Path, note: bytes) -> bytes:
    """The same film with a box after it that players skip (ISO 14496-12, `free`)."""
    return path.read_bytes() + struct.pack(">I4s", 8 + len(note), b"free") + note


def hits_in(day: OperatorsDay, name: str) -> list[tuple[str, str, object]]:
    """The published hits in a file."""
    rows = day.sql("select query_set, query_id, day, media_uri from hits")
    return [(str(query_set), str(query_id), of_day) for query_set, query_id, of_day, uri in rows if name in str(uri)]


def open_work(day: OperatorsDay) -> bool:
    """Whether a published table still waits for something."""
    (transcripts,) = day.sql("select count(distinct video_no) from archive where kind = 'video'")
    return transcripts != (12,) or len(day.sql("from coverage_gaps()")) > 0
