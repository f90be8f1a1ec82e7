"""Search over the private image library."""

import json

from sqlalchemy import func, select

from visualsearch_pipeline.sandbox.searching.words import Query, stems, tag_words
from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.database import Database
from visualsearch_pipeline.sandbox.state.entries import ImageEntry, Scope
from visualsearch_pipeline.sandbox.state.library import VideoFilter
from visualsearch_pipeline.sandbox.state.places import NEARBY_KM

_IMAGE = tables.images.c
_NAME_WEIGHT, _TAG_WEIGHT = 0.8, 0.8


def search_images(
    database: Database, query: Query, scope: Scope, wanted: VideoFilter
) -> list[tuple[ImageEntry, float]]:
    """Images whose description, name or tags share words with the query, and their scores, best first."""
    scored = [(image, _score(query, image)) for image in _candidates(database, scope, wanted)]
    hits = [(image, score) for image, score in scored if score > 0]
    return sorted(hits, key=lambda hit: (-hit[1], -hit[0].image_id))


def image_by_blob(database: Database, bucket: str, blob: str) -> ImageEntry | None:
    """The image that lies at this place."""
    with database.read() as connection:
        query = select(tables.images).where(_IMAGE.bucket == bucket, _IMAGE.blob == blob)
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else ImageEntry.from_row(row)


def _score(query: Query, image: ImageEntry) -> float:
    return query.score(
        (stems(image.words), 1.0), (stems(image.name), _NAME_WEIGHT), (tag_words(image.tags), _TAG_WEIGHT)
    )


def _candidates(database: Database, scope: Scope, wanted: VideoFilter) -> list[ImageEntry]:
    conditions = [_IMAGE.account == scope.library]
    if scope.unique_id is not None:
        conditions.append(_IMAGE.unique_id == scope.unique_id)
    if scope.folder_id is not None:
        conditions.append(_IMAGE.folder_id == scope.folder_id)
    if wanted.tag is not None:
        conditions.append(_IMAGE.tags.contains(json.dumps(wanted.tag, ensure_ascii=False), autoescape=True))
    if wanted.camera_model is not None:
        conditions.append(_IMAGE.camera_model == wanted.camera_model)
    if wanted.taken_since_ms is not None:
        conditions.append(_IMAGE.datetime_taken_ms >= wanted.taken_since_ms)
    if wanted.near is not None:
        conditions.append(func.distance_km(_IMAGE.latitude, _IMAGE.longitude, *wanted.near) <= NEARBY_KM)
    with database.read() as connection:
        rows = connection.execute(select(tables.images).where(*conditions)).mappings()
        return [ImageEntry.from_row(row) for row in rows]
