"""Questions to the published database, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa

from visualsearch_pipeline.warehouse.errors import InvalidSqlError, ReadError
from visualsearch_pipeline.warehouse.published_copy import local_file


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
        columns = [column.to_pylist() for column in self.table.columns]
        return tuple(zip(*columns, strict=True)) if columns else ()


def query(database_path: Path | str, sql: str) -> ReadResult:
    """Ask the published database `sql`. It is opened read-only and for this one question.

    Raises:
        NotPublishedError: there is no database yet.
        InvalidSqlError: the database refuses the question.
        ReadError: the database cannot be opened.
    """
    with open_read_only(database_path) as connection:
        try:
            # DuckDB's type hints leave out that nothing has no answer.
            relation = cast(duckdb.DuckDBPyRelation | None, connection.sql(sql))
            if relation is None:
                raise InvalidSqlError("the question is empty: write some SQL, such as SELECT * FROM hits")
            table = relation.to_arrow_table()
        except duckdb.Error as error:
            raise InvalidSqlError(f"{database_path} refuses the question: {error}") from error
    return ReadResult(table)


def open_read_only(database_path: Path | str) -> duckdb.DuckDBPyConnection:
    """A connection to the file that stands at `database_path` now, with times in UTC. A URL is read from a copy.

    DuckDB keeps one instance per path and process: opened by its path, a database that was swapped meanwhile would be
    read in its old state as long as anything in this process holds it. Attached to an instance of its own, it is not.

    Raises:
        NotPublishedError: there is no such file.
        ReadError: it cannot be fetched, is not a DuckDB database, or another program holds it open for writing.
    """
    file = local_file(database_path)
    connection = duckdb.connect()
    try:
        path = str(file).replace("'", "''")
        connection.execute(f"ATTACH '{path}' AS warehouse (READ_ONLY)")
        connection.execute("USE warehouse")
        connection.execute("SET TimeZone = 'UTC'")
    except duckdb.Error as error:
        connection.close()
        message = (
            f"cannot open {database_path}: {error}. Close any program that has it open for writing; if it is damaged, "
            "delete it and run `visualsearch run`, which builds it anew"
        )
        raise ReadError(message) from error
    return connection
