"""The ledger's tables as rows of the warehouse's tables of the same names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from visualsearch_pipeline.ledger import ArchiveState
from visualsearch_pipeline.ledger.schema import api_calls, archive, contents, coverage, failures, queries, videos
from visualsearch_pipeline.ledger.schema_images import image_coverage, images
from visualsearch_pipeline.ledger.schema_public import public_answers, public_videos
from visualsearch_pipeline.ledger.schema_sources import imported_videos
from visualsearch_pipeline.ledger.schema_upkeep import api_call_totals, remote_deletions
from visualsearch_pipeline.ledger.videos import MEDIA_URI, VIDEOS_AND_CONTENTS
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.warehouse import TableSpec


def ledger_table(pipeline: Pipeline, spec: TableSpec, *conditions: sa.ColumnElement[bool]) -> pa.Table:
    """The rows of a warehouse table that the ledger holds.

    Args:
        pipeline: The run.
        spec: The table.
        conditions: Which rows, on columns of the ledger's table; all if there is none.
    """
    rows = [_adapted(row) for row in pipeline.ledger.rows(_select(spec).where(*conditions))]
    return pa.Table.from_pylist(rows, schema=spec.arrow_schema)


def _adapted(row: Mapping[str, object]) -> Mapping[str, object]:
    if "definition" in row:
        return {**row, "definition": json.dumps(row["definition"], ensure_ascii=False, sort_keys=True)}
    if "call_id" in row:
        started_at: Any = row["started_at"]
        return {**row, "day": started_at.astimezone(UTC).date()}
    return row


def _select(spec: TableSpec) -> sa.Select[*tuple[Any, ...]]:
    source = _SOURCES[spec.name]
    names = [column.name for column in spec.columns if (spec.name, column.name) not in _ADDED]
    select: sa.Select[*tuple[Any, ...]] = sa.select(*(_column(source, name).label(name) for name in names))
    if source is videos:
        return select.select_from(VIDEOS_AND_CONTENTS)
    select = select.select_from(source)
    if source is archive:
        return select.where(archive.c.state != ArchiveState.WANTED)
    return select


def _column(source: sa.Table, name: str) -> sa.ColumnElement[Any]:
    derived = _DERIVED.get((source.name, name))
    if derived is not None:
        return derived
    return source.c[name] if name in source.c or source is not videos else contents.c[name]


_SOURCES: Final[Mapping[str, sa.Table]] = {
    table.name: table
    for table in (
        videos,
        coverage,
        queries,
        api_calls,
        archive,
        failures,
        images,
        image_coverage,
        public_videos,
        public_answers,
        api_call_totals,
        remote_deletions,
        imported_videos,
    )
}

_ADDED: Final = frozenset({("api_calls", "day")})
"""Columns that the ledger has no column for."""

_DERIVED: Final[Mapping[tuple[str, str], sa.ColumnElement[Any]]] = {
    ("videos", "media_uri"): MEDIA_URI,
    ("videos", "media_name"): sa.func.coalesce(contents.c.name, videos.c.name),
    ("images", "media_uri"): images.c.uri,
    ("images", "media_name"): images.c.name,
    ("queries", "is_current"): queries.c.retired_at.is_(None),
    ("failures", "count"): failures.c.failure_count,
    ("api_calls", "call_id"): sa.cast(api_calls.c.call_id, sa.String),
    # The service's word once it has one; until then what the file says of itself.
    **{
        ("videos", name): sa.func.coalesce(videos.c[name], contents.c[name])
        for name in ("duration_seconds", "size_bytes", "width", "height", "fps")
    },
}
