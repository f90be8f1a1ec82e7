"""Publishing: from Parquet files to one DuckDB file that analysts open, without ever locking one of them out.

The new file is built aside under a hidden name, verified, fsynced and renamed over the old one. Nothing opens the
published file for writing: a DuckDB writer shuts out even read-only readers. Who has the old file open goes on
reading it. A process killed at any moment leaves the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import filelock
import pyarrow as pa

from visualsearch_pipeline import __version__
from visualsearch_pipeline.warehouse.database import LAYOUT_VERSION, build_database
from visualsearch_pipeline.warehouse.errors import (
    PublicationBusyError,
    PublicationError,
    ReadError,
    WarehouseError,
)
from visualsearch_pipeline.warehouse.parquet import ParquetStore
from visualsearch_pipeline.warehouse.reading import open_read_only
from visualsearch_pipeline.warehouse.schemas import LEDGER_TABLES, SCHEMA_VERSION, TABLES
from visualsearch_pipeline.warehouse.storage import fsync_folder

LOCK_TIMEOUT_SECONDS: Final = 600.0
_BUILDING_SUFFIX: Final = ".building"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A published database.

    Attributes:
        database_path: Where it lies.
        row_counts: Rows per table.
        published_at: When it was built, UTC.
        changed: False where the published file already held all this and was left alone.
        size_bytes: Its size.
        fingerprint: Hash of everything it was built from.
    """

    database_path: Path
    row_counts: Mapping[str, int]
    published_at: datetime
    changed: bool
    size_bytes: int
    fingerprint: str


def publish(
    store: ParquetStore,
    database_path: Path,
    ledger_tables: Mapping[str, pa.Table],
    query_sets: Sequence[str],
    *,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
) -> Publication:
    """Write the tables of the ledger to `store`, and publish all of `store` at `database_path`.

    Args:
        store: The Parquet files; hits, transcripts and captions are read from it.
        database_path: A local file; its folder is made.
        ledger_tables: Rows of `videos`, `coverage`, `queries`, `api_calls`, `archive` and `failures` by table name; one
            that is left out has no rows.
        query_sets: Names of the sets that get a view. Hits of sets that are no longer among them stay in `hits`.
        lock_timeout_seconds: How long to wait for another publication of the same file.

    Raises:
        SchemaMismatchError: rows of the ledger do not fit their table.
        ParquetFileError: a file of `store` is damaged.
        StorageWriteError: a Parquet file could not be written.
        PublicationBusyError: another process held the lock for too long.
        PublicationError: the database could not be built or verified. In every case the old one is untouched.
    """
    unknown = set(ledger_tables) - {spec.name for spec in LEDGER_TABLES}
    if unknown:
        raise ValueError(f"not tables of the ledger: {', '.join(sorted(unknown))}")
    folder = database_path.absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f".{database_path.name}.lock", timeout=lock_timeout_seconds):
            for spec in LEDGER_TABLES:
                store.write_table(spec.name, ledger_tables.get(spec.name, spec.empty()))
            return _publish_locked(store, database_path.absolute(), tuple(sorted(set(query_sets))))
    except filelock.Timeout as error:
        message = (
            f"another process has been publishing {database_path} for more than {lock_timeout_seconds:g} s; "
            "wait for it, or end it"
        )
        raise PublicationBusyError(message) from error
    except OSError as error:
        raise _not_published(database_path, error.strerror or str(error)) from error


def _publish_locked(store: ParquetStore, database_path: Path, query_sets: tuple[str, ...]) -> Publication:
    # Whoever left these is dead: the lock is ours.
    for leftover in database_path.parent.glob(f".{database_path.name}.*{_BUILDING_SUFFIX}*"):
        _remove(leftover)
    store.sweep()
    fingerprint = _fingerprint(store, query_sets)
    standing = read_publication(database_path)
    if standing is not None and standing.fingerprint == fingerprint:
        return standing
    published_at = datetime.now(UTC)
    name = f".{database_path.name}.{os.getpid()}.{secrets.token_hex(4)}{_BUILDING_SUFFIX}"
    building = database_path.with_name(name)
    try:
        row_counts = build_database(
            building, store, query_sets=query_sets, fingerprint=fingerprint, published_at=published_at
        )
        _verify(building, row_counts=row_counts, fingerprint=fingerprint, query_sets=query_sets)
        _fsync_file(building)
        building.replace(database_path)
        fsync_folder(database_path.parent)
    except duckdb.Error as error:
        raise _not_published(database_path, str(error)) from error
    finally:
        for leftover in database_path.parent.glob(f"{name}*"):
            _remove(leftover)
    return Publication(
        database_path=database_path,
        row_counts=row_counts,
        published_at=published_at,
        changed=True,
        size_bytes=database_path.stat().st_size,
        fingerprint=fingerprint,
    )


def read_publication(database_path: Path) -> Publication | None:
    """What is published at `database_path`; None if nothing readable is. `changed` is False."""
    try:
        with open_read_only(database_path) as connection:
            row = connection.execute(
                "SELECT fingerprint, epoch_us(published_at), row_counts FROM publication"
            ).fetchone()
    except (ReadError, duckdb.Error):
        # Not there, damaged, or of another making: it is built anew.
        return None
    if row is None:
        return None
    fingerprint, published_us, row_counts = row
    return Publication(
        database_path=database_path,
        row_counts=dict(row_counts),
        published_at=datetime.fromtimestamp(published_us / 1_000_000, UTC),
        changed=False,
        size_bytes=database_path.stat().st_size,
        fingerprint=fingerprint,
    )


def _fingerprint(store: ParquetStore, query_sets: tuple[str, ...]) -> str:
    """Hash of all that decides what the database will hold: every file, the sets, and who builds it."""
    files = {file.path: store.storage.identity(file.path) for table in TABLES for file in store.files(table)}
    inputs = {
        "files": files,
        "query_sets": query_sets,
        "package": __version__,
        "duckdb": duckdb.__version__,
        "schema": SCHEMA_VERSION,
        "layout": LAYOUT_VERSION,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _verify(building: Path, *, row_counts: Mapping[str, int], fingerprint: str, query_sets: tuple[str, ...]) -> None:
    """Read the finished file as an analyst would, before anyone can."""
    with open_read_only(building) as connection:
        for table, expected in row_counts.items():
            found = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608 - names from TABLES
            if found != (expected,):
                raise PublicationError(
                    f"the new database has {found and found[0]} rows in {table} where its sources have {expected}; "
                    "it was not published, run again"
                )
        for query_set in query_sets:
            connection.execute(f'SELECT 1 FROM "{query_set}" LIMIT 1')  # noqa: S608 - an identifier, quoted
    standing = read_publication(building)
    if standing is None or standing.fingerprint != fingerprint:
        raise PublicationError("the new database does not say what it was built from; it was not published, run again")


def _not_published(database_path: Path, reason: str) -> WarehouseError:
    message = f"cannot publish {database_path}: {reason}. The database published before, if any, is untouched"
    return PublicationError(f"{message}; make room or mend the permissions, and run again")


def _fsync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _remove(leftover: Path) -> None:
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)
