"""`hits_by_day`: the hits of each query and day in one row, so that questions about a year need not read every hit.

It is made of `hits` as they stand in the database, in the same transaction, and has no Parquet files of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import duckdb

from visualsearch_pipeline.warehouse.places import TableFile
from visualsearch_pipeline.warehouse.shared_columns import DOUBLE, INTEGER, ITEM_DAY, QUERY_COLUMNS
from visualsearch_pipeline.warehouse.table_spec import ColumnSpec, TableSpec

HITS_BY_DAY: Final = TableSpec(
    name="hits_by_day",
    description=(
        "One row per query version and day that has hits, with their count and scores. A video has one day, so that "
        "sums over days count no hit and no video twice."
    ),
    columns=(
        *QUERY_COLUMNS,
        ITEM_DAY,
        ColumnSpec("hits", INTEGER, "How many hits there are.", nullable=False),
        ColumnSpec("videos", INTEGER, "In how many videos they are.", nullable=False),
        ColumnSpec("scored_hits", INTEGER, "How many of the hits have a score.", nullable=False),
        ColumnSpec("best_score", DOUBLE, "The highest score; absent where no hit has one."),
        ColumnSpec(
            "mean_score",
            DOUBLE,
            "The mean of the scores, to six digits. Over several days: sum(mean_score * scored_hits) / "
            "sum(scored_hits).",
        ),
    ),
    sort_by=(
        ("query_set", "ascending"),
        ("query_id", "ascending"),
        ("query_version", "ascending"),
        ("day", "ascending"),
    ),
)

_SUMMARISE: Final = """
    INSERT INTO hits_by_day BY NAME
    SELECT query_set, query_id, query_version, day, sum(hits)::BIGINT AS hits, count(*) AS videos,
           sum(scored_hits)::BIGINT AS scored_hits, max(best_score) AS best_score,
           round(sum(total_score) / nullif(sum(scored_hits), 0), 6) AS mean_score
    FROM (
        SELECT query_set, query_id, query_version, day, video_no, count(*) AS hits, count(score) AS scored_hits,
               max(score) AS best_score, sum(score) AS total_score
        FROM hits {where}
        GROUP BY query_set, query_id, query_version, day, video_no
    )
    GROUP BY query_set, query_id, query_version, day
    ORDER BY query_set, query_id, query_version, day
"""


def summarise_hits(connection: duckdb.DuckDBPyConnection, files: Iterable[TableFile]) -> None:
    """Fill the empty table from all hits: a month of a query set at a time, which fits into memory.

    Args:
        connection: The database, with its hits.
        files: What it was built from.
    """
    months = {
        (file.query_set, file.day.replace(day=1)) for file in files if file.table == "hits" and file.day is not None
    }
    for query_set, first in sorted(months, key=str):
        connection.execute(
            _SUMMARISE.format(where="WHERE query_set = ? AND day >= ? AND day < ? + INTERVAL 1 MONTH"),
            [query_set, first, first],
        )


def renew_summaries(connection: duckdb.DuckDBPyConnection, changed: Iterable[TableFile]) -> None:
    """Bring the rows of the days up to date whose files of hits changed or are gone."""
    for file in changed:
        if file.table == "hits":
            part = [file.query_set, file.day]
            connection.execute("DELETE FROM hits_by_day WHERE query_set = ? AND day = ?", part)
            connection.execute(_SUMMARISE.format(where="WHERE query_set = ? AND day = ?"), part)
