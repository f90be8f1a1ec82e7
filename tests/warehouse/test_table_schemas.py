from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pytest

from visualsearch_pipeline.orchestration.metadata import table_schema
from visualsearch_pipeline.warehouse import TABLES, ColumnSpec, SchemaMismatchError, TableSpec, column_schema

MakeTable = Callable[..., pa.Table]
HITS_COLUMNS = (
    "query_set, query_id, query_version, day, video_no, media_uri, video_name, start_seconds, end_seconds, score, "
    "rank, text, keyframe_bucket, keyframe_blob, video_bucket, video_blob, searched_at, run_id"
)


def test_hits_have_the_columns_that_analysts_were_promised() -> None:
    assert ", ".join(TABLES["hits"].arrow_schema.names) == HITS_COLUMNS


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_every_table_and_column_says_what_it_is(spec: TableSpec) -> None:
    assert spec.description.endswith(".")
    assert all(column.description.endswith(".") for column in spec.columns)
    assert len({column.name for column in spec.columns}) == len(spec.columns)
    assert all(field.metadata[b"comment"].decode() for field in spec.arrow_schema)
    assert {name for name, _ in spec.sort_by} <= {column.name for column in spec.columns}


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_the_sql_type_of_a_column_is_what_duckdb_makes_of_its_arrow_type(spec: TableSpec) -> None:
    with duckdb.connect() as connection:
        connection.register("sample", spec.empty())
        connection.execute("DESCRIBE SELECT * FROM sample")
        found = {name: sql_type for name, sql_type, *_ in connection.fetchall()}

    assert {column.name: column.sql_type for column in column_schema(spec.name)} == found


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_dagster_shows_the_same_words_as_the_database(spec: TableSpec) -> None:
    shown = table_schema(spec.name).columns

    assert [(column.name, column.type, column.description) for column in shown] == [
        (column.name, column.sql_type, column.description) for column in spec.columns
    ]
    assert [column.constraints.nullable for column in shown] == [column.nullable for column in spec.columns]


def test_rows_that_fit_are_put_in_order(make_table: MakeTable) -> None:
    rows = make_table("coverage", {"hits": 3})
    shuffled = rows.select(sorted(rows.column_names, reverse=True))

    assert TABLES["coverage"].conform(shuffled).equals(rows)


def test_types_are_cast_where_nothing_is_lost(make_table: MakeTable) -> None:
    rows = make_table("coverage", {"hits": 3})
    position = rows.column_names.index("searched_at")
    finer = rows.set_column(position, "searched_at", rows.column("searched_at").cast(pa.timestamp("ns", "UTC")))

    assert TABLES["coverage"].conform(finer).equals(rows)


def _without(rows: pa.Table) -> pa.Table:
    return rows.drop_columns(["hits"])


def _with_another(rows: pa.Table) -> pa.Table:
    return rows.append_column("extra", pa.array([1]))


def _twice(rows: pa.Table) -> pa.Table:
    return rows.append_column("hits", pa.array([1]))


def _as_words(rows: pa.Table) -> pa.Table:
    return rows.set_column(rows.column_names.index("hits"), "hits", pa.array(["many"]))


def _null(rows: pa.Table) -> pa.Table:
    return rows.set_column(rows.column_names.index("hits"), "hits", pa.array([None], pa.int64()))


def _loses_precision(rows: pa.Table) -> pa.Table:
    return rows.set_column(rows.column_names.index("hits"), "hits", pa.array([1.5]))


@pytest.mark.parametrize(
    ("spoil", "column", "message"),
    [
        (_without, "hits", "the rows lack this column"),
        (_with_another, "extra", "a column that the table lacks"),
        (_twice, "hits", "more than once"),
        (_as_words, "hits", "the rows have string where the table has int64"),
        (_null, "hits", "1 of 1 rows have no value"),
        (_loses_precision, "hits", "the rows have double where the table has int64"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_the_column(
    make_table: MakeTable, spoil: Callable[[pa.Table], pa.Table], column: str, message: str
) -> None:
    with pytest.raises(SchemaMismatchError, match=message) as caught:
        TABLES["coverage"].conform(spoil(make_table("coverage", {})))

    assert (caught.value.table, caught.value.column) == ("coverage", column)


def test_a_column_added_since_is_null_in_older_rows(make_table: MakeTable) -> None:
    coverage = TABLES["coverage"]
    added = ColumnSpec("moved_hits", pa.int64(), "Hits that moved.")
    newer = replace(coverage, columns=(*coverage.columns, added), version=2)
    older_rows = make_table("coverage", {})

    adopted = newer.adopt(older_rows)

    assert adopted.column("moved_hits").to_pylist() == [None]
    assert adopted.schema.metadata[b"schema_version"] == b"2"
    with pytest.raises(SchemaMismatchError):
        newer.adopt(older_rows.drop_columns(["hits"]))


def test_days_are_dates_and_times_are_utc(make_table: MakeTable) -> None:
    (row,) = make_table("hits", {"day": date(2026, 1, 31)}).to_pylist()

    assert row["day"] == date(2026, 1, 31)
    assert row["searched_at"].utcoffset() == timedelta(0)
