"""The warehouse's Parquet files: plain hive folders that Spark, Trino, pandas, Polars and DuckDB read without us.

    hits/query_set=street/day=2026-01-31/hits.parquet
    transcripts/day=2026-01-31/transcripts.parquet
    videos/videos.parquet

The columns of a path are not in the file (see `TableSpec.partition_by`); its key-value metadata repeats their values,
so that a file that was moved is noticed. One file per query set and day, replaced as a whole: a reader sees the day
before a search or after it, never between. A damaged file is an error that names it, never an empty table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visualsearch_pipeline.warehouse.errors import ParquetFileError, SchemaMismatchError
from visualsearch_pipeline.warehouse.schemas import HITS, TABLES
from visualsearch_pipeline.warehouse.storage import LEFTOVER_AGE_SECONDS, Storage
from visualsearch_pipeline.warehouse.table_spec import TableSpec

_ROW_GROUP_ROWS: Final = 131_072
_QUERY_SET: Final = re.compile(r"[a-z][a-z0-9_]*")
_KEY_IN_PATH: Final = re.compile(r"([a-z_]+)=([^/]+)/")
_PARTITION_KEY: Final = b"partition"


@dataclass(frozen=True, slots=True)
class TableFile:
    """One Parquet file of the warehouse.

    Attributes:
        table: The table it is a part of.
        path: Relative to the store's root.
        query_set: The query set in its path, if the table has one there.
        day: The day in its path, if the table has one there.
    """

    table: str
    path: str
    query_set: str | None = None
    day: date | None = None

    @property
    def partition(self) -> Mapping[str, str | date]:
        """The columns that stand in the path, with their values."""
        values = {"query_set": self.query_set, "day": self.day}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What a write came to.

    Attributes:
        file: The file.
        row_count: Its rows.
        size_bytes: Its size.
        changed: False where the very same bytes stood there already.
    """

    file: TableFile
    row_count: int
    size_bytes: int
    changed: bool


@dataclass(frozen=True)
class ParquetStore:
    """The warehouse's Parquet files under one root. Cheap to make, safe to share between threads.

    Args:
        root: A local path or an fsspec URL; made on the first write.
    """

    root: str
    storage: Storage = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "storage", Storage(self.root))

    def write_hits(self, query_set: str, day: date, rows: pa.Table) -> WrittenFile:
        """Replace the hits of `query_set` on `day` by `rows`, which may be none.

        Raises:
            SchemaMismatchError: the rows do not fit the table `hits`, or belong to another set or day.
            StorageWriteError: the file could not be written; the one before still stands.
        """
        return self._write(_place(HITS, query_set=query_set, day=day), rows)

    def read_hits(self, query_set: str, day: date) -> pa.Table:
        """The hits of `query_set` on `day`; no rows if none were ever written.

        Raises:
            ParquetFileError: the file is damaged.
        """
        return self.read_file(_place(HITS, query_set=query_set, day=day))

    def has_hits(self, query_set: str, day: date) -> bool:
        """Whether the hits of `query_set` on `day` were ever written, even if they are none."""
        return self.storage.exists(_place(HITS, query_set=query_set, day=day).path)

    def write_day(self, table_name: str, day: date, rows: pa.Table) -> WrittenFile:
        """Replace one day of a table with a file per day (`transcripts`, `captions`). Raises as `write_hits`."""
        return self._write(_place(TABLES[table_name], day=day), rows)

    def read_day(self, table_name: str, day: date) -> pa.Table:
        """One day of a table with a file per day; no rows if none were ever written. Raises as `read_hits`."""
        return self.read_file(_place(TABLES[table_name], day=day))

    def write_table(self, table_name: str, rows: pa.Table) -> WrittenFile:
        """Replace a table that is one file. Raises as `write_hits`."""
        return self._write(_place(TABLES[table_name]), rows)

    def read_table(self, table_name: str) -> pa.Table:
        """A table that is one file; no rows if it was never written. Raises as `read_hits`."""
        return self.read_file(_place(TABLES[table_name]))

    def files(self, table_name: str) -> tuple[TableFile, ...]:
        """Every file of a table, in the order of their paths.

        Raises:
            ParquetFileError: a file lies where none of this table belongs.
        """
        spec = TABLES[table_name]
        return tuple(self._located(spec, path) for path in self.storage.list(table_name, suffix=".parquet"))

    def read_file(self, file: TableFile) -> pa.Table:
        """One file with the columns of its path, in the table's present schema; no rows if it does not exist.

        Raises:
            ParquetFileError: it is damaged, holds rows of another table or place, or is newer than this version.
        """
        spec = TABLES[file.table]
        try:
            with (
                self.storage.open(file.path) as opened,
                pq.ParquetFile(opened, page_checksum_verification=True) as parquet,
            ):
                rows = parquet.read()
        except FileNotFoundError:
            return spec.empty()
        except (pa.ArrowException, OSError, EOFError) as error:
            raise self._unreadable(file, f"it is damaged or cut short ({error})") from error
        found = (rows.schema.metadata or {}).get(_PARTITION_KEY, b"").decode(errors="replace")
        if found != _partition_text(file):
            raise self._unreadable(file, f"it was written for {found or 'no partition'}, not for this place")
        for name, value in file.partition.items():
            column = pa.array([value], spec.column(name).type).take(pa.array([0] * rows.num_rows, pa.int64()))
            rows = rows.append_column(name, column)
        try:
            return spec.adopt(rows)
        except SchemaMismatchError as error:
            raise self._unreadable(file, str(error)) from error

    def iter_tables(self, table_name: str) -> Iterator[pa.Table]:
        """A table file by file, so that memory holds one file at a time. Raises as `read_file`."""
        for file in self.files(table_name):
            yield self.read_file(file)

    def sweep(self, *, older_than_seconds: float = LEFTOVER_AGE_SECONDS) -> int:
        """Remove what killed writers left behind, unless it is younger than this; say how many files that were."""
        return self.storage.sweep(older_than_seconds=older_than_seconds)

    def _write(self, file: TableFile, rows: pa.Table) -> WrittenFile:
        spec = TABLES[file.table]
        conformed = spec.conform(rows)
        for name, value in file.partition.items():
            if not pc.all(pc.equal(conformed.column(name), value), min_count=0).as_py():
                message = f"rows do not belong into {file.path}: not all have {name} = {value}"
                raise SchemaMismatchError(message, table=file.table, column=name)
        if spec.sort_by:
            conformed = conformed.sort_by(list(spec.sort_by))
        stored = conformed.select(spec.file_schema.names)
        stored = stored.replace_schema_metadata({**spec.file_schema.metadata, _PARTITION_KEY: _partition_text(file)})

        def write(target: BinaryIO) -> None:
            pq.write_table(
                stored,
                target,
                compression="zstd",
                row_group_size=_ROW_GROUP_ROWS,
                write_page_checksum=True,
                sorting_columns=pq.SortingColumn.from_ordering(stored.schema, _stored_order(spec)),
            )

        changed = self.storage.write(file.path, write)
        return WrittenFile(file, stored.num_rows, self.storage.size_bytes(file.path), changed)

    def _located(self, spec: TableSpec, path: str) -> TableFile:
        keys = dict(_KEY_IN_PATH.findall(path))
        try:
            day = date.fromisoformat(keys["day"]) if "day" in keys else None
            file = _place(spec, query_set=keys.get("query_set"), day=day)
        except ValueError:
            file = None
        if file is None or file.path != path:
            location = self.storage.location(path)
            message = f"{location} is no file of the table {spec.name}, and readers of the folder would count it in"
            raise ParquetFileError(f"{message}; move it away", path=location)
        return file

    def _unreadable(self, file: TableFile, reason: str) -> ParquetFileError:
        location = self.storage.location(file.path)
        remedy = "restore it from a backup, or delete it and have its rows made again"
        return ParquetFileError(f"cannot read {location}: {reason}; {remedy}", path=location)


def _place(spec: TableSpec, *, query_set: str | None = None, day: date | None = None) -> TableFile:
    """Where a part of a table lies. Raises `ValueError` for a part that the table does not have."""
    given: dict[str, str | date] = {}
    if query_set is not None:
        given["query_set"] = query_set
    if day is not None:
        given["day"] = day
    if tuple(given) != spec.partition_by:
        wanted = ", ".join(spec.partition_by) or "nothing"
        raise ValueError(
            f"a file of the table {spec.name} is named by {wanted}, not by {', '.join(given) or 'nothing'}"
        )
    if query_set is not None and not _QUERY_SET.fullmatch(query_set):
        raise ValueError(f"{query_set!r} is not the name of a query set")
    folders = "".join(f"{name}={value}/" for name, value in given.items())
    return TableFile(spec.name, f"{spec.name}/{folders}{spec.name}.parquet", query_set=query_set, day=day)


def _partition_text(file: TableFile) -> str:
    return "/".join(f"{name}={value}" for name, value in file.partition.items())


def _stored_order(spec: TableSpec) -> list[tuple[str, str]]:
    return [(name, order) for name, order in spec.sort_by if name not in spec.partition_by]
