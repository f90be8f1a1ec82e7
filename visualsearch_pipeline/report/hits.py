"""Hits of a report, whichever library they are in: private videos, private images, and the vendor's public videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import duckdb

from visualsearch_pipeline.report.pictures import PictureSource

Library: TypeAlias = Literal["video", "image", "public"]
"""What was found: a private video, a private image, or a public video."""

QueryKey: TypeAlias = tuple[str, str, str]
"""Query set, query id and query version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMedium:
    """A video or an image that has hits.

    Attributes:
        library: Where it was found.
        number: The service's id of it.
        name: What people know it by; the title of a public video.
        media_uri: The source file of what is private.
        duration_seconds: Length of a video, in seconds.
        camera_model: The camera, as the file says.
        location: The file to open: a video's archived original, an image's source file; None where there is none.
        platform: Where a public video was posted; None where that is not known.
        creator: Who posted it.
        post_url: The address of its post.
    """

    library: Library
    number: str
    name: str
    media_uri: str | None = None
    duration_seconds: float | None = None
    camera_model: str | None = None
    location: str | None = None
    platform: str | None = None
    creator: str | None = None
    post_url: str | None = None


@dataclass(frozen=True, slots=True)
class ReportHit:
    """One hit; `query` and `medium` are positions in `ReportContents`.

    `day` is that of the footage or the image; for a public video, the one on which the library was asked.
    """

    query: int
    medium: int
    day: date
    start_seconds: float | None
    end_seconds: float | None
    score: float | None
    text: str | None
    picture: PictureSource | None


_FOUND_IN_VIDEOS: Final = """
    SELECT 'video' AS library, query_set, query_id, query_version, video_no AS number, day, start_seconds,
           end_seconds, score, text, video_name AS name, media_uri, keyframe_bucket, keyframe_blob
    FROM hits SEMI JOIN (FROM queries WHERE is_current) AS asked USING (query_set, query_id, query_version)
"""
_FOUND_ELSEWHERE: Final = """
    UNION ALL BY NAME
    SELECT 'image' AS library, query_set, query_id, query_version, image_id AS number, day, score,
           image_name AS name, media_uri
    FROM current_image_hits
    UNION ALL BY NAME
    SELECT 'public' AS library, query_set, query_id, query_version, video_no AS number, day, start_seconds,
           end_seconds, score, text, video_name AS name
    FROM current_public_hits
"""

_HITS: Final = """
WITH found AS (
    {found}
), placed AS (
    SELECT *, row_number() OVER (
        PARTITION BY query_set, query_id, query_version
        ORDER BY score DESC NULLS LAST, day DESC, number, start_seconds
    ) AS place
    FROM found
), shown AS (
    SELECT * FROM placed ORDER BY place, query_set, query_id, query_version LIMIT $max_hits
), keyframes AS (
    SELECT bucket, blob, min(path) AS path, min(sha256) AS sha256
    FROM archive WHERE kind = 'keyframe' AND state = 'archived' GROUP BY ALL
)
SELECT query_set, query_id, query_version, library, number, day, start_seconds, end_seconds, score, text, name,
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

_IMAGES: Final = """
SELECT image_id, media_name, media_uri, camera_model, sha256
FROM images SEMI JOIN current_image_hits USING (image_id)
"""

_PUBLIC_VIDEOS: Final = """
SELECT video_no, platform, video_name, creator, duration_seconds, video_url
FROM public_videos SEMI JOIN current_public_hits USING (video_no)
"""

_FILE_SCHEME: Final = "file://"
_WEB_SCHEMES: Final = frozenset({"http", "https"})


def read_hits(
    connection: duckdb.DuckDBPyConnection, queries: Sequence[QueryKey], *, max_hits: int, of_videos_alone: bool
) -> tuple[tuple[ReportMedium, ...], tuple[ReportHit, ...]]:
    """The hits to show and what they are in; the best of every query first.

    Args:
        connection: The published database.
        queries: Set, id and version of every query that is shown.
        max_hits: How many hits at most. Each query gets the same share, its best scores first.
        of_videos_alone: Whether the database is of a version that knows private videos alone.
    """
    found = _FOUND_IN_VIDEOS if of_videos_alone else f"{_FOUND_IN_VIDEOS} {_FOUND_ELSEWHERE}"
    shown = connection.execute(_HITS.format(found=found), {"max_hits": max_hits}).fetchall()
    known = _Known(connection, of_videos_alone=of_videos_alone)
    positions_of_queries = {query: position for position, query in enumerate(queries)}
    media: list[ReportMedium] = []
    positions: dict[tuple[Library, str], int] = {}
    hits: list[ReportHit] = []
    for row in shown:
        library, number, day, start, end, score, text, name, media_uri, keyframe, keyframe_sha256 = row[3:]
        if (library, number) not in positions:
            positions[library, number] = len(media)
            media.append(known.medium(library, number, name=name, media_uri=media_uri))
        if keyframe is not None:
            picture: PictureSource | None = PictureSource(keyframe, keyframe_sha256 or "")
        else:
            picture = known.picture(library, number, start_seconds=start)
        query = positions_of_queries[tuple(row[:3])]
        hits.append(ReportHit(query, positions[library, number], day, start, end, score, text, picture))
    return tuple(media), tuple(hits)


class _Known:
    """What the database has of videos and images that hits are in."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, of_videos_alone: bool) -> None:
        self._videos = _by_number(connection, _VIDEOS)
        self._images = {} if of_videos_alone else _by_number(connection, _IMAGES)
        self._public = {} if of_videos_alone else _by_number(connection, _PUBLIC_VIDEOS)

    def medium(self, library: Library, number: str, *, name: str | None, media_uri: str | None) -> ReportMedium:
        """What a hit is in; `name` and `media_uri` as the hit has them."""
        match library:
            case "video":
                media_name, video_name, uri, duration, camera, path, _ = self._videos.get(number, (None,) * 7)
                return ReportMedium(
                    library=library,
                    number=number,
                    name=media_name or video_name or name or number,
                    media_uri=uri or media_uri,
                    duration_seconds=duration,
                    camera_model=camera,
                    location=path,
                )
            case "image":
                media_name, uri, camera, _ = self._images.get(number, (None,) * 4)
                uri = uri or media_uri
                return ReportMedium(
                    library=library,
                    number=number,
                    name=media_name or name or number,
                    media_uri=uri,
                    camera_model=camera,
                    # Only files: the service's links to images are signed and expire.
                    location=_source_path(uri),
                )
            case "public":
                platform, title, creator, duration, url = self._public.get(number, (None,) * 5)
                return ReportMedium(
                    library=library,
                    number=number,
                    name=title or name or number,
                    duration_seconds=duration,
                    platform=platform,
                    creator=creator,
                    # The address comes from people who post: nothing but a web address may become a link.
                    post_url=url if url and urlsplit(url).scheme in _WEB_SCHEMES else None,
                )

    def picture(self, library: Library, number: str, *, start_seconds: float | None) -> PictureSource | None:
        """What a hit without a keyframe can have its picture of."""
        if library == "video" and number in self._videos:
            path, sha256 = self._videos[number][-2:]
            return PictureSource(path, sha256 or "", at_seconds=start_seconds or 0.0) if path is not None else None
        if library == "image" and number in self._images:
            _, uri, _, sha256 = self._images[number]
            path = _source_path(uri)
            return PictureSource(path, sha256, is_sha256_checked=True) if path is not None else None
        return None


def _source_path(uri: str | None) -> str | None:
    """The local file of the source that a `media_uri` names: those are not percent-encoded."""
    return uri.removeprefix(_FILE_SCHEME) if uri and uri.startswith(_FILE_SCHEME) else None


def _by_number(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in connection.execute(sql).fetchall()}
