"""New, gone and moved hits of each query's latest run that changed anything, where the database records them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import duckdb

from visualsearch_pipeline.report.hits import Library

MOST_CHANGES: Final = 5_000
"""More than anyone reads; all of them are in the table."""

_TABLE: Final = "hit_changes"
_IMAGES: Final = "new_image_hits"
_PUBLIC: Final = "public_hit_changes"

_CHANGES: Final = """
WITH asked AS (
    SELECT query_set, query_id, query_version FROM queries WHERE is_current
), known AS (
    SELECT *, coalesce(run_id, detected_at::VARCHAR) AS run FROM hit_changes
), latest AS (
    SELECT query_set, query_id, arg_max(run, detected_at) AS run FROM known GROUP BY ALL
), changed AS (
    SELECT 'video' AS library, query_set, query_id, change, day, video_no AS number,
           coalesce(videos.media_name, known.video_name, video_no) AS name,
           coalesce(start_seconds, previous_start_seconds) AS start_seconds,
           coalesce(end_seconds, previous_end_seconds) AS end_seconds,
           coalesce(score, previous_score) AS score, known.text, detected_at
    FROM known
    SEMI JOIN latest USING (query_set, query_id, run)
    SEMI JOIN asked USING (query_set, query_id, query_version)
    LEFT JOIN (SELECT video_no, media_name FROM videos) AS videos USING (video_no)
    {elsewhere}
)
SELECT library, query_set, query_id, change, day, number, name, start_seconds, end_seconds, score, text,
       detected_at::VARCHAR
FROM changed
ORDER BY detected_at DESC, query_set, query_id, change, number, start_seconds
LIMIT $limit
"""

_ELSEWHERE: Final = """
    UNION ALL BY NAME
    SELECT 'image' AS library, query_set, query_id, 'new' AS change, day, image_id AS number,
           coalesce(images.media_name, image_name, image_id) AS name, score, found_at AS detected_at
    FROM new_image_hits
    SEMI JOIN (
        SELECT query_set, query_id, arg_max(found_run_id, found_at) AS found_run_id FROM new_image_hits GROUP BY ALL
    ) AS latest USING (query_set, query_id, found_run_id)
    SEMI JOIN asked USING (query_set, query_id, query_version)
    LEFT JOIN (SELECT image_id, media_name FROM images) AS images USING (image_id)
    UNION ALL BY NAME
    SELECT 'public' AS library, query_set, query_id, change, day, video_no AS number,
           coalesce(public_videos.video_name, changes.video_name, video_no) AS name, score, asked_at AS detected_at
    FROM public_hit_changes AS changes
    SEMI JOIN (
        SELECT query_set, query_id, query_version, max(day) AS day FROM public_answers GROUP BY ALL
    ) AS latest USING (query_set, query_id, query_version, day)
    SEMI JOIN asked USING (query_set, query_id, query_version)
    JOIN (SELECT query_set, query_id, query_version, day, asked_at FROM public_answers) AS answers
      USING (query_set, query_id, query_version, day)
    LEFT JOIN (SELECT video_no, video_name FROM public_videos) AS public_videos USING (video_no)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A hit that was not there before, is there no more, or lies elsewhere in its video.

    Attributes:
        library: What was found: a private video, a private image, or a public video.
        query_set: Its query's set.
        query_id: Its query.
        change: new, gone or moved.
        day: The day of the video or the image; of the public library, the one on which it was asked.
        number: The service's id of the video or the image.
        name: Its name.
        start_seconds: Where the hit begins; where it began, if it is gone.
        end_seconds: Where it ends; where it ended, if it is gone.
        score: Its score; the one it had, if it is gone.
        text: The words that match, or matched.
        changed_at: When it was noticed, UTC.
    """

    library: Library
    query_set: str
    query_id: str
    change: str
    day: date
    number: str
    name: str
    start_seconds: float | None
    end_seconds: float | None
    score: float | None
    text: str | None
    changed_at: datetime


def read_changes(connection: duckdb.DuckDBPyConnection) -> tuple[Change, ...] | None:
    """The changes to show, the latest first; None for a database of a version that does not record them."""
    of_database = "database_name = current_database()"
    there = connection.execute(f"""
        SELECT table_name FROM duckdb_tables() WHERE {of_database}
        UNION ALL SELECT view_name FROM duckdb_views() WHERE {of_database}
    """)  # noqa: S608 - our own words
    names = {name for (name,) in there.fetchall()}
    if _TABLE not in names:
        return None
    elsewhere = _ELSEWHERE if {_IMAGES, _PUBLIC} <= names else ""
    rows = connection.execute(_CHANGES.format(elsewhere=elsewhere), {"limit": MOST_CHANGES}).fetchall()
    # Text, so that DuckDB needs no time zone database of Python's.
    return tuple(Change(*(*row[:-1], datetime.fromisoformat(row[-1]))) for row in rows)
