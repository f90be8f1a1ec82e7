"""From the service's hits to rows of the table `hits`: distinct, ranked, merged with what a day has already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass
from datetime import date, datetime

import duckdb
import pyarrow as pa

from visualsearch_pipeline.warehouse import HITS

Pair = tuple[str, str, str]
"""query_id, query_version, video_no."""


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

    @property
    def pair(self) -> Pair:
        """What was asked of which video."""
        return self.query_id, self.query_version, self.video_no


def distinct(rows: Iterable[HitRow]) -> tuple[HitRow, ...]:
    """Each clip of a question once, with its best score: parts of a split search may report it twice."""
    best: dict[tuple[object, ...], HitRow] = {}
    for row in rows:
        key = (row.pair, row.start_seconds, row.end_seconds, row.text)
        known = best.get(key)
        if known is None or (row.score or 0.0) > (known.score or 0.0):
            best[key] = row
    return tuple(best.values())


def merge(existing: pa.Table, rows: Iterable[HitRow], *, answered: Set[Pair]) -> pa.Table:
    """A day's table with the answers to `answered` replaced by `rows`, and every rank counted anew.

    Rank 1 is the best score of a query version on that day; hits without score follow in order of time.
    """
    schema = HITS.arrow_schema
    fresh = pa.Table.from_pylist([asdict(row) | {"rank": 0} for row in rows], schema=schema)
    names = ("query_id", "query_version", "video_no")
    replaced = pa.Table.from_pylist(
        [dict(zip(names, pair, strict=True)) for pair in sorted(answered)],
        schema=pa.schema([(name, pa.string()) for name in names]),
    )
    with duckdb.connect() as connection:
        connection.register("existing", existing)
        connection.register("fresh", fresh)
        connection.register("replaced", replaced)
        ranked = connection.execute(
            """
            with merged as (
                select * from existing anti join replaced using (query_id, query_version, video_no)
                union all by name
                select * from fresh
            )
            select * replace (
                row_number() over (
                    partition by query_id, query_version
                    order by score desc nulls last, video_no, start_seconds, end_seconds, text
                ) as rank
            )
            from merged
            order by query_id, query_version, rank
            """
        ).to_arrow_table()
    return ranked.select(schema.names).cast(schema)


def rows_by_day(rows: Iterable[HitRow]) -> Mapping[date, list[HitRow]]:
    """The rows of each day."""
    grouped: dict[date, list[HitRow]] = {}
    for row in rows:
        grouped.setdefault(row.day, []).append(row)
    return grouped
