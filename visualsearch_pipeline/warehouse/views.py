"""What the published database offers beside its tables: views and macros, each with its meaning.

They are kept in the database and cost nothing until they are asked. One description serves the database's comments and
the documentation.
"""

from __future__ import annotations

from typing import Final

from visualsearch_pipeline.warehouse.hit_schemas import HITS
from visualsearch_pipeline.warehouse.library_views import LIBRARY_MACROS, LIBRARY_VIEWS
from visualsearch_pipeline.warehouse.schemas import ARCHIVE
from visualsearch_pipeline.warehouse.table_spec import ColumnSpec
from visualsearch_pipeline.warehouse.view_specs import MacroSpec, ViewSpec


def _as_in_hits(*names: str) -> tuple[ColumnSpec, ...]:
    return tuple(HITS.column(name) for name in names)


def _counted(name: str, description: str) -> ColumnSpec:
    return ColumnSpec(name, ARCHIVE.column("size_bytes").type, description, nullable=False)


MOMENTS: Final = ViewSpec(
    name="moments",
    description="One row per stretch of a video that a query hit: hits that overlap or touch are one moment.",
    columns=(
        *_as_in_hits("query_set", "query_id", "query_version", "day", "video_no", "media_uri", "video_name"),
        ColumnSpec("start_seconds", HITS.column("start_seconds").type, "Where its first hit begins, in seconds."),
        ColumnSpec("end_seconds", HITS.column("end_seconds").type, "Where its last hit ends, in seconds."),
        ColumnSpec("score", HITS.column("score").type, "The best score of its hits."),
        _counted("hits", "How many hits it is made of."),
        ColumnSpec("text", HITS.column("text").type, "Text of the best hit that has one."),
        ColumnSpec("keyframe_bucket", HITS.column("keyframe_bucket").type, "Bucket of the best hit's picture."),
        ColumnSpec("keyframe_blob", HITS.column("keyframe_blob").type, "Path of that picture in its bucket."),
        ColumnSpec("searched_at", HITS.column("searched_at").type, "When its newest hit was found."),
    ),
    # A hit opens a moment unless it begins before all hits so far have ended. One without a start stands alone.
    sql="""
        SELECT query_set, query_id, query_version, day, video_no, any_value(media_uri) AS media_uri,
               any_value(video_name) AS video_name, min(start_seconds) AS start_seconds,
               max(coalesce(end_seconds, start_seconds)) AS end_seconds, max(score) AS score, count(*) AS hits,
               first(text ORDER BY rank) FILTER (text IS NOT NULL) AS text,
               first(keyframe_bucket ORDER BY rank) FILTER (keyframe_blob IS NOT NULL) AS keyframe_bucket,
               first(keyframe_blob ORDER BY rank) FILTER (keyframe_blob IS NOT NULL) AS keyframe_blob,
               max(searched_at) AS searched_at
        FROM (
            SELECT *, count(*) FILTER (opens) OVER in_order AS moment
            FROM (
                SELECT *, coalesce(start_seconds > max(coalesce(end_seconds, start_seconds)) OVER before, true) AS opens
                FROM hits
                WINDOW before AS (
                    PARTITION BY query_set, query_id, query_version, day, video_no
                    ORDER BY start_seconds NULLS FIRST, end_seconds, rank
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                )
            )
            WINDOW in_order AS (
                PARTITION BY query_set, query_id, query_version, day, video_no
                ORDER BY start_seconds NULLS FIRST, end_seconds, rank
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            )
        )
        GROUP BY query_set, query_id, query_version, day, video_no, moment
    """,
)

KEYFRAMES: Final = ViewSpec(
    name="keyframes",
    description="One row per picture that stands for hits, with its place in the archive and what proves it whole.",
    columns=(
        *_as_in_hits("day", "video_no", "media_uri"),
        ColumnSpec("bucket", HITS.column("keyframe_bucket").type, "Bucket at the service."),
        ColumnSpec("blob", HITS.column("keyframe_blob").type, "Path in that bucket."),
        _counted("hits", "How many hits it stands for, those of earlier query versions included."),
        ColumnSpec("state", ARCHIVE.column("state").type, "archived, failed, or absent while it was not fetched."),
        *(ARCHIVE.column(name) for name in ("path", "size_bytes", "sha256", "proven_by", "archived_at")),
    ),
    sql="""
        SELECT shown.day, shown.video_no, shown.media_uri, shown.bucket, shown.blob, shown.hits,
               kept.state, kept.path, kept.size_bytes, kept.sha256, kept.proven_by, kept.archived_at
        FROM (
            SELECT day, video_no, any_value(media_uri) AS media_uri, keyframe_bucket AS bucket, keyframe_blob AS blob,
                   count(*) AS hits
            FROM hits
            WHERE keyframe_bucket IS NOT NULL AND keyframe_blob IS NOT NULL
            GROUP BY day, video_no, keyframe_bucket, keyframe_blob
        ) AS shown
        LEFT JOIN (FROM archive WHERE kind = 'keyframe') AS kept USING (bucket, blob)
    """,
)

VIEWS: Final = (MOMENTS, KEYFRAMES, *LIBRARY_VIEWS)
"""Every view but those of the query sets."""

_CURRENT: Final = "SEMI JOIN (FROM queries WHERE is_current) AS asked USING (query_set, query_id, query_version)"

MACROS: Final = (
    MacroSpec(
        name="hits_of",
        parameters=("wanted_query_id",),
        description="The hits of one query as it asks today, in every set that has it, best first.",
        example="FROM hits_of('red_truck')",
        sql=f"""
            SELECT hits.* FROM hits {_CURRENT}
            WHERE hits.query_id = wanted_query_id
            ORDER BY score DESC NULLS LAST, day DESC, video_no, start_seconds
        """,  # noqa: S608 - our own words
    ),
    MacroSpec(
        name="top_hits",
        parameters=("wanted_hits",),
        description="The best hits of each query as it asks today, over all days; at most so many a query.",
        example="FROM top_hits(3)",
        sql=f"""
            SELECT hits.* FROM hits {_CURRENT}
            QUALIFY row_number() OVER (
                PARTITION BY query_set, query_id ORDER BY score DESC NULLS LAST, day DESC, video_no, start_seconds
            ) <= wanted_hits
            ORDER BY query_set, query_id, score DESC NULLS LAST, day DESC, video_no, start_seconds
        """,  # noqa: S608 - our own words
    ),
    MacroSpec(
        name="coverage_gaps",
        parameters=(),
        description=(
            "What is still to be asked: each query of today with each ready video that it concerns and that has no "
            "answer."
        ),
        example="SELECT query_id, count(*) FROM coverage_gaps() GROUP BY ALL",
        # An image within a video concerns each video, those in a list, or those that another query hit.
        sql="""
            SELECT asked.query_set, asked.query_id, asked.query_version, videos.video_no, videos.day, videos.media_uri,
                   videos.ready_at
            FROM (
                SELECT *, json_extract_string(definition, '$.within.query_version') AS within_hits_of,
                       CASE json_type(definition, '$.within')
                           WHEN 'ARRAY' THEN from_json(json_extract(definition, '$.within'), '["VARCHAR"]')
                       END AS within_videos
                FROM queries WHERE is_current AND kind IN ('text', 'image', 'image_in_video', 'transcript')
            ) AS asked
            JOIN videos ON videos.state = 'ready'
            LEFT JOIN coverage AS answered
              ON answered.query_set = asked.query_set AND answered.query_id = asked.query_id
             AND answered.query_version = asked.query_version AND answered.video_no = videos.video_no
            LEFT JOIN (
                SELECT DISTINCT query_set, query_version, video_no FROM coverage WHERE hits > 0
            ) AS candidates
              ON candidates.query_set = asked.query_set AND candidates.query_version = asked.within_hits_of
             AND candidates.video_no = videos.video_no
            WHERE answered.video_no IS NULL
              AND (asked.within_videos IS NULL OR list_contains(asked.within_videos, videos.video_no))
              AND (asked.within_hits_of IS NULL OR candidates.video_no IS NOT NULL)
            ORDER BY asked.query_set, asked.query_id, videos.day DESC, videos.video_no
        """,
    ),
    MacroSpec(
        name="spend_by",
        parameters=("what",),
        description=(
            "Calls and their cost in US dollars by 'day', 'operation' or 'query'. By query, searches only: under the "
            "name of the query that asks this text, phrase or image, or in the call's words where no single query does."
        ),
        example="FROM spend_by('day')",
        sql="""
            SELECT spent_on, sum(calls)::BIGINT AS calls,
                   coalesce(sum(calls) FILTER (outcome <> 'ok'), 0)::BIGINT AS failed_calls, sum(cost_usd) AS cost_usd
            FROM (
                SELECT billed.outcome, billed.calls, billed.cost_usd, CASE what WHEN 'day' THEN day END AS in_order_of,
                       CASE what
                           WHEN 'day' THEN CAST(day AS VARCHAR)
                           WHEN 'operation' THEN operation
                           WHEN 'query' THEN coalesce(named.query, billed.asked, operation)
                           ELSE error('spend_by takes ''day'', ''operation'' or ''query''')
                       END AS spent_on
                FROM (
                    SELECT CAST(started_at AT TIME ZONE 'UTC' AS DATE) AS day, operation, outcome, 1 AS calls, cost_usd,
                           CASE operation
                               WHEN 'search_clips_by_image' THEN regexp_replace(item, ' in [^ ]+$', '')
                               ELSE item
                           END AS asked
                    FROM api_calls
                    UNION ALL BY NAME
                    SELECT day, operation, outcome, calls, cost_usd, asked FROM api_call_totals
                ) AS billed
                LEFT JOIN (
                    SELECT asks, any_value(query_set || '.' || query_id) AS query,
                           CASE kind
                               WHEN 'text' THEN 'search'
                               WHEN 'image' THEN 'search_similar_images'
                               WHEN 'image_in_video' THEN 'search_clips_by_image'
                               WHEN 'transcript' THEN 'search_audio_transcripts'
                               WHEN 'text_in_images' THEN 'search'
                               WHEN 'public_text' THEN 'search_public'
                               WHEN 'public_image' THEN 'search_public_similar_images'
                               WHEN 'public_transcript' THEN 'search_public_audio_transcripts'
                           END AS asked_by
                    FROM queries
                    GROUP BY asks, asked_by HAVING count(DISTINCT query_set || '.' || query_id) = 1
                ) AS named
                  ON what = 'query' AND named.asks = billed.asked AND named.asked_by = billed.operation
                WHERE what <> 'query' OR operation LIKE 'search%'
            )
            GROUP BY spent_on
            ORDER BY max(in_order_of) DESC NULLS LAST, cost_usd DESC NULLS LAST, spent_on
        """,
    ),
    *LIBRARY_MACROS,
)
"""Every table macro."""


def query_set_view(query_set: str) -> ViewSpec:
    """What a set finds today: hits of the versions that it asks now. All others stay in `hits`."""
    return ViewSpec(
        name=query_set,
        description=f"The hits of the query set {query_set} as it asks today; earlier versions are in hits.",
        columns=HITS.columns,
        # The set is named on both sides, and compared on neither: half the work of the join that the macros make.
        sql=f"""
            SELECT hits.*
            FROM hits
            SEMI JOIN (SELECT query_id, query_version FROM queries WHERE is_current AND query_set = '{query_set}')
              AS asked USING (query_id, query_version)
            WHERE hits.query_set = '{query_set}'
        """,  # noqa: S608 - an identifier
    )
