"""Publishing: the ledger's tables beside the Parquet files, all in one read-only DuckDB file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from visualsearch_pipeline import warehouse
from visualsearch_pipeline.ledger import ArchiveState
from visualsearch_pipeline.ledger.schema import api_calls, archive, contents, coverage, failures, queries, videos
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.search import register_queries
from visualsearch_pipeline.warehouse import Publication, TableSpec
from visualsearch_pipeline.warehouse.schemas import LEDGER_TABLES

_Select = sa.Select[*tuple[Any, ...]]


def publish(pipeline: Pipeline) -> Publication:
    """Bring the published tables up to what the ledger and the Parquet files say.

    Readers are never blocked: the new database is built aside and swapped in; nothing is built if nothing changed.

    Raises:
        PublicationError: the new database could not be built; the old one stands.
    """
    register_queries(pipeline, pipeline.catalog)
    tables = {spec.name: _read(pipeline, spec) for spec in LEDGER_TABLES}
    names = [query_set.name for query_set in pipeline.catalog.files]
    return warehouse.publish(pipeline.store, pipeline.settings.database_path, tables, names)


def _read(pipeline: Pipeline, spec: TableSpec) -> pa.Table:
    rows = [_adapted(row) for row in pipeline.ledger.rows(_select(spec))]
    return pa.Table.from_pylist(rows, schema=spec.arrow_schema)


def _adapted(row: Mapping[str, object]) -> Mapping[str, object]:
    if "definition" not in row:
        return row
    return {**row, "definition": json.dumps(row["definition"], ensure_ascii=False, sort_keys=True)}


def _select(spec: TableSpec) -> _Select:
    """The rows of a published table, from the ledger's table of the same name."""
    source = _SOURCES[spec.name]
    columns = (_column(source, column.name).label(column.name) for column in spec.columns)
    select: _Select = sa.select(*columns).select_from(source)
    if source is videos:
        return select.join(contents, contents.c.sha256 == videos.c.sha256)
    if source is archive:
        return select.where(archive.c.state != ArchiveState.WANTED)
    return select


def _column(source: sa.Table, name: str) -> sa.ColumnElement[Any]:
    derived = _DERIVED.get((source.name, name))
    if derived is not None:
        return derived
    return source.c[name] if name in source.c else contents.c[name]


_SOURCES: Final[Mapping[str, sa.Table]] = {
    table.name: table for table in (videos, coverage, queries, api_calls, archive, failures)
}

_DERIVED: Final[Mapping[tuple[str, str], sa.ColumnElement[Any]]] = {
    ("videos", "media_uri"): contents.c.uri,
    ("videos", "media_name"): contents.c.name,
    ("queries", "is_current"): queries.c.retired_at.is_(None),
    ("failures", "count"): failures.c.failure_count,
    ("api_calls", "call_id"): sa.cast(api_calls.c.call_id, sa.String),
    # The service's word once it has one; until then what the file says of itself.
    **{
        ("videos", name): sa.func.coalesce(videos.c[name], contents.c[name])
        for name in ("duration_seconds", "size_bytes", "width", "height", "fps")
    },
}
