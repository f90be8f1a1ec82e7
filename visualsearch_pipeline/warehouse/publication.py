"""Publishing: from Parquet files to one DuckDB file that analysts open, without ever locking one of them out.

The new file is made aside under a hidden name, verified, fsynced and swapped in (`swapping.py`). Nothing opens the
published file for writing: a DuckDB writer shuts out even read-only readers. Who has the old file open goes on
reading it. A process killed at any moment leaves the old file or the new one.

What it costs follows what changed: a copy of the published file is brought up to date, unless so much changed, or was
replaced since, that building all of it anew is the cheaper way. That also drops what replaced rows left behind, and is
all the compaction there is: a day of a query set is one Parquet file, replaced as a whole.

The tables are native at any size. Views over the Parquet files would publish without copying, but a file that is
replaced would show in them at once, in the middle of somebody's question; and `benchmarks/publishing.py` shows that the
copy is cheap.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb
import filelock
import pyarrow as pa

from visualsearch_pipeline.warehouse.database import build_database, update_database
from visualsearch_pipeline.warehouse.errors import (
    PublicationBusyError,
    PublicationError,
    ReadError,
    WarehouseError,
)
from visualsearch_pipeline.warehouse.ledger_files import write_ledger_table
from visualsearch_pipeline.warehouse.object_store import is_url
from visualsearch_pipeline.warehouse.parquet import ParquetStore
from visualsearch_pipeline.warehouse.places import TableFile, locate
from visualsearch_pipeline.warehouse.publication_record import Publication, read_publication, told_by
from visualsearch_pipeline.warehouse.published_copy import PublishedCopy
from visualsearch_pipeline.warehouse.reading import open_read_only
from visualsearch_pipeline.warehouse.schemas import LEDGER_TABLES, TABLES
from visualsearch_pipeline.warehouse.snapshots import SNAPSHOT_DAYS, keep_snapshot, prune_snapshots
from visualsearch_pipeline.warehouse.sources import Sources
from visualsearch_pipeline.warehouse.storage import copy_file
from visualsearch_pipeline.warehouse.swapping import swap_in

LOCK_TIMEOUT_SECONDS: Final = 600.0
REBUILD_SHARE: Final = 0.3
"""All is built anew once this share of the rows would have been replaced since that was last done.

A rebuild costs a few times what copying the file does; so its cost, spread over the replacements before it, stays
small, and so does the room that replaced rows take.
"""

_SMALL_ROWS: Final = 10_000
"""Up to here the rows cost nothing; what counts is that a copy has its comments and views already."""

_BUILDING_SUFFIX: Final = ".building"

_logger: Final = logging.getLogger(__name__)


def publish(
    store: ParquetStore,
    database_path: Path | str,
    ledger_tables: Mapping[str, pa.Table],
    query_sets: Sequence[str],
    *,
    snapshot_days: int = SNAPSHOT_DAYS,
    rebuild: bool = False,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
) -> Publication:
    """Write the tables of the ledger to `store`, and publish all of `store` at `database_path`.

    Args:
        store: The Parquet files.
        database_path: A local file, whose folder is made; or a URL in an object store, for one publisher at a time.
        ledger_tables: All rows of tables among `videos`, `coverage`, `queries`, `api_calls`, `archive` and `failures`,
            by table name; one that is left out is published as it stands in `store`.
        query_sets: Names of the sets that get a view. Hits of sets that are no longer among them stay in `hits`.
        snapshot_days: Of how many days the last publication is kept beside the new one; 0 keeps none.
        rebuild: Build all of it anew, however little changed.
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
    if is_url(database_path):
        return _publish_remotely(
            PublishedCopy.of(str(database_path)),
            lambda local: publish(store, local, ledger_tables, query_sets, snapshot_days=0, rebuild=rebuild),
            snapshot_days=snapshot_days,
            lock_timeout_seconds=lock_timeout_seconds,
        )
    database_path = Path(database_path)
    folder = database_path.absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f".{database_path.name}.lock", timeout=lock_timeout_seconds):
            for name, rows in ledger_tables.items():
                write_ledger_table(store, TABLES[name], rows)
            return _publish_locked(
                store,
                database_path.absolute(),
                tuple(sorted(set(query_sets))),
                snapshot_days=snapshot_days,
                rebuild=rebuild,
            )
    except filelock.Timeout as error:
        raise _busy(database_path, lock_timeout_seconds) from error
    except OSError as error:
        raise _not_published(database_path, error.strerror or str(error)) from error


@dataclass(frozen=True)
class _Update:
    """How a copy of the published database becomes the new one."""

    changed: tuple[TableFile, ...]
    replaced_rows: int


def _publish_remotely(
    copy: PublishedCopy, publish_at: Callable[[Path], Publication], *, snapshot_days: int, lock_timeout_seconds: float
) -> Publication:
    """Build on this machine what is published in an object store, and put it up in one step.

    A process killed at any moment leaves the old object or the new one. On this machine it leaves at most a file that
    the next publication makes anew, since it begins with what is published then.
    """
    building = copy.folder / "building" / copy.name
    try:
        building.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(copy.folder / ".publishing.lock", timeout=lock_timeout_seconds):
            building.unlink(missing_ok=True)
            standing = copy.current()
            if standing is not None:
                copy_file(standing, building)
            before = read_publication(building)
            made = publish_at(building)
            if made.changed or standing is None:
                if before is not None and snapshot_days > 0:
                    keep_snapshot(copy.url, published_at=before.published_at)
                copy.replace_by(building.resolve())
            shutil.rmtree(building.parent, ignore_errors=True)
            prune_snapshots(copy.url, keep_days=snapshot_days, now=datetime.now(UTC))
    except filelock.Timeout as error:
        raise _busy(copy.url, lock_timeout_seconds) from error
    except OSError as error:
        raise _not_published(copy.url, error.strerror or str(error)) from error
    return replace(made, database_path=copy.url)


def _publish_locked(
    store: ParquetStore, database_path: Path, query_sets: tuple[str, ...], *, snapshot_days: int, rebuild: bool
) -> Publication:
    # Whoever left these is dead: the lock is ours.
    for leftover in database_path.parent.glob(f".{database_path.name}.*{_BUILDING_SUFFIX}*"):
        _remove(leftover)
    store.sweep()
    sources = Sources.of(store, query_sets=query_sets)
    standing = read_publication(database_path)
    if standing is not None and standing.fingerprint == sources.fingerprint and not rebuild:
        prune_snapshots(database_path, keep_days=snapshot_days, now=datetime.now(UTC))
        return standing
    published_at = datetime.now(UTC)
    building = database_path.with_name(f".{database_path.name}.{os.getpid()}.{secrets.token_hex(4)}{_BUILDING_SUFFIX}")
    update = None if standing is None or rebuild else _update_of(standing, sources, store)
    try:
        made = _updated(building, store, sources, update, database_path, published_at) if update else None
        if made is None:
            build_database(building, store, sources=sources, published_at=published_at)
            made = _verified(building, sources)
        if standing is not None and snapshot_days > 0:
            keep_snapshot(database_path, published_at=standing.published_at)
        swap_in(building, database_path)
    except duckdb.Error as error:
        raise _not_published(database_path, str(error)) from error
    finally:
        _remove_all_of(building)
    prune_snapshots(database_path, keep_days=snapshot_days, now=published_at)
    return replace(made, database_path=database_path, changed=True)


def _update_of(standing: Publication, sources: Sources, store: ParquetStore) -> _Update | None:
    """What to change in a copy of the published database; None if it has to be built anew, or had better be."""
    if not standing.fingerprint.startswith(f"{sources.making}-"):
        return None
    try:
        with open_read_only(standing.database_path) as connection:
            rows = connection.execute("SELECT path, table_name, row_count, identity FROM publication_files").fetchall()
    except (ReadError, duckdb.Error):
        return None
    held: dict[TableFile, tuple[int, str]] = {}
    for path, table, row_count, identity in rows:
        file = locate(TABLES[table], path)
        if file is None:
            return None
        held[file] = (row_count, identity)
    gone = [file for file in held if file not in sources.identities]
    other = [file for file, identity in sources.identities.items() if held.get(file, (0, ""))[1] != identity]
    if any(not file.partition and TABLES[file.table].partition_by for file in (*gone, *other)):
        # A file of an earlier layout holds rows of many partitions.
        return None
    dropped = {file: held[file][0] for file in (*gone, *other) if file in held}
    # A table that is replaced whole leaves nothing behind; a part of one leaves its old rows.
    replaced_rows = standing.replaced_rows + sum(rows for file, rows in dropped.items() if file.partition)
    written = sum(store.row_count(file) for file in other)
    total = sum(rows for rows, _ in held.values()) - sum(dropped.values()) + written
    if max(written, replaced_rows) > REBUILD_SHARE * total and total > _SMALL_ROWS:
        return None
    return _Update(changed=(*gone, *other), replaced_rows=replaced_rows)


def _updated(
    building: Path,
    store: ParquetStore,
    sources: Sources,
    update: _Update,
    database_path: Path,
    published_at: datetime,
) -> Publication | None:
    """Make the new database from the old one; None if that does not go well."""
    try:
        copy_file(database_path, building)
        update_database(
            building,
            store,
            sources=sources,
            changed=update.changed,
            replaced_rows=update.replaced_rows,
            published_at=published_at,
        )
        return _verified(building, sources)
    except (duckdb.Error, PublicationError) as error:
        _logger.warning("%s cannot be brought up to date and is built anew: %s", database_path, error)
        _remove_all_of(building)
        return None


def _verified(building: Path, sources: Sources) -> Publication:
    """Read the finished file as an analyst would, before anyone can."""
    with open_read_only(building) as connection:
        made = told_by(connection, building)
        if made is None or made.fingerprint != sources.fingerprint:
            raise PublicationError(
                "the new database does not say what it was built from; it was not published, run again"
            )
        held = dict(connection.execute("SELECT path, identity FROM publication_files").fetchall())
        if held != {file.path: identity for file, identity in sources.identities.items()}:
            raise PublicationError("the new database was built from other files; it was not published, run again")
        for table, expected in made.row_counts.items():
            found = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608 - names from TABLES
            if found != (expected,):
                raise PublicationError(
                    f"the new database has {found and found[0]} rows in {table} where its sources have {expected}; "
                    "it was not published, run again"
                )
        for query_set in sources.query_sets:
            connection.execute(f'SELECT 1 FROM "{query_set}" LIMIT 1')  # noqa: S608 - an identifier, quoted
    return made


def _busy(database_path: Path | str, waited_seconds: float) -> PublicationBusyError:
    return PublicationBusyError(
        f"another process has been publishing {database_path} for more than {waited_seconds:g} s; "
        "wait for it, or end it"
    )


def _not_published(database_path: Path | str, reason: str) -> WarehouseError:
    message = f"cannot publish {database_path}: {reason}. The database published before, if any, is untouched"
    return PublicationError(f"{message}; make room or mend the permissions, and run again")


def _remove_all_of(building: Path) -> None:
    for leftover in building.parent.glob(f"{building.name}*"):
        _remove(leftover)


def _remove(leftover: Path) -> None:
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)
