"""The tables of the warehouse as a page of Markdown, from the same descriptions that the database carries.

python -m visualsearch_pipeline.warehouse.documentation > docs/tables.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from visualsearch_pipeline.warehouse.schemas import TABLES
from visualsearch_pipeline.warehouse.summaries import HITS_BY_DAY
from visualsearch_pipeline.warehouse.table_spec import ColumnSpec, TableSpec
from visualsearch_pipeline.warehouse.views import MACROS, VIEWS

_INTRODUCTION: Final = """\
# The tables

Generated from `visualsearch_pipeline/warehouse/schemas.py` and `views.py` by
`python -m visualsearch_pipeline.warehouse.documentation > docs/tables.md`; a test compares. The same text is in the
database (`FROM duckdb_columns()`) and in Dagster's UI.

`visualsearch.duckdb` holds all of them, read-only. It is replaced as a whole: a connection goes on reading what it
opened, a new one reads the newest. Of each of the last days one earlier publication is kept in `snapshots/`. The same
rows lie beside it as Parquet that pandas, Polars, Spark, Trino and DuckDB read without this package; columns of a path
(`query_set=street/day=2026-01-31/`) are not repeated in its file. There is one file per part and it is replaced as a
whole, so nothing ever needs compacting. Times are UTC. Columns are only ever added.

Each query set has a view of its own name: its `hits`, of the versions that it asks today.
"""


def tables_page() -> str:
    """The page, ending in a line break."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Tables\n"
    for spec in TABLES.values():
        yield f"### {spec.name}\n\n{spec.description}\n"
        if folder := _folder(spec):
            yield f"Files: `{folder}`\n"
        yield from _columns(spec.columns)
    yield "## Views\n"
    for view in VIEWS:
        yield f"### {view.name}\n\n{view.description}\n"
        yield from _columns(view.columns)
    yield "## Macros\n\nQuestions with a blank in them.\n"
    yield "| macro | answers | example |\n| --- | --- | --- |"
    for macro in MACROS:
        call = f"{macro.name}({', '.join(macro.parameters)})"
        yield f"| `{call}` | {_cell(macro.description)} | `{_cell(macro.example)}` |"
    yield ""


def _folder(spec: TableSpec) -> str | None:
    if spec.name.startswith("publication") or spec is HITS_BY_DAY:
        return None
    return "/".join((spec.name, *(f"{name}=…" for name in spec.partition_by), f"{spec.name}.parquet"))


def _columns(columns: Sequence[ColumnSpec]) -> Iterator[str]:
    yield "| column | type | meaning |\n| --- | --- | --- |"
    for column in columns:
        meaning = column.description if column.nullable else f"{column.description} Never absent."
        yield f"| `{column.name}` | {column.sql_type} | {_cell(meaning)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(tables_page())
