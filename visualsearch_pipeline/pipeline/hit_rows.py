"""From the service's hits to rows of the table `hits`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from visualsearch_pipeline.warehouse import TABLES


@dataclass(frozen=True)
class HitRow:
    """One row of `hits`, save its rank, which depends on the other rows of its day."""

    query_set: str
    query_id: str
    query_version: str
    day: date
    video_no: str
    media_uri: str | None
    video_name: str | None
    start_seconds: float | None
    end_seconds: float | None
    score: float | None
    text: str | None
    keyframe_bucket: str | None
    keyframe_blob: str | None
    video_bucket: str | None
    video_blob: str | None
    searched_at: datetime
    run_id: str


def distinct(rows: Iterable[HitRow]) -> tuple[HitRow, ...]:
    """Each clip of a question once, with its best score: parts of a split search may report it twice."""
    best: dict[tuple[object, ...], HitRow] = {}
    for row in rows:
        key = (row.query_version, row.video_no, row.start_seconds, row.end_seconds, row.text)
        known = best.get(key)
        if known is None or (row.score or 0.0) > (known.score or 0.0):
            best[key] = row
    return tuple(best.values())


def as_table(rows: Iterable[HitRow]) -> pa.Table:
    """The rows in the columns of the table `hits`, all but their rank."""
    schema = TABLES["hits"].arrow_schema
    unranked = pa.schema([field for field in schema if field.name != "rank"])
    return pa.Table.from_pylist([vars(row) for row in rows], schema=unranked)


def keep_best(hits: pa.Table, top_k: Mapping[tuple[str, str], int]) -> pa.Table:
    """One day's hits without those that rank below what their query keeps.

    Args:
        hits: The table `hits` of one query set and day, ranked.
        top_k: How many to keep, by query id and version; queries that are not named keep all.
    """
    if not top_k:
        return hits
    kept = pa.array(
        [
            row["rank"] <= top_k.get((row["query_id"], row["query_version"]), row["rank"])
            for row in hits.select(["query_id", "query_version", "rank"]).to_pylist()
        ],
        pa.bool_(),
    )
    return hits.filter(kept)


def hits_per_pair(hits: pa.Table) -> Counter[tuple[str, str, str]]:
    """How many hits a table of them has per query id, query version and `video_no`."""
    columns = (hits.column(name).to_pylist() for name in ("query_id", "query_version", "video_no"))
    return Counter(zip(*columns, strict=True))
