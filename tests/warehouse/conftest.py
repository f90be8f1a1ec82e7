"""Rows for the warehouse's tables, and a store in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from visualsearch_pipeline.warehouse import TABLES, ParquetStore

MakeRow = Callable[..., dict[str, object]]
MakeTable = Callable[..., pa.Table]

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
A_VALUE: dict[str, object] = {
    "string": "x",
    "int32": 1,
    "int64": 1,
    "double": 0.5,
    "bool": True,
    "date32[day]": date(2026, 1, 31),
    "timestamp[us, tz=UTC]": NOON,
}


@pytest.fixture
def make_row() -> MakeRow:
    """A row of a table: some value where one is needed, null elsewhere, and what is given."""

    def make(table_name: str, /, **values: object) -> dict[str, object]:
        row = {
            column.name: None if column.nullable else A_VALUE[str(column.type)] for column in TABLES[table_name].columns
        }
        return row | values

    return make


@pytest.fixture
def make_table(make_row: MakeRow) -> MakeTable:
    """A table of rows made by `make_row`."""

    def make(table_name: str, /, *rows: dict[str, object]) -> pa.Table:
        made = [make_row(table_name, **row) for row in rows]
        return pa.Table.from_pylist(made, schema=TABLES[table_name].arrow_schema)

    return make


@pytest.fixture
def make_hits(make_table: MakeTable) -> MakeTable:
    """`count` hits of one query on one day, one a video, with falling scores."""

    def make(query_set: str, day: date, count: int, /, **values: object) -> pa.Table:
        return make_table(
            "hits",
            *(
                {
                    "query_set": query_set,
                    "day": day,
                    "video_no": f"VI{index:06}",
                    "start_seconds": float(index),
                    "score": 1 - index / max(count, 1),
                    "rank": index + 1,
                    **values,
                }
                for index in range(count)
            ),
        )

    return make


@pytest.fixture
def store(tmp_path: Path) -> ParquetStore:
    return ParquetStore(str(tmp_path / "warehouse"))
