"""The published tables for people who write Python: pandas, Arrow, or DuckDB, read-only.

from visualsearch_pipeline import open_warehouse

with open_warehouse() as warehouse:
    trucks = warehouse.sql("FROM street WHERE score > 0.8").to_pandas()
    calls = warehouse["api_calls"].to_arrow()
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

Parameters: TypeAlias = "Sequence[object] | Mapping[str, object]"

DATABASE_NAME: Final = "visualsearch.duckdb"
"""What the published file is called in the warehouse's folder."""


@dataclass(frozen=True, slots=True, repr=False)
class Rows:
    """Rows of the warehouse, read when they are asked for, in the form that is asked for.

    Reading raises `InvalidSqlError` for what only the data shows, such as a text that is no number.
    """

    _relation: duckdb.DuckDBPyRelation

    def __repr__(self) -> str:
        return str(self._relation)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._relation.columns)

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a pandas DataFrame. Times are in UTC; days are dates at midnight."""
        with _explained():
            # By way of Arrow: DuckDB 2.0's own conversion does what pandas 3.1 warns of.
            frame: pd.DataFrame = self._relation.to_arrow_table().to_pandas(date_as_object=False)
            return frame

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table. Times are in UTC."""
        with _explained():
            return self._relation.to_arrow_table()

    def to_relation(self) -> duckdb.DuckDBPyRelation:
        """The rows as a DuckDB relation, to filter, join and aggregate before anything is read.

        It ends with its warehouse.
        """
        return self._relation


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds.

    Attributes:
        name: Its name.
        type: Its type in SQL.
        description: What it means, with its unit.
    """

    name: str
    type: str
    description: str


class Warehouse(Mapping[str, Rows]):
    """The published database as it was when this was opened: `warehouse["hits"]`, `warehouse.sql("…")`.

    A mapping from the names of its tables and views to their rows. It is read-only and locks nobody out; a later
    publication shows in a warehouse that is opened later. One thread at a time may use it.

    Args:
        connection: A connection that is this warehouse's own.
        database_path: What it is connected to.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, database_path: Path | str) -> None:
        self._connection = connection
        self.database_path: Final = database_path
        rows = connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = current_database() "
            "UNION ALL SELECT view_name, comment FROM duckdb_views() "
            "WHERE database_name = current_database() AND NOT internal ORDER BY ALL"
        ).fetchall()
        self.descriptions: Final[Mapping[str, str]] = MappingProxyType({name: text or "" for name, text in rows})
        """What a row of each table and view is."""

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Warehouse({str(self.database_path)!r})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.descriptions)

    def __len__(self) -> int:
        return len(self.descriptions)

    def __getitem__(self, name: str) -> Rows:
        """The rows of a table or view. Raises `KeyError`, naming the nearest, if there is none."""
        self._check_name(name)
        return Rows(self._connection.table(f'"{name}"'))

    def columns(self, name: str) -> tuple[Column, ...]:
        """The columns of a table or view, with what they mean. Raises as `[]`."""
        self._check_name(name)
        rows = self._connection.execute(
            "SELECT column_name, data_type, coalesce(comment, '') FROM duckdb_columns() "
            "WHERE database_name = current_database() AND table_name = ? ORDER BY column_index",
            [name],
        ).fetchall()
        return tuple(Column(*row) for row in rows)

    def sql(self, question: str, parameters: Parameters | None = None) -> Rows:
        """The answer to a question in DuckDB's SQL.

        Args:
            question: One statement, such as `FROM hits WHERE score > $least`.
            parameters: Values for `$name` or `?` in it; never put them into the text.

        Raises:
            InvalidSqlError: the database refuses the question, for example because it would write.
        """
        import duckdb

        from visualsearch_pipeline.warehouse import InvalidSqlError

        try:
            # DuckDB's type hints leave out that a statement without an answer has none.
            relation = cast(duckdb.DuckDBPyRelation | None, self._connection.sql(question, params=parameters))
        except duckdb.Error as error:
            raise InvalidSqlError(f"{self.database_path} refuses the question: {error}") from error
        if relation is None:
            raise InvalidSqlError("the question has no answer: write one SELECT, such as FROM hits LIMIT 5")
        return Rows(relation)

    def close(self) -> None:
        """Let go of the database. Relations end with it; frames and Arrow tables stay."""
        self._connection.close()

    def _check_name(self, name: str) -> None:
        if name in self.descriptions:
            return
        near = difflib.get_close_matches(name, self.descriptions, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.descriptions)}"
        raise KeyError(f"{self.database_path} has no table {name!r}; {hint}")


def open_warehouse(path: str | Path | None = None, *, config: str | Path | None = None) -> Warehouse:
    """Open the published tables, read-only. Use it in a `with` statement, or close it.

    Args:
        path: The DuckDB file, or the folder it lies in; or the URL of a file in an object store, which is fetched to
            this machine whenever it was replaced. By default the one that the settings name.
        config: The settings file; by default `$VISUALSEARCH_CONFIG`, else `visualsearch.yaml` in the working
            directory. Read only where no `path` is given.

    Raises:
        NotPublishedError: nothing is published there yet.
        ReadError: the file cannot be opened.
        SettingsError: there are no settings, or they are wrong.
    """
    from visualsearch_pipeline.warehouse import open_read_only

    database_path = _published_file(path, config)
    return Warehouse(open_read_only(database_path), database_path=database_path)


@contextmanager
def _explained() -> Iterator[None]:
    import duckdb

    from visualsearch_pipeline.warehouse import InvalidSqlError

    try:
        yield
    except duckdb.Error as error:
        raise InvalidSqlError(f"the warehouse cannot answer: {error}") from error


def _published_file(path: str | Path | None, config: str | Path | None) -> Path | str:
    if isinstance(path, str) and "://" in path:
        return path
    if path is not None:
        given = Path(path).expanduser()
        return given / DATABASE_NAME if given.is_dir() else given
    from visualsearch_pipeline.settings import load_settings

    return load_settings(Path(config) if config is not None else None).database_path
