"""The table of `docs/scaling.md`, worked out from the limits and prices that the package itself knows.

python -m tests.scale.scaling_numbers    # writes it into the document
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from visualsearch_pipeline.api import OperationFamily, Rate, RateLimits
from visualsearch_pipeline.settings import PriceSettings

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "scaling.md"
BEGIN, END = "<!-- numbers -->\n", "<!-- end of numbers -->\n"
LIBRARIES: Final = (1_000, 100_000, 10_000_000)

MINUTES_PER_VIDEO: Final = 5
BYTES_PER_VIDEO: Final = 100_000_000
QUERIES: Final = 20
HITS_PER_VIDEO: Final = 30
VIDEOS_PER_SEARCH: Final = 100
"""The longest list of videos that one call may name (contract §2.8): what a full answer is split into at worst."""

PUBLISHED_BYTES_PER_HIT: Final = 54
"""10 million hits make a DuckDB file of 540 MB."""

LEDGER_BYTES_PER_COVERAGE: Final = 295
"""200,000 rows with their indexes, freshly written: 294 bytes each in PostgreSQL 15, 243 in SQLite."""

FASTER_UPLOAD: Final = Rate(count=1, seconds=1)
"""What an earlier generation of the service documented (contract §3.1)."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    title: str
    cell: Callable[[int], str]


def duration(seconds: float) -> str:
    """A time as people say it: two figures are enough for a plan."""
    time = timedelta(seconds=seconds)
    for unit, length in (("years", timedelta(days=365)), ("days", timedelta(days=1)), ("h", timedelta(hours=1))):
        if time >= 2 * length:
            return f"{time / length:,.1f} {unit}" if time < 100 * length else f"{time / length:,.0f} {unit}"
    return f"{time / timedelta(minutes=1):.0f} min"


def size(size_bytes: float) -> str:
    """A size in decimal units."""
    for unit, length in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if size_bytes >= length:
            return f"{size_bytes / length:,.3g} {unit}"
    return f"{size_bytes / 1e6:,.3g} MB"


def seconds_for(starts: float, rate: Rate) -> float:
    """How long it takes to make so many calls at a rate."""
    return starts / rate.count * rate.seconds


def rows(prices: PriceSettings | None = None) -> tuple[Row, ...]:
    """The table's lines, for the documented limits."""
    prices = prices or PriceSettings()
    limits = RateLimits.documented()

    def at(family: OperationFamily) -> Rate:
        rate = limits.rate(family)
        assert rate is not None
        return rate

    upload, download = at(OperationFamily.UPLOAD), at(OperationFamily.DOWNLOAD)
    searches_per_video = QUERIES / VIDEOS_PER_SEARCH
    return (
        Row("uploads, 1/minute (1,440 a day)", lambda videos: duration(seconds_for(videos, upload))),
        Row("uploads, 1/second (86,400 a day)", lambda videos: duration(seconds_for(videos, FASTER_UPLOAD))),
        Row(
            f"{QUERIES} queries over all, 1/second, at most",
            lambda videos: duration(seconds_for(videos * searches_per_video, at(OperationFamily.SEARCH))),
        ),
        Row("transcripts, 1/second", lambda videos: duration(seconds_for(videos, at(OperationFamily.TRANSCRIPTS)))),
        Row("originals to the archive, 12/minute", lambda videos: duration(seconds_for(videos, download))),
        Row("indexing", lambda videos: f"${videos * MINUTES_PER_VIDEO / 1000 * prices.indexing_per_1000_minutes:,.0f}"),
        Row(
            "downloading the originals",
            lambda videos: f"${videos * BYTES_PER_VIDEO / 1e9 * prices.download_per_gigabyte:,.0f}",
        ),
        Row(
            f"{QUERIES} queries over all, at most",
            lambda videos: f"${videos * searches_per_video / 1000 * prices.search_per_1000:,.2f}",
        ),
        Row("originals in the archive", lambda videos: size(videos * BYTES_PER_VIDEO)),
        Row("rows of `coverage`", lambda videos: f"{videos * QUERIES:,}"),
        Row(
            "`coverage` in the ledger, on PostgreSQL",
            lambda videos: size(videos * QUERIES * LEDGER_BYTES_PER_COVERAGE),
        ),
        Row("rows of `hits`", lambda videos: f"{videos * HITS_PER_VIDEO:,}"),
        Row("hits in the DuckDB file", lambda videos: size(videos * HITS_PER_VIDEO * PUBLISHED_BYTES_PER_HIT)),
    )


def table() -> str:
    """The table in Markdown."""
    head = ["| | " + " | ".join(f"{videos:,} videos" for videos in LIBRARIES) + " |", "|---|" + "---|" * len(LIBRARIES)]
    body = [f"| {row.title} | " + " | ".join(row.cell(videos) for videos in LIBRARIES) + " |" for row in rows()]
    return "\n".join([*head, *body]) + "\n"


def with_table(text: str) -> str:
    """The document with the table as it is now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
