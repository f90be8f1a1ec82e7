"""The report's page with 10,000 hits in headless Chromium, against the same cards all in the document."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Page, sync_playwright

from benchmarks._measuring import report, seconds_of
from tests.sample_warehouse import QUERIES, VIDEOS, Hit, make_sample_warehouse
from visualsearch_pipeline.report import write_report

HITS: Final = 10_000
ROUNDS: Final = 7

MOST_FILTER_SECONDS: Final = 1.0
MOST_FRAME_SECONDS: Final = 0.25
"""Generous: beyond these nobody would call the page smooth, on any machine."""

MEASURE: Final = """async ({rounds, all}) => {
    const frame = () => new Promise(requestAnimationFrame);
    const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
    const find = document.forms[0].elements.find;
    const gallery = document.getElementById("gallery");
    let plain = null;

    function fill() {
        const card = gallery.querySelector(".card");
        plain = document.createElement("div");
        plain.className = "row cards";
        plain.style.cssText = "display: grid; grid-template-columns: repeat(5, 1fr)";
        for (let number = 0; number < all; number++) {
            const copy = card.cloneNode(true);
            copy.querySelector(".words").textContent = `words of hit ${number}`;
            plain.append(copy);
        }
        gallery.replaceWith(plain);
        return document.body.offsetHeight;
    }

    function filter(words) {
        const start = performance.now();
        if (plain) {
            for (const card of plain.children) card.hidden = !card.textContent.includes(words);
        } else {
            find.value = words;
            find.dispatchEvent(new Event("input", {bubbles: true}));
        }
        document.body.offsetHeight; // the layout is part of it
        return performance.now() - start;
    }

    async function scroll() {
        const times = [];
        for (let step = 0; step < 60; step++) {
            scrollTo(0, (document.documentElement.scrollHeight * step) / 60);
            const start = performance.now();
            await frame();
            document.body.offsetHeight;
            times.push(performance.now() - start);
        }
        return median(times);
    }

    async function measure() {
        const few = [], many = [];
        for (let round = 0; round < rounds; round++) {
            few.push(filter("hit 123"));
            many.push(filter(""));
        }
        return {few: median(few) / 1000, many: median(many) / 1000, frame: (await scroll()) / 1000};
    }

    const ours = await measure();
    const start = performance.now();
    fill();
    const filled = (performance.now() - start) / 1000;
    return {ours, theirs: await measure(), filled};
}"""


def main() -> None:
    with TemporaryDirectory(prefix="visualsearch-report-") as folder:
        destination = _write(Path(folder))
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            opened = seconds_of(lambda: _open(page, destination))
            measured = page.evaluate(MEASURE, {"rounds": ROUNDS, "all": HITS})
            browser.close()
    ours, theirs = measured["ours"], measured["theirs"]
    report("open the page, first card shown", ours=opened, theirs=measured["filled"], against="fill the document")
    report("filter 10,000 hits to 20", ours=ours["few"], theirs=theirs["few"], against="hide the others")
    report("show all 10,000 again", ours=ours["many"], theirs=theirs["many"], against="show all cards")
    report("a frame while scrolling (median)", ours=ours["frame"], theirs=theirs["frame"], against="all cards")
    if max(ours["few"], ours["many"]) > MOST_FILTER_SECONDS or ours["frame"] > MOST_FRAME_SECONDS:
        raise SystemExit("the page is not smooth any more")


def _write(folder: Path) -> Path:
    queries = list(QUERIES)
    hits = [
        Hit(queries[number % 4], VIDEOS[number % 5].number, float(number), number + 1.0, 0.5, f"words of hit {number}")
        for number in range(HITS)
    ]
    sample = make_sample_warehouse(folder, hits=hits, media=False)
    seconds = seconds_of(
        lambda: write_report(sample.database_path, folder / "report", archive_root=str(sample.archive))
    )
    again = seconds_of(lambda: write_report(sample.database_path, folder / "report", archive_root=str(sample.archive)))
    report("write_report, 10,000 hits", ours=seconds, theirs=again, against="again, nothing new")
    return folder / "report"


def _open(page: Page, destination: Path) -> None:
    page.goto((destination / "index.html").as_uri())
    page.locator(".card").first.wait_for()


if __name__ == "__main__":
    main()
