"""New, gone and moved hits of each query's latest run that changed anything, where the database records them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import duckdb

MOST_CHANGES: Final = 5_000
"""More than anyone reads; all of them are in the table."""

_TABLE: Final = "hit_changes"

_CHANGES: Final = """
WITH known AS (
    SELECT *, coalesce(run_id, detected_at::VARCHAR) AS run FROM hit_changes
), latest AS (
    SELECT query_set, query_id, arg_max(run, detected_at) AS run FROM known GROUP BY ALL
)
SELECT query_set, query_id, change, day, video_no, coalesce(videos.media_name, known.video_name, video_no),
       coalesce(start_seconds, previous_start_seconds), coalesce(end_seconds, previous_end_seconds),
       coalesce(score, previous_score), known.text, detected_at::VARCHAR
FROM known
SEMI JOIN latest USING (query_set, query_id, run)
SEMI JOIN (SELECT * FROM queries WHERE is_current) AS asked USING (query_set, query_id, query_version)
LEFT JOIN (SELECT video_no, media_name FROM videos) AS videos USING (video_no)
ORDER BY detected_at DESC, query_set, query_id, change, video_no, start_seconds
LIMIT $limit
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A hit that was not there before, is there no more, or lies elsewhere in its video.

    Attributes:
        query_set: Its query's set.
        query_id: Its query.
        change: new, gone or moved.
        day: The video's day.
        video_no: The video.
        media_name: The video's name.
        start_seconds: Where the hit begins; where it began, if it is gone.
        end_seconds: Where it ends; where it ended, if it is gone.
        score: Its score; the one it had, if it is gone.
        text: The words that match, or matched.
        changed_at: When it was noticed, UTC.
    """

    query_set: str
    query_id: str
    change: str
    day: date
    video_no: str
    media_name: str
    start_seconds: float | None
    end_seconds: float | None
    score: float | None
    text: str | None
    changed_at: datetime


def read_changes(connection: duckdb.DuckDBPyConnection) -> tuple[Change, ...] | None:
    """The changes to show, the latest first; None for a database of a version that does not record them."""
    there = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND table_name = ?", [_TABLE]
    )
    if there.fetchone() is None:
        return None
    rows = connection.execute(_CHANGES, {"limit": MOST_CHANGES}).fetchall()
    # Text, so that DuckDB needs no time zone database of Python's.
    return tuple(Change(*(*row[:-1], datetime.fromisoformat(row[-1]))) for row in rows)
