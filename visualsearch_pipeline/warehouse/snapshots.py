"""Earlier publications, kept for those who still read them: `snapshots/visualsearch-20260131T120000.000000Z.duckdb`.

Of each day the last publication is kept, and in any case the one that was replaced last. On a file system with hard
links, and in an object store, keeping one costs no writing here; each takes the room of a whole database until it is
pruned.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Final

from visualsearch_pipeline.warehouse.object_store import ObjectStore, is_url
from visualsearch_pipeline.warehouse.storage import fsync_file, fsync_folder

SNAPSHOT_FOLDER: Final = "snapshots"
SNAPSHOT_DAYS: Final = 3
"""For how many days snapshots are kept by default."""

_TIME_FORMAT: Final = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An earlier publication.

    Attributes:
        path: The database, to be opened like the published one; a URL if that lies in an object store.
        published_at: When it was built, UTC.
        size_bytes: Its size.
    """

    path: Path | str
    published_at: datetime
    size_bytes: int


def snapshots_of(database_path: Path | str) -> tuple[Snapshot, ...]:
    """The snapshots of the database at `database_path`, newest first.

    Raises:
        ObjectStoreError: its store cannot be reached.
    """
    if is_url(database_path):
        store, database_name = _store_of(str(database_path))
        sizes: dict[Path | str, int] = {
            store.location(path): size_bytes for path, size_bytes in store.sizes_bytes(SNAPSHOT_FOLDER).items()
        }
    else:
        database_name = Path(database_path).name
        sizes = {path: path.stat().st_size for path in _folder(Path(database_path)).glob("*")}
    found = []
    for path, size_bytes in sizes.items():
        published_at = _time_of(PurePath(path).name, database_name)
        if published_at is not None:
            found.append(Snapshot(path, published_at, size_bytes))
    return tuple(sorted(found, key=lambda snapshot: snapshot.published_at, reverse=True))


def keep_snapshot(database_path: Path | str, *, published_at: datetime) -> Snapshot:
    """Keep what is published at `database_path` under a name of its own, before another is put in its place.

    Raises:
        OSError: it cannot be kept.
    """
    if is_url(database_path):
        store, database_name = _store_of(str(database_path))
        path_in_store = f"{SNAPSHOT_FOLDER}/{_name_of(database_name, published_at)}"
        store.copy(database_name, path_in_store)
        return Snapshot(store.location(path_in_store), published_at, store.size_bytes(path_in_store))
    database = Path(database_path)
    folder = _folder(database)
    folder.mkdir(exist_ok=True)
    path = folder / _name_of(database.name, published_at)
    if not path.exists():
        temporary = path.with_name(f".{path.name}.part")
        temporary.unlink(missing_ok=True)
        try:
            os.link(database.resolve(), temporary)
        except OSError:
            # Not every file system has hard links.
            shutil.copyfile(database, temporary)
            fsync_file(temporary)
        temporary.replace(path)
        fsync_folder(folder)
    return Snapshot(path, published_at, path.stat().st_size)


def prune_snapshots(database_path: Path | str, *, keep_days: int, now: datetime) -> tuple[Snapshot, ...]:
    """Remove the snapshots that are not kept any more; say which are left, newest first.

    Args:
        database_path: The published database.
        keep_days: Of how many days the last publication stays; 0 keeps none at all.
        now: The time, aware.
    """
    if not is_url(database_path):
        for leftover in _folder(Path(database_path)).glob(".*.part"):
            leftover.unlink(missing_ok=True)
    removable = set(removable_snapshots(database_path, keep_days=keep_days, now=now))
    for snapshot in removable:
        if isinstance(snapshot.path, Path):
            snapshot.path.unlink(missing_ok=True)
        else:
            store, name = _store_of(snapshot.path)
            store.remove(name)
    return tuple(snapshot for snapshot in snapshots_of(database_path) if snapshot not in removable)


def removable_snapshots(database_path: Path | str, *, keep_days: int, now: datetime) -> tuple[Snapshot, ...]:
    """The snapshots that `prune_snapshots` with the same arguments would remove, newest first."""
    kept: list[Snapshot] = []
    removable: list[Snapshot] = []
    for snapshot in snapshots_of(database_path):
        is_last_of_its_day = all(other.published_at.date() != snapshot.published_at.date() for other in kept)
        is_young = now - snapshot.published_at < timedelta(days=keep_days)
        if keep_days > 0 and (not kept or (is_last_of_its_day and is_young)):
            kept.append(snapshot)
        else:
            removable.append(snapshot)
    return tuple(removable)


def _folder(database_path: Path) -> Path:
    return database_path.parent / SNAPSHOT_FOLDER


def _store_of(url: str) -> tuple[ObjectStore, str]:
    folder, _, name = url.rpartition("/")
    return ObjectStore(folder), name


def _name_of(database_name: str, published_at: datetime) -> str:
    database = PurePath(database_name)
    return f"{database.stem}-{published_at.astimezone(UTC):{_TIME_FORMAT}}{database.suffix}"


def _time_of(name: str, database_name: str) -> datetime | None:
    """When the publication was made that a file's name says it is a snapshot of; None if it says none."""
    database = PurePath(database_name)
    try:
        return datetime.strptime(name, f"{database.stem}-{_TIME_FORMAT}{database.suffix}").replace(tzinfo=UTC)
    except ValueError:
        # Somebody's own file.
        return None
