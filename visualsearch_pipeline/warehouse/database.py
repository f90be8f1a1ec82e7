"""The DuckDB file of the warehouse: native tables, views and macros, with comments on everything.

It is built whole from the files, or a copy of the last one is brought up to date: the parts of files that changed are
deleted and put in again. Both in one transaction, and both in a file that nobody else knows of yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from visualsearch_pipeline import __version__
from visualsearch_pipeline.warehouse.errors import WarehouseError
from visualsearch_pipeline.warehouse.parquet import ParquetStore
from visualsearch_pipeline.warehouse.places import TableFile
from visualsearch_pipeline.warehouse.schemas import FILE_TABLES, PUBLICATION, PUBLICATION_FILES, SCHEMA_VERSION, TABLES
from visualsearch_pipeline.warehouse.sources import Sources
from visualsearch_pipeline.warehouse.summaries import renew_summaries, summarise_hits
from visualsearch_pipeline.warehouse.table_spec import TableSpec
from visualsearch_pipeline.warehouse.view_specs import MacroSpec, ViewSpec
from visualsearch_pipeline.warehouse.views import MACROS, VIEWS, query_set_view

MEMORY_LIMIT: Final = "768MB"
"""What DuckDB may hold in memory while it builds; beyond that it spills to disk, beside the file."""


class _TableStream:
    """Files of a table as one stream of record batches, counted on their way into the database.

    An error of a file is kept: DuckDB would pass it on as text inside one of its own.
    """

    def __init__(self, store: ParquetStore, spec: TableSpec, files: Iterable[TableFile]) -> None:
        self._store = store
        self._spec = spec
        self._files = files
        self.row_counts: dict[TableFile, int] = {}
        self.error: WarehouseError | None = None

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._spec.arrow_schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for file in self._files:
                table = self._store.read_file(file)
                self.row_counts[file] = table.num_rows
                yield from table.to_batches()
        except WarehouseError as error:
            self.error = error
            raise


def build_database(path: Path, store: ParquetStore, *, sources: Sources, published_at: datetime) -> None:
    """Build a database of everything in `store` at `path`, which must not exist.

    Raises:
        ParquetFileError: a file of `store` is damaged.
        duckdb.Error: the database could not be written.
    """
    with _writing(path) as connection:
        for spec in TABLES.values():
            _create_table(connection, spec)
        for view in (*VIEWS, *(query_set_view(query_set) for query_set in sources.query_sets)):
            _create_view(connection, view)
        for macro in MACROS:
            _create_macro(connection, macro)
        for spec in FILE_TABLES:
            files = [file for file in sources.identities if file.table == spec.name]
            _record(connection, sources, _fill(connection, store, spec, files))
        summarise_hits(connection, sources.identities)
        _describe(connection, sources=sources, published_at=published_at, rebuilt_at=published_at, replaced_rows=0)


def update_database(
    path: Path,
    store: ParquetStore,
    *,
    sources: Sources,
    changed: Sequence[TableFile],
    replaced_rows: int,
    published_at: datetime,
) -> None:
    """Bring a copy of the published database at `path` up to `sources`.

    Args:
        path: The copy.
        store: The files.
        sources: What it shall hold.
        changed: The files that differ from what it holds, those that are gone included.
        replaced_rows: Rows replaced since it was last built anew, this time's included.
        published_at: Now.

    Raises:
        ParquetFileError: a file of `store` is damaged.
        duckdb.Error: the database could not be written.
    """
    with _writing(path) as connection:
        for spec in FILE_TABLES:
            files = [file for file in changed if file.table == spec.name]
            for file in files:
                _empty(connection, file)
            present = [file for file in files if file in sources.identities]
            _record(connection, sources, _fill(connection, store, spec, present))
        renew_summaries(connection, changed)
        _renew_query_set_views(connection, sources.query_sets)
        row = connection.execute("SELECT rebuilt_at FROM publication").fetchone()
        connection.execute("DELETE FROM publication")
        _describe(
            connection,
            sources=sources,
            published_at=published_at,
            rebuilt_at=row[0] if row else published_at,
            replaced_rows=replaced_rows,
        )


@contextmanager
def _writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """One transaction: each statement on its own would be fsynced on its own."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": f"{path}.spill",
    }
    with duckdb.connect(str(path), config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.begin()
        yield connection
        connection.commit()
        connection.execute("CHECKPOINT")


def _create_table(connection: duckdb.DuckDBPyConnection, spec: TableSpec) -> None:
    columns = ", ".join(
        f'"{column.name}" {column.sql_type}{"" if column.nullable else " NOT NULL"}' for column in spec.columns
    )
    connection.execute(f'CREATE TABLE "{spec.name}" ({columns})')
    _comment(connection, "TABLE", spec)


def _create_view(connection: duckdb.DuckDBPyConnection, view: ViewSpec) -> None:
    connection.execute(f'CREATE VIEW "{view.name}" AS {view.sql}')
    _comment(connection, "VIEW", view)


def _create_macro(connection: duckdb.DuckDBPyConnection, macro: MacroSpec) -> None:
    connection.execute(f"CREATE MACRO {macro.name}({', '.join(macro.parameters)}) AS TABLE {macro.sql}")
    connection.execute(f"COMMENT ON MACRO TABLE {macro.name} IS {_literal(macro.description)}")


def _comment(connection: duckdb.DuckDBPyConnection, kind: str, described: TableSpec | ViewSpec) -> None:
    connection.execute(f'COMMENT ON {kind} "{described.name}" IS {_literal(described.description)}')
    for column in described.columns:
        connection.execute(f'COMMENT ON COLUMN "{described.name}"."{column.name}" IS {_literal(column.description)}')


def _renew_query_set_views(connection: duckdb.DuckDBPyConnection, query_sets: tuple[str, ...]) -> None:
    fixed = [view.name for view in VIEWS]
    rows = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    standing = {name for (name,) in rows if name not in fixed}
    for gone in standing - set(query_sets):
        connection.execute(f'DROP VIEW "{gone}"')
    for query_set in query_sets:
        if query_set not in standing:
            _create_view(connection, query_set_view(query_set))


def _fill(
    connection: duckdb.DuckDBPyConnection, store: ParquetStore, spec: TableSpec, files: Sequence[TableFile]
) -> Mapping[TableFile, int]:
    """Put files into their table; say how many rows each has."""
    if not files:
        return {}
    stream = _TableStream(store, spec, files)
    connection.register("incoming", stream.reader())
    try:
        connection.execute(f'INSERT INTO "{spec.name}" BY NAME SELECT * FROM incoming')  # noqa: S608 - names from TABLES
    except duckdb.Error as error:
        if stream.error is not None:
            raise stream.error from error
        raise
    connection.unregister("incoming")
    return stream.row_counts


def _empty(connection: duckdb.DuckDBPyConnection, file: TableFile) -> None:
    """Delete the rows of a file, by the columns of its path."""
    condition = " AND ".join(f'"{name}" = ?' for name in file.partition)
    where = f" WHERE {condition}" if condition else ""
    connection.execute(f'DELETE FROM "{file.table}"{where}', list(file.partition.values()))  # noqa: S608 - names from TABLES
    connection.execute("DELETE FROM publication_files WHERE path = ?", [file.path])


def _record(connection: duckdb.DuckDBPyConnection, sources: Sources, row_counts: Mapping[TableFile, int]) -> None:
    rows = [
        {"path": file.path, "table_name": file.table, "row_count": count, "identity": sources.identities[file]}
        for file, count in row_counts.items()
    ]
    _insert(connection, PUBLICATION_FILES, rows)


def _describe(
    connection: duckdb.DuckDBPyConnection,
    *,
    sources: Sources,
    published_at: datetime,
    rebuilt_at: datetime,
    replaced_rows: int,
) -> None:
    counted = connection.execute("SELECT table_name, sum(row_count)::BIGINT FROM publication_files GROUP BY ALL")
    row_counts = {spec.name: 0 for spec in FILE_TABLES} | dict(counted.fetchall())
    row = {
        "published_at": published_at,
        "package_version": __version__,
        "schema_version": SCHEMA_VERSION,
        "fingerprint": sources.fingerprint,
        "row_counts": list(row_counts.items()),
        "rebuilt_at": rebuilt_at,
        "replaced_rows": replaced_rows,
    }
    _insert(connection, PUBLICATION, [row])


def _insert(connection: duckdb.DuckDBPyConnection, spec: TableSpec, rows: Sequence[Mapping[str, object]]) -> None:
    connection.register("incoming", pa.Table.from_pylist(list(rows), schema=spec.arrow_schema))
    connection.execute(f'INSERT INTO "{spec.name}" BY NAME SELECT * FROM incoming')  # noqa: S608 - names from TABLES
    connection.unregister("incoming")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
