"""What the UI shows of a materialization: schema, row counts, counts by state, a preview."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from typing import Final

import dagster as dg
import pyarrow as pa

from visualsearch_pipeline.ledger import Failure
from visualsearch_pipeline.warehouse import TABLES

_PREVIEW_ROWS: Final = 10
_CELL_CHARACTERS: Final = 80
_ADDRESS: Final = "media_uri"

Metadata = dict[str, dg.MetadataValue]

FAILED_ITEMS: Final = "failed_items"
"""The table of what failed."""


def counts_of(report: object) -> Metadata:
    """The numbers of a step's report, each under its name, so that Dagster plots them over time."""
    if not is_dataclass(report) or isinstance(report, type):
        raise TypeError(f"a report is a dataclass, not {report!r}")
    return {
        name: dg.MetadataValue.int(value)
        for name, value in asdict(report).items()
        if isinstance(value, int) and not isinstance(value, bool)
    }


def table_schema(table_name: str) -> dg.TableSchema:
    """The columns of a published table, with the same descriptions as in DuckDB."""
    spec = TABLES[table_name]
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.sql_type,
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in spec.columns
        ]
    )


def column_schema(table_name: str) -> Metadata:
    """The columns of a published table, for an asset's definition."""
    return {"dagster/column_schema": dg.MetadataValue.table_schema(table_schema(table_name))}


def column_lineage(columns: Mapping[str, Sequence[tuple[dg.AssetKey, str]]]) -> Metadata:
    """Which columns of other assets a table's columns were taken from, for a materialization."""
    lineage = dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key=asset, column_name=column) for asset, column in sources]
            for name, sources in columns.items()
        }
    )
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(lineage)}


def row_count(rows: int) -> Metadata:
    """How many rows this partition has now."""
    return {"dagster/partition_row_count": dg.MetadataValue.int(rows)}


def preview(table: pa.Table, columns: Sequence[str], *, order_by: str | None = None) -> Metadata:
    """The first rows of a table in Markdown; of an address the file's name, since the UI cuts a wide table off."""
    if table.num_rows == 0:
        return {}
    chosen = table.sort_by([(order_by, "descending")]) if order_by else table
    rows = chosen.select(columns).slice(0, _PREVIEW_ROWS).to_pylist()
    shown = [
        [file_name(str(row[name])) if name == _ADDRESS and row[name] else row[name] for name in columns] for row in rows
    ]
    headers = ["media" if name == _ADDRESS else name for name in columns]
    return {"preview": dg.MetadataValue.md(markdown_table(headers, shown))}


def file_name(uri: str) -> str:
    """What a file is called, without the way to it."""
    return uri.rpartition("/")[2] or uri


def failed_items(failures: Sequence[Failure]) -> Metadata:
    """How many failed, and the ten that failed most often as a table, with day, reason and count."""
    if not failures:
        return {"failed": dg.MetadataValue.int(0)}
    worst = sorted(failures, key=lambda failure: (-failure.failure_count, failure.first_failed_at, failure.subject))
    shown = [(failure.day, failure.subject, failure.reason, failure.failure_count) for failure in worst[:_PREVIEW_ROWS]]
    return {
        "failed": dg.MetadataValue.int(len(failures)),
        FAILED_ITEMS: dg.MetadataValue.md(markdown_table(("day", "item", "reason", "times"), shown, wide="reason")),
    }


def failures_by_day(failures: Iterable[Failure], *, days: Collection[date]) -> dict[date, list[Failure]]:
    """The failures that belong to one of `days`; those of no day, such as a query's, are left out."""
    by_day: dict[date, list[Failure]] = {}
    for failure in failures:
        if failure.day is not None and failure.day in days:
            by_day.setdefault(failure.day, []).append(failure)
    return dict(sorted(by_day.items()))


def states(counts: Mapping[str, int]) -> Metadata:
    """Counts by state."""
    return {f"{state}_count": dg.MetadataValue.int(count) for state, count in sorted(counts.items())}


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, wide: str | None = None) -> str:
    """Rows as a Markdown table; cells are cut to a readable length, save those of the column `wide`."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in rows:
        cells = (_cell(value, cut=column != wide) for column, value in zip(columns, row, strict=True))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: object, *, cut: bool) -> str:
    match value:
        case None:
            return ""
        case float():
            text = f"{value:.3f}"
        case datetime() | date():
            text = value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else value.isoformat()
        case _:
            text = str(value)
    text = " ".join(text.split())
    if cut and len(text) > _CELL_CHARACTERS:
        # Of an address the end tells which file it is.
        text = f"…{text[1 - _CELL_CHARACTERS :]}" if "://" in text else f"{text[: _CELL_CHARACTERS - 1]}…"
    return text.replace("|", "\\|")
