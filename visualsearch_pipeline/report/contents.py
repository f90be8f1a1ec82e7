"""What a report shows, read from the published database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from visualsearch_pipeline.report.changes import Change, read_changes
from visualsearch_pipeline.report.pictures import PictureSource
from visualsearch_pipeline.warehouse import open_read_only


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """A saved query as it is asked today, with how far it has been answered.

    `videos_to_search` counts all that it concerns, those that it has been asked about (`videos_searched`) included.
    """

    query_set: str
    query_id: str
    query_version: str
    kind: str
    asks: str | None
    description: str | None
    hits: int
    videos_searched: int
    videos_to_search: int
    videos_truncated: int


@dataclass(frozen=True, slots=True)
class ReportVideo:
    """A video that has hits. `location` is its archived original, if there is one."""

    video_no: str
    name: str
    media_uri: str | None
    duration_seconds: float | None
    camera_model: str | None
    location: str | None


@dataclass(frozen=True, slots=True)
class ReportHit:
    """One hit; `query` and `video` are positions in `ReportContents`."""

    query: int
    video: int
    day: date
    start_seconds: float | None
    end_seconds: float | None
    score: float | None
    text: str | None
    picture: PictureSource | None


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
    videos: tuple[ReportVideo, ...]
    hits: tuple[ReportHit, ...]
    hits_total: int
    videos_ready: int
    spend: tuple[DaySpend, ...]
    coverage: tuple[DayCoverage, ...]
    failures: tuple[ReportFailure, ...]
    changes: tuple[Change, ...] | None


_QUERIES: Final = """
WITH counted AS (
    SELECT query_set, query_id, query_version, count(*) AS hits FROM hits GROUP BY ALL
), searched AS (
    SELECT query_set, query_id, query_version, count(DISTINCT video_no) AS searched,
           count(DISTINCT video_no) FILTER (truncated) AS truncated
    FROM coverage JOIN videos USING (video_no) WHERE videos.state = 'ready' GROUP BY ALL
), gaps AS (
    SELECT query_set, query_id, query_version, count(*) AS missing FROM coverage_gaps() GROUP BY ALL
)
SELECT query_set, query_id, query_version, kind, asks, description,
       coalesce(counted.hits, 0), coalesce(searched.searched, 0),
       coalesce(searched.searched, 0) + coalesce(gaps.missing, 0), coalesce(searched.truncated, 0)
FROM queries
LEFT JOIN gaps USING (query_set, query_id, query_version)
LEFT JOIN counted USING (query_set, query_id, query_version)
LEFT JOIN searched USING (query_set, query_id, query_version)
-- The page is about videos: what asks private images or the public library has tables of its own, and no zero here.
WHERE is_current AND kind IN ('text', 'image', 'image_in_video', 'transcript')
ORDER BY query_set, query_id, query_version
"""

_HITS: Final = """
WITH asked AS (
    SELECT query_set, query_id, query_version FROM queries WHERE is_current
), placed AS (
    SELECT hits.*, row_number() OVER (
        PARTITION BY query_set, query_id, query_version
        ORDER BY score DESC NULLS LAST, day DESC, video_no, start_seconds
    ) AS place
    FROM hits SEMI JOIN asked USING (query_set, query_id, query_version)
), shown AS (
    SELECT * FROM placed ORDER BY place, query_set, query_id, query_version LIMIT $max_hits
), keyframes AS (
    SELECT bucket, blob, min(path) AS path, min(sha256) AS sha256
    FROM archive WHERE kind = 'keyframe' AND state = 'archived' GROUP BY ALL
)
SELECT query_set, query_id, query_version, video_no, day, start_seconds, end_seconds, score, text, video_name,
       media_uri, keyframes.path, keyframes.sha256
FROM shown
LEFT JOIN keyframes ON keyframes.bucket = shown.keyframe_bucket AND keyframes.blob = shown.keyframe_blob
ORDER BY place, query_set, query_id, query_version
"""

_VIDEOS: Final = """
WITH originals AS (
    SELECT video_no, min(path) AS path, min(sha256) AS sha256
    FROM archive WHERE kind = 'video' AND state = 'archived' GROUP BY ALL
)
SELECT video_no, media_name, video_name, media_uri, duration_seconds, camera_model, originals.path,
       coalesce(originals.sha256, videos.sha256)
FROM videos LEFT JOIN originals USING (video_no)
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
        queries = tuple(ReportQuery(*row) for row in _rows(connection, _QUERIES))
        videos, hits = _read_hits(connection, queries, max_hits=max_hits)
        return ReportContents(
            published_at=published_at,
            queries=queries,
            videos=videos,
            hits=hits,
            hits_total=sum(query.hits for query in queries),
            videos_ready=_rows(connection, "SELECT count(*) FROM videos WHERE state = 'ready'")[0][0],
            spend=_read_spend(connection),
            coverage=tuple(DayCoverage(*row) for row in _rows(connection, _COVERAGE)),
            failures=tuple(ReportFailure(*row) for row in _rows(connection, _FAILURES)),
            changes=read_changes(connection),
        )


def _read_hits(
    connection: duckdb.DuckDBPyConnection, queries: Sequence[ReportQuery], *, max_hits: int
) -> tuple[tuple[ReportVideo, ...], tuple[ReportHit, ...]]:
    known = {row[0]: row for row in _rows(connection, _VIDEOS)}
    query_positions = {(q.query_set, q.query_id, q.query_version): position for position, q in enumerate(queries)}
    videos: list[ReportVideo] = []
    positions: dict[str, int] = {}
    hits: list[ReportHit] = []
    for row in connection.execute(_HITS, {"max_hits": max_hits}).fetchall():
        video_no, day, start, end, score, text, video_name, media_uri, picture_path, picture_sha256 = row[3:]
        video = known.get(video_no, (video_no, None, video_name, media_uri, None, None, None, None))
        if video_no not in positions:
            positions[video_no] = len(videos)
            name = video[1] or video[2] or video_name or video_no
            videos.append(ReportVideo(video_no, name, video[3] or media_uri, video[4], video[5], video[6]))
        picture: PictureSource | None = None
        if picture_path is not None:
            picture = PictureSource(picture_path, picture_sha256 or "")
        elif video[6] is not None:
            picture = PictureSource(video[6], video[7] or "", at_seconds=start or 0.0)
        position = query_positions[tuple(row[:3])]
        hits.append(ReportHit(position, positions[video_no], day, start, end, score, text, picture))
    return tuple(videos), tuple(hits)


def _read_spend(connection: duckdb.DuckDBPyConnection) -> tuple[DaySpend, ...]:
    """What was spent; a database of an earlier version has no sums of calls of long ago."""
    there = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND table_name = 'api_call_totals'"
    )
    older = _OLDER_SPEND if there.fetchone() else ""
    return tuple(DaySpend(*row) for row in _rows(connection, _SPEND.format(older=older)))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
