"""The best hits with their pictures, for the UI: small enough to stand in an event."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import date
from typing import Final

import dagster as dg
import fsspec
import pyarrow as pa
from PIL import Image

from visualsearch_pipeline.orchestration.metadata import Metadata, file_name, markdown_table
from visualsearch_pipeline.pipeline.pipeline import Pipeline

_PICTURES: Final = 6
_PICTURE_PIXELS: Final = 120
_JPEG_QUALITY: Final = 60
_COLUMNS: Final = ("query_id", "media_uri", "start_seconds", "score", "keyframe_bucket", "keyframe_blob")


def best_keyframes(pipeline: Pipeline, days: Sequence[date]) -> Metadata:
    """The best hits whose keyframes are archived, as a table with thumbnails of a few kilobytes each.

    The UI shows pictures in Markdown that are given as `data:` addresses; it fetches none from elsewhere.
    """
    archived = {kept.object_key: kept.path for kept in pipeline.ledger.fetches.archived("keyframe", days=days)}
    if not archived:
        return {}
    tables = [
        pipeline.store.read_hits(query_set.name, day).select(_COLUMNS)
        for query_set in pipeline.catalog.sets
        for day in days
    ]
    rows = []
    shown: set[str] = set()
    for hit in pa.concat_tables(tables).sort_by([("score", "descending")]).to_pylist() if tables else []:
        key = f"{hit['keyframe_bucket']}/{hit['keyframe_blob']}"
        if key not in archived or key in shown:
            continue
        picture = _thumbnail(archived[key])
        if picture is None:
            continue
        shown.add(key)
        rows.append((picture, hit["query_id"], file_name(hit["media_uri"] or ""), hit["start_seconds"], hit["score"]))
        if len(rows) == _PICTURES:
            break
    if not rows:
        return {}
    table = markdown_table(("keyframe", "query", "media", "at second", "score"), rows, wide="keyframe")
    return {"best_hits": dg.MetadataValue.md(table)}


def _thumbnail(location: str) -> str | None:
    """A picture in Markdown; None if the file is no picture that can be read, since the archive keeps whatever came."""
    try:
        with fsspec.open(location, "rb") as file, Image.open(file) as picture:
            small = picture.convert("RGB")
    except (OSError, ValueError):
        return None
    small.thumbnail((_PICTURE_PIXELS, _PICTURE_PIXELS))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=_JPEG_QUALITY)
    return f"![keyframe](data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()})"
