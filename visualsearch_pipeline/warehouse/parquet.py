"""The warehouse's Parquet files: plain hive folders that Spark, Trino, pandas, Polars and DuckDB read without us.

    hits/query_set=street/day=2026-01-31/hits.parquet
    transcripts/day=2026-01-31/transcripts.parquet
    videos/videos.parquet

The columns of a path are not in the file (see `TableSpec.partition_by`); its key-value metadata repeats their values,
so that a file that was moved is noticed. One file per query set and day, replaced as a whole: a reader sees the day
before a search or after it, never between. A damaged file is an error that names it, never an empty table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from visualsearch_pipeline.warehouse.errors import ParquetFileError, SchemaMismatchError
from visualsearch_pipeline.warehouse.hit_schemas import HITS
from visualsearch_pipeline.warehouse.places import TableFile, locate, place
from visualsearch_pipeline.warehouse.schemas import STORED
from visualsearch_pipeline.warehouse.storage import LEFTOVER_AGE_SECONDS, Storage
from visualsearch_pipeline.warehouse.table_spec import TableSpec

_ROW_GROUP_ROWS: Final = 131_072
_PARTITION_KEY: Final = b"partition"
_REVISION_KEY: Final = b"revision"


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

    def write_hits(self, query_set: str, day: date, rows: pa.Table, *, revision: int = 0) -> WrittenFile:
        """Replace the hits of `query_set` on `day` by `rows`, which may be none.

        Args:
            query_set: The set.
            day: The day.
            rows: All its hits.
            revision: Kept with the file: the changes of the day (`hit_changes`) up to it have taken effect.

        Raises:
            SchemaMismatchError: the rows do not fit the table `hits`, or belong to another set or day.
            StorageWriteError: the file could not be written; the one before still stands.
        """
        return self._write(place(HITS, query_set=query_set, day=day), rows, revision=revision)

    def read_hits(self, query_set: str, day: date) -> pa.Table:
        """The hits of `query_set` on `day`; no rows if none were ever written.

        Raises:
            ParquetFileError: the file is damaged.
        """
        return self.read_file(place(HITS, query_set=query_set, day=day))

    def has_hits(self, query_set: str, day: date) -> bool:
        """Whether the hits of `query_set` on `day` were ever written, even if they are none."""
        return self.storage.exists(place(HITS, query_set=query_set, day=day).path)

    def hits_revision(self, query_set: str, day: date) -> int:
        """The revision with which the hits of `query_set` on `day` were written; 0 if they were not.

        Raises:
            ParquetFileError: the file is damaged.
        """
        file = place(HITS, query_set=query_set, day=day)
        if not self.storage.exists(file.path):
            return 0
        with self._opened(file) as parquet:
            return int((parquet.schema_arrow.metadata or {}).get(_REVISION_KEY, b"0"))

    def write_part(
        self, table_name: str, rows: pa.Table, *, query_set: str | None = None, day: date | None = None
    ) -> WrittenFile:
        """Replace the part of any table that lies in one file. Raises as `write_hits`."""
        return self._write(place(STORED[table_name], query_set=query_set, day=day), rows)

    def read_part(self, table_name: str, *, query_set: str | None = None, day: date | None = None) -> pa.Table:
        """The part of any table that lies in one file; no rows if it was never written. Raises as `read_hits`."""
        return self.read_file(place(STORED[table_name], query_set=query_set, day=day))

    def write_day(self, table_name: str, day: date, rows: pa.Table) -> WrittenFile:
        """Replace one day of a table with a file per day (`transcripts`, `captions`). Raises as `write_hits`."""
        return self._write(place(STORED[table_name], day=day), rows)

    def read_day(self, table_name: str, day: date) -> pa.Table:
        """One day of a table with a file per day; no rows if none were ever written. Raises as `read_hits`."""
        return self.read_file(place(STORED[table_name], day=day))

    def write_table(self, table_name: str, rows: pa.Table) -> WrittenFile:
        """Replace a table that is one file. Raises as `write_hits`."""
        return self._write(place(STORED[table_name]), rows)

    def read_table(self, table_name: str) -> pa.Table:
        """A table that is one file; no rows if it was never written. Raises as `read_hits`."""
        return self.read_file(place(STORED[table_name]))

    def files(self, table_name: str) -> tuple[TableFile, ...]:
        """Every file of a table, in the order of their paths.

        Raises:
            ParquetFileError: a file lies where none of this table belongs.
        """
        return tuple(self.identities(table_name))

    def identities(self, table_name: str) -> Mapping[TableFile, str]:
        """Every file of a table, in the order of their paths, with a text that changes whenever it is replaced.

        Raises:
            ParquetFileError: a file lies where none of this table belongs.
        """
        spec = STORED[table_name]
        found = self.storage.identities(table_name, suffix=".parquet")
        return {self._located(spec, path): identity for path, identity in found.items()}

    def row_count(self, file: TableFile) -> int:
        """How many rows a file has, read from its end. Raises as `read_hits`."""
        with self._opened(file) as parquet:
            return int(parquet.metadata.num_rows)

    def remove(self, file: TableFile) -> None:
        """Remove a file, if it is there."""
        self.storage.remove(file.path)

    def read_file(self, file: TableFile) -> pa.Table:
        """One file with the columns of its path, in the table's present schema; no rows if it does not exist.

        Raises:
            ParquetFileError: it is damaged, holds rows of another table or place, or is newer than this version.
        """
        spec = STORED[file.table]
        if not self.storage.exists(file.path):
            return spec.empty()
        with self._opened(file) as parquet:
            rows = parquet.read()
        found = (rows.schema.metadata or {}).get(_PARTITION_KEY, b"").decode(errors="replace")
        if found != file.partition_text:
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

    @contextmanager
    def _opened(self, file: TableFile) -> Iterator[pq.ParquetFile]:
        try:
            with (
                self.storage.open(file.path) as opened,
                pq.ParquetFile(opened, page_checksum_verification=True) as parquet,
            ):
                yield parquet
        except (pa.ArrowException, OSError, EOFError) as error:
            raise self._unreadable(file, f"it is damaged or cut short ({error})") from error

    def _write(self, file: TableFile, rows: pa.Table, *, revision: int = 0) -> WrittenFile:
        spec = STORED[file.table]
        conformed = spec.conform(rows)
        for name, value in file.partition.items():
            if not pc.all(pc.equal(conformed.column(name), value), min_count=0).as_py():
                message = f"rows do not belong into {file.path}: not all have {name} = {value}"
                raise SchemaMismatchError(message, table=file.table, column=name)
        stored = _in_order(conformed, spec).select(spec.file_schema.names)
        written_with = {_PARTITION_KEY: file.partition_text} | ({_REVISION_KEY: str(revision)} if revision else {})
        stored = stored.replace_schema_metadata({**spec.file_schema.metadata, **written_with})

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
        file = locate(spec, path)
        if file is None:
            location = self.storage.location(path)
            message = f"{location} is no file of the table {spec.name}, and readers of the folder would count it in"
            raise ParquetFileError(f"{message}; move it away", path=location)
        return file

    def _unreadable(self, file: TableFile, reason: str) -> ParquetFileError:
        location = self.storage.location(file.path)
        remedy = "restore it from a backup, or delete it and have its rows made again"
        return ParquetFileError(f"cannot read {location}: {reason}; {remedy}", path=location)


def _in_order(rows: pa.Table, spec: TableSpec) -> pa.Table:
    if not spec.sort_by:
        return rows
    positions = pc.sort_indices(rows, sort_keys=list(spec.sort_by))
    # Mostly they are in order already; then copying every column, a fifth of the whole writing, is spared.
    if positions.equals(pa.array(np.arange(rows.num_rows, dtype=np.uint64))):
        return rows
    return rows.take(positions)


def _stored_order(spec: TableSpec) -> list[tuple[str, str]]:
    return [(name, order) for name, order in spec.sort_by if name not in spec.partition_by]
