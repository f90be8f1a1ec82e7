"""Tables of the ledger as Parquet files: whole ones are one file, those that grow for ever have one per part."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from visualsearch_pipeline.warehouse.errors import SchemaMismatchError
from visualsearch_pipeline.warehouse.parquet import ParquetStore
from visualsearch_pipeline.warehouse.places import TableFile
from visualsearch_pipeline.warehouse.table_spec import TableSpec


def write_ledger_table(store: ParquetStore, spec: TableSpec, rows: pa.Table) -> None:
    """Replace a table, all parts of it, by `rows`.

    Raises:
        SchemaMismatchError: the rows do not fit, or a row lacks the column that says which part it belongs to.
        StorageWriteError: a file could not be written or removed.
    """
    drop_earlier_layout(store, spec)
    if not spec.partition_by:
        store.write_table(spec.name, rows)
        return
    written: set[TableFile] = set()
    for query_set, day, part in _split(spec, spec.conform(rows)):
        written.add(store.write_part(spec.name, part, query_set=query_set, day=day).file)
    for file in store.files(spec.name):
        if file not in written:
            store.remove(file)


def drop_earlier_layout(store: ParquetStore, spec: TableSpec) -> None:
    """Remove files of a layout that is no more, before the ledger's rows are written in today's.

    They are removed first: for a moment a reader of the folder finds too little there, rather than rows that count
    twice. The published database is made of neither state.
    """
    for file in store.files(spec.name):
        if tuple(file.partition) != spec.partition_by:
            store.remove(file)


def _split(spec: TableSpec, rows: pa.Table) -> Iterator[tuple[str | None, date, pa.Table]]:
    """The rows of each part, with the query set and the day that its path names."""
    keys = rows.select(spec.partition_by)
    for name in spec.partition_by:
        if keys.column(name).null_count:
            message = f"rows do not fit the table {spec.name}: column {name}: not every row has a value"
            raise SchemaMismatchError(message, table=spec.name, column=name)
    for partition in keys.group_by(list(spec.partition_by)).aggregate([]).to_pylist():
        belongs = pa.repeat(pa.scalar(value=True), rows.num_rows)
        for name, value in partition.items():
            belongs = pc.and_(belongs, pc.equal(keys.column(name), pa.scalar(value, spec.column(name).type)))
        yield partition.get("query_set"), partition["day"], rows.filter(belongs)
