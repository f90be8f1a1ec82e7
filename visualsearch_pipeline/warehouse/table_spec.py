"""What a table of the warehouse is: its columns with their types and their meaning, and what it takes to fit it.

One description serves the Parquet files, the published database, Dagster's column schema and the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import pyarrow as pa

from visualsearch_pipeline.warehouse.errors import SchemaMismatchError

SortOrder: TypeAlias = Literal["ascending", "descending"]

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
"""Every time in the warehouse: microseconds, UTC."""

_SQL_TYPES: Final[Mapping[str, str]] = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
    "list<item: string>": "VARCHAR[]",
    "list<element: string>": "VARCHAR[]",
    "map<string, int64>": "MAP(VARCHAR, BIGINT)",
}


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column.

    Attributes:
        name: Its name, in files and in SQL.
        type: Its Arrow type.
        description: What it holds, with its unit.
        nullable: Whether it may be absent from a row.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = True

    @property
    def sql_type(self) -> str:
        """Its type in DuckDB's words."""
        return _SQL_TYPES[str(self.type)]


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table.

    Attributes:
        name: Its name, in the folder of files and in SQL.
        description: What a row is.
        columns: In the order of the published table.
        version: Rises by one with each change; only nullable columns are ever added.
        sort_by: The order of the rows in each file; nulls last.
        partition_by: Columns that stand in the path of a file (`day=2026-01-31/`) and not in the file: pandas and
            pyarrow refuse a folder whose files repeat them.
        earlier_partitions: The same of earlier versions, whose files are still read.
    """

    name: str
    description: str
    columns: tuple[ColumnSpec, ...]
    version: int = 1
    sort_by: tuple[tuple[str, SortOrder], ...] = ()
    partition_by: tuple[str, ...] = ()
    earlier_partitions: tuple[tuple[str, ...], ...] = ()

    @property
    def arrow_schema(self) -> pa.Schema:
        """All columns, with their descriptions as field metadata and the table's name and version."""
        return pa.schema(
            [
                pa.field(column.name, column.type, column.nullable, metadata={"comment": column.description})
                for column in self.columns
            ],
            metadata={"table": self.name, "comment": self.description, "schema_version": str(self.version)},
        )

    @property
    def file_schema(self) -> pa.Schema:
        """What a file holds: all columns but those of its path."""
        schema = self.arrow_schema
        return pa.schema([field for field in schema if field.name not in self.partition_by], metadata=schema.metadata)

    def column(self, name: str) -> ColumnSpec:
        """The column called `name`. Raises `KeyError` if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"the table {self.name} has no column {name}")

    def empty(self) -> pa.Table:
        """The table with no rows."""
        return self.arrow_schema.empty_table()

    def conform(self, rows: pa.Table) -> pa.Table:
        """`rows` with exactly this table's columns, order and types.

        Types are cast where nothing is lost by it, such as a time in nanoseconds that falls on a microsecond.

        Raises:
            SchemaMismatchError: a column is missing, unknown, named twice, of another type, or null where it may not
                be.
        """
        known = {column.name for column in self.columns}
        for name in rows.column_names:
            if name not in known:
                raise self._mismatch(name, "the rows have a column that the table lacks")
            if rows.column_names.count(name) > 1:
                raise self._mismatch(name, "the rows have this column more than once")
        arrays = []
        for column in self.columns:
            if column.name not in rows.column_names:
                raise self._mismatch(column.name, "the rows lack this column")
            array = rows.column(column.name)
            if array.type != column.type:
                try:
                    array = array.cast(column.type, safe=True)
                except pa.ArrowException as error:
                    reason = f"the rows have {array.type} where the table has {column.type} ({error})"
                    raise self._mismatch(column.name, reason) from error
            if not column.nullable and array.null_count:
                raise self._mismatch(column.name, f"{array.null_count} of {len(array)} rows have no value")
            arrays.append(array)
        return pa.Table.from_arrays(arrays, schema=self.arrow_schema)

    def adopt(self, rows: pa.Table) -> pa.Table:
        """`rows` of this version of the table or of an earlier one: columns added since then are null.

        Raises:
            SchemaMismatchError: as `conform`, except for nullable columns that are missing.
        """
        for column in self.columns:
            if column.nullable and column.name not in rows.column_names:
                rows = rows.append_column(pa.field(column.name, column.type), pa.nulls(rows.num_rows, column.type))
        return self.conform(rows)

    def _mismatch(self, column: str, reason: str) -> SchemaMismatchError:
        message = f"rows do not fit the table {self.name}: column {column}: {reason}"
        return SchemaMismatchError(message, table=self.name, column=column)
