"""Where news stands in the published tables: of private videos, of private images, of the public library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class NewsSource:
    """One kind of news.

    Attributes:
        relation: The table or view that has it; databases of an earlier version may lack it.
        sets: SQL for every set of new hits that was noticed after `$since_us`: query set, id and version, run, mark,
            how many hits in how many media, first and last day, when it was noticed in microseconds. Two sets with the
            same names and mark are the same news.
        best: SQL for the best `$most` hits of one set, by query set, id, version and mark.
        one: What a hit is in, in words.
        many: The same of several.
        counted_as: The field of an alert that says in how many.
    """

    relation: str
    sets: str
    best: str
    one: str
    many: str
    counted_as: str


_OF_SET: Final = "query_set = $query_set AND query_id = $query_id AND query_version = $query_version"

_VIDEOS: Final = NewsSource(
    relation="hit_changes",
    sets="""
        SELECT query_set, query_id, query_version, run_id, run_id AS mark,
               count(*) AS new_hits, count(DISTINCT video_no) AS media,
               min(day) AS first_day, max(day) AS last_day, epoch_us(max(detected_at)) AS detected_us
        FROM hit_changes
        WHERE change = 'new' AND run_id IS NOT NULL AND epoch_us(detected_at) > $since_us
        GROUP BY query_set, query_id, query_version, run_id
    """,
    best=f"""
        SELECT new.day, new.video_no, new.media_uri, new.video_name, new.start_seconds, new.end_seconds, new.score,
               new.text, shown.path AS keyframe_path
        FROM (FROM hit_changes WHERE change = 'new' AND {_OF_SET} AND run_id = $mark) AS new
        LEFT JOIN keyframes AS shown
          ON shown.day = new.day AND shown.video_no = new.video_no
         AND shown.bucket = new.keyframe_bucket AND shown.blob = new.keyframe_blob
        ORDER BY new.score DESC NULLS LAST, new.day DESC, new.video_no, new.start_seconds
        LIMIT $most
    """,  # noqa: S608 - our own words
    one="video",
    many="videos",
    counted_as="videos",
)

_IMAGES: Final = NewsSource(
    relation="new_image_hits",
    sets="""
        SELECT query_set, query_id, query_version, found_run_id AS run_id, 'images' || chr(0) || found_run_id AS mark,
               count(*) AS new_hits, count(DISTINCT image_id) AS media,
               min(day) AS first_day, max(day) AS last_day, epoch_us(max(found_at)) AS detected_us
        FROM new_image_hits
        WHERE epoch_us(found_at) > $since_us
        GROUP BY query_set, query_id, query_version, found_run_id
    """,
    best=f"""
        SELECT day, image_id, media_uri, image_name, score, captured_at::VARCHAR AS captured_at, camera_model
        FROM new_image_hits
        WHERE {_OF_SET} AND 'images' || chr(0) || found_run_id = $mark
        ORDER BY score DESC NULLS LAST, day DESC, image_id
        LIMIT $most
    """,  # noqa: S608 - our own words
    one="image",
    many="images",
    counted_as="images",
)

# A day is news once: asked again on the same day, the public library is compared with the same day before.
_PUBLIC: Final = NewsSource(
    relation="public_hit_changes",
    sets="""
        SELECT query_set, query_id, query_version, any_value(run_id) AS run_id, 'public' || chr(0) || day AS mark,
               count(*) AS new_hits, count(*) AS media,
               min(day) AS first_day, max(day) AS last_day, epoch_us(max(asked_at)) AS detected_us
        FROM public_hit_changes JOIN public_answers USING (query_set, query_id, query_version, day)
        WHERE change = 'new' AND epoch_us(asked_at) > $since_us
        GROUP BY query_set, query_id, query_version, day
    """,
    best=f"""
        SELECT new.day, found.platform, new.video_no, coalesce(told.video_name, new.video_name) AS video_name,
               told.creator, told.video_url, found.start_seconds, found.end_seconds, found.score, found.text
        FROM (FROM public_hit_changes WHERE change = 'new' AND {_OF_SET} AND 'public' || chr(0) || day = $mark) AS new
        JOIN (
            SELECT DISTINCT ON (day, video_no) * FROM public_hits
            WHERE {_OF_SET} ORDER BY day, video_no, score DESC NULLS LAST, start_seconds
        ) AS found ON found.day = new.day AND found.video_no = new.video_no
        LEFT JOIN public_videos AS told ON told.video_no = new.video_no
        ORDER BY found.score DESC NULLS LAST, new.video_no
        LIMIT $most
    """,  # noqa: S608 - our own words
    one="public video",
    many="public videos",
    counted_as="videos",
)

NEWS_SOURCES: Final = (_VIDEOS, _IMAGES, _PUBLIC)
