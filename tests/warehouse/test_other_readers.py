"""The Parquet files are read without this package, and give the same rows: by pandas, Polars, pyarrow and DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from visualsearch_pipeline.warehouse import ParquetStore, TableSpec
from visualsearch_pipeline.warehouse.schemas import FILE_TABLES

MakeTable = Callable[..., pa.Table]
DAYS = (date(2026, 1, 31), date(2026, 2, 1))
AT = datetime(2026, 1, 31, 12, 30, 0, 123456, tzinfo=UTC)


def rows_of(spec: TableSpec, day: date, make_table: MakeTable) -> pa.Table:
    """Two rows of a table on a day: one as full as can be, one as empty."""
    needed = {"day": day, "query_set": "street"}
    here = {name: value for name, value in needed.items() if name in spec.arrow_schema.names}
    full: dict[str, object] = {}
    for column in spec.columns:
        if pa.types.is_timestamp(column.type):
            full[column.name] = AT
        elif pa.types.is_string(column.type):
            full[column.name] = f'{column.name}: "ü", {day}\n'
        elif pa.types.is_list(column.type):
            full[column.name] = ["a", "it's"]
    return make_table(spec.name, full | here, here)


@pytest.fixture(params=FILE_TABLES, ids=lambda spec: spec.name)
def filled(request: pytest.FixtureRequest, store: ParquetStore, make_table: MakeTable) -> tuple[TableSpec, Path]:
    """A table with rows, in two parts if it has parts; beside each file lies what a writer that was killed left."""
    spec: TableSpec = request.param
    parts = [rows_of(spec, day, make_table) for day in DAYS]
    if spec.partition_by:
        query_set = "street" if "query_set" in spec.partition_by else None
        for day, rows in zip(DAYS, parts, strict=True):
            store.write_part(spec.name, rows, query_set=query_set, day=day)
    else:
        store.write_part(spec.name, pa.concat_tables(parts))
    folder = Path(store.root) / spec.name
    for file in list(folder.rglob("*.parquet")):
        file.with_name(f".{file.name}.1.abcd.part").write_bytes(b"PAR1 half")
    return spec, folder


def as_rows(spec: TableSpec, table: pa.Table) -> list[str]:
    """Rows in our order of columns and types, whatever the reader made of them, to be compared."""
    columns = [table.column(column.name).cast(column.type) for column in spec.columns]
    return sorted(map(repr, pa.Table.from_arrays(columns, schema=spec.arrow_schema).to_pylist()))


def test_every_reader_finds_the_same_rows(filled: tuple[TableSpec, Path], store: ParquetStore) -> None:
    spec, folder = filled
    expected = sorted(repr(row) for rows in store.iter_tables(spec.name) for row in rows.to_pylist())
    assert len(expected) == 4

    partitioned = pa.schema([field for field in spec.arrow_schema if field.name in spec.partition_by])
    by_arrow = ds.dataset(folder, partitioning=ds.partitioning(partitioned, flavor="hive")).to_table()
    by_pandas = pd.read_parquet(folder, dtype_backend="pyarrow")
    for name in spec.partition_by:
        # pandas has columns of a path as categories of text.
        by_pandas[name] = by_pandas[name].astype(str)
    by_polars = pl.read_parquet(folder / "**" / "*.parquet", hive_partitioning=True)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.read_parquet(f"{folder}/**/*.parquet", hive_partitioning=True).to_arrow_table()

    assert as_rows(spec, by_arrow) == expected
    assert as_rows(spec, pa.Table.from_pandas(by_pandas, preserve_index=False)) == expected
    assert as_rows(spec, by_polars.to_arrow()) == expected
    assert as_rows(spec, found) == expected


def test_what_is_kept_beside_the_tables_is_passed_over_by_readers_of_the_whole_folder(
    store: ParquetStore, make_table: MakeTable
) -> None:
    """Spark, Trino and pyarrow pass over names that begin with `_` or `.`."""
    pair = {"query_set": "street", "query_id": "dog", "query_version": "v1", "video_no": "VI1"}
    store.write_part("coverage", make_table("coverage", pair | {"day": DAYS[0]}), query_set="street", day=DAYS[0])
    answered = pa.Table.from_pylist([pair | {"day": DAYS[0], "revision": 1}])
    store.write_part("_answered", answered, query_set="street", day=DAYS[0])

    found = ds.dataset(store.root).files

    assert [Path(path).name for path in found] == ["coverage.parquet"]
    assert (Path(store.root) / "_answered").is_dir()
