"""What the published database offers of private images and of the public library: views and macros."""

from __future__ import annotations

from typing import Final

from visualsearch_pipeline.warehouse.library_schemas import IMAGE_HITS, PUBLIC_HITS, PUBLIC_VIDEOS
from visualsearch_pipeline.warehouse.shared_columns import DAY, STRING
from visualsearch_pipeline.warehouse.table_spec import ColumnSpec
from visualsearch_pipeline.warehouse.view_specs import MacroSpec, ViewSpec

_CURRENT: Final = "SEMI JOIN (FROM queries WHERE is_current) AS asked USING (query_set, query_id, query_version)"

CURRENT_IMAGE_HITS: Final = ViewSpec(
    name="current_image_hits",
    description="The image hits of every query as it asks today; those of earlier versions are in image_hits.",
    columns=IMAGE_HITS.columns,
    sql=f"SELECT image_hits.* FROM image_hits {_CURRENT}",  # noqa: S608 - our own words
)

NEW_IMAGE_HITS: Final = ViewSpec(
    name="new_image_hits",
    description=(
        "The image hits that are news: of images that came into the library after the same version of the query was "
        "first answered. found_at and found_run_id say when, whatever was asked again since."
    ),
    columns=IMAGE_HITS.columns,
    sql="""
        SELECT image_hits.*
        FROM image_hits
        JOIN (
            SELECT query_set, query_id, query_version, min(searched_at) AS first_searched_at
            FROM image_coverage GROUP BY query_set, query_id, query_version
        ) AS answered USING (query_set, query_id, query_version)
        JOIN images USING (image_id)
        WHERE images.uploaded_at > answered.first_searched_at AND image_hits.found_run_id IS NOT NULL
    """,
)

_PUBLIC_DETAILS: Final = ("creator", "hashtags", "published", "like_count", "view_count", "video_url")

CURRENT_PUBLIC_HITS: Final = ViewSpec(
    name="current_public_hits",
    description=(
        "What the public library held for every query when it was last asked as it asks today, with what is known of "
        "the video; earlier days and versions are in public_hits."
    ),
    columns=(*PUBLIC_HITS.columns, *(PUBLIC_VIDEOS.column(name) for name in _PUBLIC_DETAILS)),
    sql=f"""
        SELECT public_hits.*, {", ".join(f"public_videos.{name}" for name in _PUBLIC_DETAILS)}
        FROM public_hits
        JOIN (
            SELECT query_set, query_id, query_version, max(day) AS day
            FROM public_answers {_CURRENT}
            GROUP BY query_set, query_id, query_version
        ) AS newest USING (query_set, query_id, query_version, day)
        LEFT JOIN public_videos USING (video_no)
    """,  # noqa: S608 - our own words
)

PUBLIC_HIT_CHANGES: Final = ViewSpec(
    name="public_hit_changes",
    description=(
        "One row per public video that a query found for the first time since it was asked before, or found before and "
        "not any more. The first day of a query is no news, nor is what a truncated answer may have left out."
    ),
    columns=(
        *(PUBLIC_HITS.column(name) for name in ("query_set", "query_id", "query_version")),
        ColumnSpec("day", DAY, "The UTC date on which it was noticed.", nullable=False),
        ColumnSpec("previous_day", DAY, "The day of asking that it is compared with.", nullable=False),
        ColumnSpec("change", STRING, "new or gone.", nullable=False),
        *(PUBLIC_HITS.column(name) for name in ("video_no", "video_name", "platform", "score")),
    ),
    # A video is compared, not its matches: the public library is indexed anew without notice, and places shift.
    sql="""
        WITH days AS (
            SELECT query_set, query_id, query_version, day, truncated,
                   lag(day) OVER in_order AS previous_day, lag(truncated) OVER in_order AS previous_truncated
            FROM public_answers
            WINDOW in_order AS (PARTITION BY query_set, query_id, query_version ORDER BY day)
        ),
        found AS (
            SELECT query_set, query_id, query_version, day, video_no, any_value(video_name) AS video_name,
                   any_value(platform) AS platform, max(score) AS score
            FROM public_hits GROUP BY query_set, query_id, query_version, day, video_no
        )
        SELECT days.query_set, days.query_id, days.query_version, days.day, days.previous_day, 'new' AS change,
               found.video_no, found.video_name, found.platform, found.score
        FROM days
        JOIN found USING (query_set, query_id, query_version, day)
        ANTI JOIN found AS earlier
          ON earlier.query_set = days.query_set AND earlier.query_id = days.query_id
         AND earlier.query_version = days.query_version AND earlier.day = days.previous_day
         AND earlier.video_no = found.video_no
        WHERE days.previous_day IS NOT NULL AND NOT days.previous_truncated
        UNION ALL
        SELECT days.query_set, days.query_id, days.query_version, days.day, days.previous_day, 'gone' AS change,
               found.video_no, found.video_name, found.platform, found.score
        FROM days
        JOIN found
          ON found.query_set = days.query_set AND found.query_id = days.query_id
         AND found.query_version = days.query_version AND found.day = days.previous_day
        ANTI JOIN found AS later
          ON later.query_set = days.query_set AND later.query_id = days.query_id
         AND later.query_version = days.query_version AND later.day = days.day AND later.video_no = found.video_no
        WHERE NOT days.truncated
    """,
)

LIBRARY_VIEWS: Final = (CURRENT_IMAGE_HITS, NEW_IMAGE_HITS, CURRENT_PUBLIC_HITS, PUBLIC_HIT_CHANGES)

LIBRARY_MACROS: Final = (
    MacroSpec(
        name="image_hits_of",
        parameters=("wanted_query_id",),
        description="The images that one query finds as it asks today, in every set that has it, best first.",
        example="FROM image_hits_of('red_car_photos')",
        sql="""
            SELECT * FROM current_image_hits WHERE query_id = wanted_query_id
            ORDER BY score DESC NULLS LAST, day DESC, image_id
        """,
    ),
    MacroSpec(
        name="public_hits_of",
        parameters=("wanted_query_id",),
        description="What one query found in the public library when it was last asked as it asks today, best first.",
        example="FROM public_hits_of('our_logo')",
        sql="""
            SELECT * FROM current_public_hits WHERE query_id = wanted_query_id
            ORDER BY score DESC NULLS LAST, video_no, start_seconds
        """,
    ),
)
