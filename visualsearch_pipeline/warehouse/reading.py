"""Questions to the published database, read-only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import duckdb
import pyarrow as pa

from visualsearch_pipeline.warehouse.errors import InvalidSqlError, ReadError
from visualsearch_pipeline.warehouse.published_copy import local_file
from visualsearch_pipeline.warehouse.refused_questions import refusal

_BATCH_ROWS: Final = 10_000
_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The answer to a question.

    Attributes:
        table: Its rows, as Arrow.
    """

    table: pa.Table

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(self.table.column_names)

    @property
    def rows(self) -> tuple[tuple[object, ...], ...]:
        """Its rows as Python values; times are aware, in UTC."""
        return tuple(_rows_of(self.table))


@dataclass(frozen=True, slots=True)
class AnswerStream:
    """The answer to a question, row by row.

    Attributes:
        columns: The names of its columns, in order.
        rows: Its rows as Python values, to be gone through once; times are aware, in UTC. Raises `InvalidSqlError` for
            what only the data shows, such as a text that is no number.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[object, ...]]


def query(database_path: Path | str, sql: str) -> ReadResult:
    """Ask the published database `sql`. It is opened read-only and for this one question.

    Raises:
        NotPublishedError: there is no database yet.
        InvalidSqlError: the database refuses the question.
        ReadError: the database cannot be opened.
    """
    with open_read_only(database_path) as connection:
        try:
            table = _asked(connection, sql).to_arrow_table()
        except duckdb.Error as error:
            raise InvalidSqlError(refusal(connection, error, database_path=database_path)) from error
    return ReadResult(table)


@contextmanager
def stream(database_path: Path | str, sql: str) -> Iterator[AnswerStream]:
    """Ask the published database `sql`, and read the answer while the block runs: memory does not grow with its rows.

    Raises: as `query`.
    """
    with open_read_only(database_path) as connection:
        try:
            reader: pa.RecordBatchReader = _asked(connection, sql).to_arrow_reader(_BATCH_ROWS)
        except duckdb.Error as error:
            raise InvalidSqlError(refusal(connection, error, database_path=database_path)) from error
        with reader:
            yield AnswerStream(tuple(reader.schema.names), _streamed(reader, database_path))


def _asked(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    # DuckDB's type hints leave out that nothing has no answer.
    relation = cast(duckdb.DuckDBPyRelation | None, connection.sql(sql))
    if relation is None:
        raise InvalidSqlError("the question is empty: write some SQL, such as SELECT * FROM hits")
    return relation


def _streamed(reader: pa.RecordBatchReader, database_path: Path | str) -> Iterator[tuple[object, ...]]:
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise _refused(database_path, error) from error
        yield from _rows_of(batch)


def _rows_of(rows: pa.Table | pa.RecordBatch) -> Iterator[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in rows.columns), strict=True)


def _refused(database_path: Path | str, error: Exception) -> InvalidSqlError:
    return InvalidSqlError(f"{database_path} refuses the question: {error}")


def open_read_only(database_path: Path | str) -> duckdb.DuckDBPyConnection:
    """A connection to the file that stands at `database_path` now, with times in UTC. A URL is read from a copy.

    DuckDB keeps one instance per path and process: opened by its path, a database that was swapped meanwhile would be
    read in its old state as long as anything in this process holds it. Attached to an instance of its own, it is not.

    Raises:
        NotPublishedError: there is no such file.
        ReadError: it cannot be fetched, is not a DuckDB database, or another program holds it open for writing.
    """
    for _ in range(_ATTEMPTS):
        file = local_file(database_path)
        before = _identity(file)
        try:
            connection = _attached(file)
        except duckdb.Error as error:
            if _identity(file) != before:
                continue
            message = (
                f"cannot open {database_path}: {error}. Close any program that has it open for writing; if it is "
                "damaged, delete it and run `visualsearch run`, which builds it anew"
            )
            raise ReadError(message) from error
        if _identity(file) == before:
            return connection
        connection.close()
    raise ReadError(f"{database_path} was replaced {_ATTEMPTS} times while it was opened; ask again")


def _attached(file: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    try:
        path = str(file).replace("'", "''")
        connection.execute(f"ATTACH '{path}' AS warehouse (READ_ONLY)")
        connection.execute("USE warehouse")
        connection.execute("SET TimeZone = 'UTC'")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def _identity(file: Path) -> tuple[int, int, int, int] | None:
    """Which file bears the name; without symbolic links it may be replaced while it is opened (see `swapping`)."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
