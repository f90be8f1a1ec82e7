"""Building the DuckDB file of the warehouse: native tables, comments on everything, one view per query set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from visualsearch_pipeline import __version__
from visualsearch_pipeline.warehouse.errors import WarehouseError
from visualsearch_pipeline.warehouse.parquet import ParquetStore
from visualsearch_pipeline.warehouse.schemas import HITS, PUBLICATION, SCHEMA_VERSION, TABLES
from visualsearch_pipeline.warehouse.table_spec import TableSpec

LAYOUT_VERSION: Final = 1
"""Rises with every change of what is built here, so that a published file of an older layout is built anew."""

MEMORY_LIMIT: Final = "1GB"
"""What DuckDB may hold in memory while it builds; beyond that it spills to disk, beside the file."""


class _TableStream:
    """A table's files as one stream of record batches, counted on their way into the database.

    An error of a file is kept: DuckDB would pass it on as text inside one of its own.
    """

    def __init__(self, store: ParquetStore, spec: TableSpec) -> None:
        self._store = store
        self._spec = spec
        self.row_count = 0
        self.error: WarehouseError | None = None

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._spec.arrow_schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for table in self._store.iter_tables(self._spec.name):
                self.row_count += table.num_rows
                yield from table.to_batches()
        except WarehouseError as error:
            self.error = error
            raise


def build_database(
    path: Path,
    store: ParquetStore,
    *,
    query_sets: tuple[str, ...],
    fingerprint: str,
    published_at: datetime,
) -> dict[str, int]:
    """Build a database of everything in `store` at `path`, which must not exist.

    Returns:
        Rows per table.

    Raises:
        ParquetFileError: a file of `store` is damaged.
        duckdb.Error: the database could not be written.
    """
    row_counts: dict[str, int] = {}
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": f"{path}.spill",
    }
    with duckdb.connect(str(path), config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # One transaction: each statement on its own would be fsynced on its own.
        connection.begin()
        for spec in TABLES.values():
            _create_table(connection, spec)
            if spec is not PUBLICATION:
                row_counts[spec.name] = _fill(connection, store, spec)
        for query_set in query_sets:
            _create_query_set_view(connection, query_set)
        _describe_publication(connection, fingerprint=fingerprint, published_at=published_at, row_counts=row_counts)
        connection.commit()
        connection.execute("CHECKPOINT")
    return row_counts


def _create_table(connection: duckdb.DuckDBPyConnection, spec: TableSpec) -> None:
    columns = ", ".join(
        f'"{column.name}" {column.sql_type}{"" if column.nullable else " NOT NULL"}' for column in spec.columns
    )
    connection.execute(f'CREATE TABLE "{spec.name}" ({columns})')
    _comment(connection, "TABLE", spec.name, spec, spec.description)


def _fill(connection: duckdb.DuckDBPyConnection, store: ParquetStore, spec: TableSpec) -> int:
    stream = _TableStream(store, spec)
    connection.register("incoming", stream.reader())
    try:
        connection.execute(f'INSERT INTO "{spec.name}" BY NAME SELECT * FROM incoming')  # noqa: S608 - names from TABLES
    except duckdb.Error as error:
        if stream.error is not None:
            raise stream.error from error
        raise
    connection.unregister("incoming")
    return stream.row_count


def _create_query_set_view(connection: duckdb.DuckDBPyConnection, query_set: str) -> None:
    """What a set finds today: hits of the versions that it asks now. All others stay in `hits`."""
    connection.execute(
        f'CREATE VIEW "{query_set}" AS SELECT hits.* FROM hits '  # noqa: S608 - an identifier, quoted
        "SEMI JOIN (SELECT * FROM queries WHERE is_current) AS asked USING (query_set, query_id, query_version) "
        f"WHERE hits.query_set = '{query_set}'"
    )
    description = f"The hits of the query set {query_set} as it asks today; earlier versions are in hits."
    _comment(connection, "VIEW", query_set, HITS, description)


def _comment(connection: duckdb.DuckDBPyConnection, kind: str, name: str, spec: TableSpec, description: str) -> None:
    connection.execute(f'COMMENT ON {kind} "{name}" IS {_literal(description)}')
    for column in spec.columns:
        connection.execute(f'COMMENT ON COLUMN "{name}"."{column.name}" IS {_literal(column.description)}')


def _describe_publication(
    connection: duckdb.DuckDBPyConnection,
    *,
    fingerprint: str,
    published_at: datetime,
    row_counts: Mapping[str, int],
) -> None:
    row = {
        "published_at": published_at,
        "package_version": __version__,
        "schema_version": SCHEMA_VERSION,
        "fingerprint": fingerprint,
        "row_counts": list(row_counts.items()),
    }
    connection.register("incoming", pa.Table.from_pylist([row], schema=PUBLICATION.arrow_schema))
    connection.execute("INSERT INTO publication BY NAME SELECT * FROM incoming")
    connection.unregister("incoming")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
