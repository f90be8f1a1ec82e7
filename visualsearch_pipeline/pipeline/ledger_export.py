"""Writing the ledger's growing tables as Parquet, a part at a time, and only the parts that changed.

What is published says how far the files are: a part whose number of rows, newest row and sums are those of the ledger
is left alone. Killed anywhere, the next run finds the difference again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias

import sqlalchemy as sa

from visualsearch_pipeline.ledger.schema import api_calls, coverage
from visualsearch_pipeline.ledger.schema_images import image_coverage
from visualsearch_pipeline.pipeline.ledger_tables import ledger_table
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.warehouse import ReadError, query
from visualsearch_pipeline.warehouse.ledger_files import drop_earlier_layout
from visualsearch_pipeline.warehouse.library_schemas import IMAGE_COVERAGE
from visualsearch_pipeline.warehouse.schemas import API_CALLS, COVERAGE
from visualsearch_pipeline.warehouse.table_spec import TableSpec

Part: TypeAlias = tuple[str | None, date]
"""A query set, if the table has one in its path, and a day."""

Mark: TypeAlias = tuple[object, ...]
"""What is the same as long as a part is."""


_COVERAGES: Final = ((COVERAGE, coverage), (IMAGE_COVERAGE, image_coverage))
"""The tables that grow with every pair that is answered, in the warehouse and in the ledger."""


def export_growing_tables(pipeline: Pipeline) -> int:
    """Bring the files of the growing tables up to the ledger; say how many were written or removed.

    Raises:
        ParquetFileError: a file lies where none belongs.
        StorageWriteError: a file could not be written.
    """
    exported = sum(
        _export(pipeline, spec, _coverage_marks(pipeline, table), _published_coverage(pipeline, spec))
        for spec, table in _COVERAGES
    )
    return exported + _export(pipeline, API_CALLS, _call_marks(pipeline), _published_calls(pipeline))


def _export(pipeline: Pipeline, spec: TableSpec, marks: Mapping[Part, Mark], published: Mapping[Part, Mark]) -> int:
    store = pipeline.store
    drop_earlier_layout(store, spec)
    present = {(file.query_set, file.day): file for file in store.files(spec.name)}
    exported = 0
    for part, mark in marks.items():
        if part in present and published.get(part) == mark:
            continue
        query_set, day = part
        rows = ledger_table(pipeline, spec, *_of_part(spec, part))
        exported += store.write_part(spec.name, rows, query_set=query_set, day=day).changed
    for key, file in present.items():
        if key not in marks:
            store.remove(file)
            exported += 1
    return exported


def _of_part(spec: TableSpec, part: Part) -> tuple[sa.ColumnElement[bool], ...]:
    query_set, day = part
    for covered, table in _COVERAGES:
        if spec is covered:
            return table.c.query_set == query_set, table.c.day == day
    return _on(day)


def _on(day: date) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    begin = datetime.combine(day, time.min, UTC)
    return api_calls.c.started_at >= begin, api_calls.c.started_at < begin + timedelta(days=1)


def _coverage_marks(pipeline: Pipeline, table: sa.Table) -> Mapping[Part, Mark]:
    select = sa.select(
        table.c.query_set,
        table.c.day,
        sa.func.count().label("pairs"),
        sa.func.max(table.c.searched_at).label("newest"),
        sa.func.sum(table.c.hits).label("hits"),
    ).group_by(table.c.query_set, table.c.day)
    return {
        (str(row["query_set"]), _date(row["day"])): (row["pairs"], row["newest"], row["hits"])
        for row in pipeline.ledger.rows(select)
    }


def _published_coverage(pipeline: Pipeline, spec: TableSpec) -> Mapping[Part, Mark]:
    sql = f"SELECT query_set, day, count(*), max(searched_at), sum(hits)::BIGINT FROM {spec.name} GROUP BY ALL"  # noqa: S608 - our own name
    return {(str(query_set), _date(day)): tuple(mark) for query_set, day, *mark in _published(pipeline, sql)}


def _call_marks(pipeline: Pipeline) -> Mapping[Part, Mark]:
    return {(None, day): mark for day, mark in _calls_by_day(pipeline)}


def _calls_by_day(pipeline: Pipeline) -> Iterator[tuple[date, Mark]]:
    ends = sa.select(
        sa.func.min(api_calls.c.started_at).label("first"), sa.func.max(api_calls.c.started_at).label("last")
    )
    (found,) = pipeline.ledger.rows(ends)
    first, last = found["first"], found["last"]
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return
    day = first.astimezone(UTC).date()
    counted = sa.select(sa.func.count().label("calls"), sa.func.max(api_calls.c.call_id).label("newest"))
    # A range of an index per day: no database's own idea of a date, and of its time zone, is asked for.
    while day <= last.astimezone(UTC).date():
        (row,) = pipeline.ledger.rows(counted.where(*_on(day)))
        if row["calls"]:
            yield day, (row["calls"], row["newest"])
        day += timedelta(days=1)


def _published_calls(pipeline: Pipeline) -> Mapping[Part, Mark]:
    sql = """
        SELECT CAST(started_at AT TIME ZONE 'UTC' AS DATE) AS started_on, count(*), max(call_id::BIGINT)
        FROM api_calls GROUP BY ALL
    """
    return {(None, _date(day)): tuple(mark) for day, *mark in _published(pipeline, sql)}


def _published(pipeline: Pipeline, sql: str) -> tuple[tuple[object, ...], ...]:
    try:
        return query(pipeline.settings.database_path, sql).rows
    except ReadError:
        # Nothing is published, or it cannot be read: then every part is compared by its bytes.
        return ()


def _date(value: object) -> date:
    if not isinstance(value, date):
        raise TypeError(f"a day is a date, not {value!r}")
    return value
