"""What a report shows, read from the published database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from visualsearch_pipeline.report.changes import Change, read_changes
from visualsearch_pipeline.report.hits import Library, ReportHit, ReportMedium, read_hits
from visualsearch_pipeline.warehouse import open_read_only


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """A saved query as it is asked today, with how far it has been answered.

    Attributes:
        query_set: Its set.
        query_id: Its id within the set.
        query_version: Hash of what it asks.
        kind: As in the table `queries`.
        asks: What it asks, in one line.
        description: What it is for.
        hits: How many it has.
        searched: The videos, or private images, that it has been asked about; of the public library there is no count.
        to_search: All that it concerns, those that it has been asked about included.
        truncated: Those of which the service may know more than it returns; of the public library 1 or 0.
        asked_on: The UTC day on which the public library was last asked; None for the others, or if it never was.
    """

    query_set: str
    query_id: str
    query_version: str
    kind: str
    asks: str | None
    description: str | None
    hits: int
    searched: int
    to_search: int
    truncated: int
    asked_on: date | None

    @property
    def library(self) -> Library:
        """Where it looks."""
        if self.kind.startswith("public_"):
            return "public"
        return "image" if self.kind == "text_in_images" else "video"


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What one operation cost on one UTC day."""

    day: date
    operation: str
    calls: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """Of one day: videos ready to be searched, and (query, video) pairs that should be and have been searched."""

    day: date
    videos: int
    pairs: int
    searched: int


@dataclass(frozen=True, slots=True)
class ReportFailure:
    """Something that went wrong and is not mended."""

    step: str
    subject: str
    day: date | None
    reason: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContents:
    """Everything a report shows.

    Attributes:
        published_at: When the database was published, UTC.
        hits: The best of every query first, so that cutting off the end is fair to all queries.
        hits_total: How many there are in the database.
        changes: New, gone and moved hits of each query's latest run; None where the database does not record them.
    """

    published_at: datetime
    queries: tuple[ReportQuery, ...]
    media: tuple[ReportMedium, ...]
    hits: tuple[ReportHit, ...]
    hits_total: int
    videos_ready: int
    images_uploaded: int
    spend: tuple[DaySpend, ...]
    coverage: tuple[DayCoverage, ...]
    failures: tuple[ReportFailure, ...]
    changes: tuple[Change, ...] | None


_QUERIES: Final = """
WITH counted AS (
    SELECT query_set, query_id, query_version, count(*) AS hits FROM hits GROUP BY ALL
    UNION ALL BY NAME SELECT query_set, query_id, query_version, count(*) AS hits FROM image_hits GROUP BY ALL
    UNION ALL BY NAME SELECT query_set, query_id, query_version, count(*) AS hits FROM current_public_hits GROUP BY ALL
), searched AS (
    SELECT query_set, query_id, query_version, count(DISTINCT video_no) AS searched,
           count(DISTINCT video_no) FILTER (truncated) AS truncated
    FROM coverage JOIN videos USING (video_no) WHERE videos.state = 'ready' GROUP BY ALL
    UNION ALL BY NAME
    SELECT query_set, query_id, query_version, count(DISTINCT image_id) AS searched,
           count(DISTINCT image_id) FILTER (truncated) AS truncated
    FROM image_coverage SEMI JOIN (FROM images WHERE state = 'uploaded') AS uploaded USING (image_id) GROUP BY ALL
), gaps AS (
    SELECT query_set, query_id, query_version, count(*) AS missing FROM coverage_gaps() GROUP BY ALL
), answers AS (
    SELECT query_set, query_id, query_version, max(day) AS asked_on, arg_max(truncated, day)::INTEGER AS truncated
    FROM public_answers GROUP BY ALL
)
SELECT query_set, query_id, query_version, kind, asks, description,
       coalesce(counted.hits, 0), coalesce(searched.searched, 0),
       CASE WHEN kind = 'text_in_images' THEN (SELECT count(*) FROM images WHERE state = 'uploaded')
            ELSE coalesce(searched.searched, 0) + coalesce(gaps.missing, 0) END,
       coalesce(searched.truncated, answers.truncated, 0), answers.asked_on
FROM queries
LEFT JOIN gaps USING (query_set, query_id, query_version)
LEFT JOIN counted USING (query_set, query_id, query_version)
LEFT JOIN searched USING (query_set, query_id, query_version)
LEFT JOIN answers USING (query_set, query_id, query_version)
WHERE is_current
ORDER BY query_set, query_id, query_version
"""

_SPEND: Final = """
SELECT day, operation, sum(calls)::BIGINT, coalesce(sum(cost_usd), 0) FROM (
    SELECT started_at::DATE AS day, operation, 1 AS calls, cost_usd FROM api_calls {older}
) GROUP BY ALL ORDER BY ALL
"""
_OLDER_SPEND: Final = "UNION ALL BY NAME SELECT day, operation, calls, cost_usd FROM api_call_totals"

_COVERAGE: Final = """
WITH ready AS (
    SELECT day, count(*) AS videos FROM videos WHERE state = 'ready' AND day IS NOT NULL GROUP BY ALL
), searched AS (
    SELECT videos.day, count(*) AS pairs FROM videos JOIN (
        SELECT DISTINCT query_set, query_id, query_version, video_no FROM coverage
        SEMI JOIN (FROM queries WHERE is_current) AS asked USING (query_set, query_id, query_version)
    ) USING (video_no) WHERE videos.state = 'ready' GROUP BY ALL
), gaps AS (
    SELECT day, count(*) AS pairs FROM coverage_gaps() GROUP BY ALL
)
SELECT day, videos, coalesce(searched.pairs, 0) + coalesce(gaps.pairs, 0), coalesce(searched.pairs, 0)
FROM ready LEFT JOIN searched USING (day) LEFT JOIN gaps USING (day)
ORDER BY day
"""

_GAPS_IN_EARLIER_DATABASES: Final = """
CREATE TEMP MACRO coverage_gaps() AS TABLE
    SELECT query_set, query_id, query_version, video_no, ready.day
    FROM (FROM queries WHERE is_current) AS asked CROSS JOIN (FROM videos WHERE state = 'ready') AS ready
    ANTI JOIN coverage USING (query_set, query_id, query_version, video_no)
"""
"""For databases without that macro. It takes every query to concern every video, as those versions did."""

_LIBRARIES_IN_EARLIER_DATABASES: Final = """
CREATE TEMP TABLE images (image_id VARCHAR, state VARCHAR);
CREATE TEMP TABLE image_hits (query_set VARCHAR, query_id VARCHAR, query_version VARCHAR);
CREATE TEMP TABLE image_coverage (
    query_set VARCHAR, query_id VARCHAR, query_version VARCHAR, image_id VARCHAR, truncated BOOLEAN
);
CREATE TEMP TABLE current_public_hits (query_set VARCHAR, query_id VARCHAR, query_version VARCHAR);
CREATE TEMP TABLE public_answers (
    query_set VARCHAR, query_id VARCHAR, query_version VARCHAR, day DATE, truncated BOOLEAN
);
"""
"""For databases that know private videos alone."""

_FAILURES: Final = """
SELECT step, subject, day, reason, count FROM failures WHERE resolved_at IS NULL
ORDER BY last_failed_at DESC NULLS LAST, step, subject LIMIT 1000
"""


def read_contents(database_path: Path | str, *, max_hits: int) -> ReportContents:
    """Read what a report shows.

    Args:
        database_path: The published DuckDB file; it is opened read-only.
        max_hits: How many hits at most. Each query gets the same share, its best scores first.

    Raises:
        NotPublishedError: there is no database yet.
        ReadError: the database cannot be opened.
    """
    with open_read_only(database_path) as connection:
        # Text, so that DuckDB needs no time zone database of Python's.
        published_at = datetime.fromisoformat(_rows(connection, "SELECT published_at::VARCHAR FROM publication")[0][0])
        if not _rows(connection, "SELECT 1 FROM duckdb_functions() WHERE function_name = 'coverage_gaps'"):
            connection.execute(_GAPS_IN_EARLIER_DATABASES)
        views = {name for (name,) in _rows(connection, "SELECT view_name FROM duckdb_views()")}
        has_libraries = {"current_image_hits", "current_public_hits"} <= views
        if not has_libraries:
            connection.execute(_LIBRARIES_IN_EARLIER_DATABASES)
        queries = tuple(ReportQuery(*row) for row in _rows(connection, _QUERIES))
        keys = [(query.query_set, query.query_id, query.query_version) for query in queries]
        media, hits = read_hits(connection, keys, max_hits=max_hits, of_videos_alone=not has_libraries)
        return ReportContents(
            published_at=published_at,
            queries=queries,
            media=media,
            hits=hits,
            hits_total=sum(query.hits for query in queries),
            videos_ready=_rows(connection, "SELECT count(*) FROM videos WHERE state = 'ready'")[0][0],
            images_uploaded=_rows(connection, "SELECT count(*) FROM images WHERE state = 'uploaded'")[0][0],
            spend=_read_spend(connection),
            coverage=tuple(DayCoverage(*row) for row in _rows(connection, _COVERAGE)),
            failures=tuple(ReportFailure(*row) for row in _rows(connection, _FAILURES)),
            changes=read_changes(connection),
        )


def _read_spend(connection: duckdb.DuckDBPyConnection) -> tuple[DaySpend, ...]:
    """What was spent; a database of an earlier version has no sums of calls of long ago."""
    there = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND table_name = 'api_call_totals'"
    )
    older = _OLDER_SPEND if there.fetchone() else ""
    return tuple(DaySpend(*row) for row in _rows(connection, _SPEND.format(older=older)))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
