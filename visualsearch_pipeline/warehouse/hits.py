"""The hits of a query set's day, brought together from what stands there and what was found now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from visualsearch_pipeline.warehouse.hit_schemas import HITS


@dataclass(frozen=True, slots=True)
class SearchedPair:
    """The unit of searching: one version of a query, asked about one video."""

    query_id: str
    query_version: str
    video_no: str


_MERGE: Final = """
    WITH merged AS (
        SELECT * EXCLUDE (rank) FROM existing ANTI JOIN searched USING (query_id, query_version, video_no)
        UNION ALL BY NAME
        SELECT * EXCLUDE (rank) FROM found
    ),
    once AS (
        SELECT DISTINCT ON (query_set, query_id, query_version, day, video_no, start_seconds, end_seconds, text) *
        FROM merged
        ORDER BY query_set, query_id, query_version, day, video_no, start_seconds, end_seconds, text,
                 score DESC NULLS LAST
    )
    SELECT *, row_number() OVER (
        PARTITION BY query_set, query_id, query_version, day
        ORDER BY score DESC NULLS LAST, video_no, start_seconds, end_seconds, text
    )::INTEGER AS rank
    FROM once
    ORDER BY query_id, query_version, rank
"""


def merge_hits(existing: pa.Table, found: pa.Table, *, searched: Collection[SearchedPair]) -> pa.Table:
    """One day's hits after a search: answers given anew replace the earlier ones, all others stay.

    Args:
        existing: What stands there, as `ParquetStore.read_hits` returns it.
        found: What was found now, with the columns of the table `hits`; `rank` may be left out.
        searched: Every pair that was asked now, those without hits included: their earlier hits go.

    Returns:
        The table `hits`. A match (a place in a video and its text) is there once per query version, with its best
        score; ranks are 1, 2, 3, … by falling score within a query version, hits without a score last.

    Raises:
        SchemaMismatchError: either table does not fit.
    """
    if "rank" not in found.column_names:
        found = found.append_column("rank", pa.repeat(pa.scalar(0, pa.int32()), found.num_rows))
    pairs = sorted({(pair.query_id, pair.query_version, pair.video_no) for pair in searched})
    text = pa.string()
    columns = zip(*pairs, strict=True) if pairs else ([], [], [])
    names = ("query_id", "query_version", "video_no")
    asked = pa.table({name: pa.array(values, text) for name, values in zip(names, columns, strict=True)})
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("existing", HITS.conform(existing))
        connection.register("found", HITS.conform(found))
        connection.register("searched", asked)
        return HITS.conform(connection.sql(_MERGE).to_arrow_table())
