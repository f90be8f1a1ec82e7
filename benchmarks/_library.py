"""A year of a large team: 10 million hits of 200 queries in 5 sets, over 365 days and 100,000 videos."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from visualsearch_pipeline.warehouse import TABLES, ParquetStore, publish

HITS: Final = int(os.environ.get("BENCHMARK_HITS", "10000000"))
IS_FULL_SIZE: Final = HITS >= 10_000_000
"""Promises are made for this size; a smaller one shows that the benchmarks work."""

MOST_BYTES: Final = 1_500_000_000
"""What writing, publishing and asking may each hold in memory."""

DAYS: Final = int(os.environ.get("BENCHMARK_DAYS", "365"))
VIDEOS_PER_DAY: Final = 270
SETS: Final = ("entrance", "market", "products", "speech", "street")
QUERIES_PER_SET: Final = 40
FIRST_DAY: Final = date(2026, 1, 1)


def days() -> tuple[date, ...]:
    return tuple(FIRST_DAY + timedelta(days=number) for number in range(DAYS))


def library() -> tuple[ParquetStore, Path]:
    """The store, filled and published. Made by the first benchmark that asks, in `$BENCHMARK_FOLDER`."""
    folder = Path(os.environ["BENCHMARK_FOLDER"])
    store, database = ParquetStore(str(folder / "warehouse")), folder / "warehouse" / "visualsearch.duckdb"
    if not database.exists():
        for number, day in enumerate(days()):
            for query_set in SETS:
                store.write_hits(query_set, day, hits_of_day(query_set, day, seed=number))
        publish(store, database, {"videos": videos(), "queries": queries()}, SETS, snapshot_days=0)
        print(f"(made {HITS:,} hits in {len(store.files('hits')):,} files, {database.stat().st_size / 1e6:.0f} MB)")
    return store, database


def hits_of_day(query_set: str, day: date, *, seed: int) -> pa.Table:
    """The day's hits of a set, as a search writes them."""
    count = HITS // (DAYS * len(SETS))
    random = np.random.default_rng([seed, SETS.index(query_set)])
    number = random.integers(0, QUERIES_PER_SET, count)
    video = random.integers(0, VIDEOS_PER_DAY, count) + (day - FIRST_DAY).days * VIDEOS_PER_DAY
    start = np.round(random.uniform(0, 3600, count), 2)
    score = np.round(random.beta(2, 3, count), 6)
    order = np.lexsort((-score, number))
    number, video, start, score = number[order], video[order], start[order], score[order]
    first = np.concatenate(([0], np.flatnonzero(np.diff(number)) + 1))
    rank = np.arange(count) - np.repeat(first, np.diff(np.append(first, count))) + 1
    video_no = pa.array([f"VI{value:018}" for value in video])
    columns = {
        "query_set": pa.repeat(query_set, count),
        "query_id": pa.array([f"query_{value:02}" for value in number]),
        "query_version": pa.array([f"{SETS.index(query_set):02}{value:014x}" for value in number]),
        "day": pa.repeat(pa.scalar(day, pa.date32()), count),
        "video_no": video_no,
        "media_uri": pa.array([f"s3://footage/{day}/camera-{value % 40:02}/clip-{value:07}.mp4" for value in video]),
        "video_name": pa.array([f"camera-{value % 40:02}-clip-{value:07}" for value in video]),
        "start_seconds": start,
        "end_seconds": start + np.round(random.uniform(1, 12, count), 2),
        "score": score,
        "rank": rank.astype("int32"),
        "text": pa.nulls(count, pa.string()),
        "keyframe_bucket": pa.repeat("mavi-keyframe", count),
        "keyframe_blob": pa.array(
            [f"{value:012x}/keyframe-{int(at):06}.jpg" for value, at in zip(video, start, strict=True)]
        ),
        "video_bucket": pa.nulls(count, pa.string()),
        "video_blob": pa.nulls(count, pa.string()),
        "searched_at": pa.repeat(pa.scalar(datetime(2026, 1, 2, tzinfo=UTC), pa.timestamp("us", "UTC")), count),
        "run_id": pa.repeat(f"run of {day}", count),
    }
    return pa.table(columns)


def videos() -> pa.Table:
    """All videos of the year."""
    count = DAYS * VIDEOS_PER_DAY
    columns = {
        "video_no": pa.array([f"VI{value:018}" for value in range(count)]),
        "day": pa.array([FIRST_DAY + timedelta(days=value // VIDEOS_PER_DAY) for value in range(count)]),
        "media_name": pa.array([f"clip-{value:07}.mp4" for value in range(count)]),
        "state": pa.repeat("ready", count),
        "camera_model": pa.array([f"camera {value % 40}" for value in range(count)]),
    }
    return TABLES["videos"].adopt(pa.table(columns))


def queries() -> pa.Table:
    """All queries, each with its one version."""
    rows = [
        {
            "query_set": query_set,
            "query_id": f"query_{number:02}",
            "query_version": f"{position:02}{number:014x}",
            "kind": "text",
            "is_current": True,
        }
        for position, query_set in enumerate(SETS)
        for number in range(QUERIES_PER_SET)
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["queries"].arrow_schema)
