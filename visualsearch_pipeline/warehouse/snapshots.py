"""Earlier publications, kept for those who still read them: `snapshots/visualsearch-20260131T120000.000000Z.duckdb`.

Of each day the last publication is kept, and in any case the one that was replaced last. On a file system with hard
links, keeping one costs no writing; each takes the room of a whole database until it is pruned.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from visualsearch_pipeline.warehouse.storage import fsync_file, fsync_folder

SNAPSHOT_FOLDER: Final = "snapshots"
SNAPSHOT_DAYS: Final = 3
"""For how many days snapshots are kept by default."""

_TIME_FORMAT: Final = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An earlier publication.

    Attributes:
        path: The database, to be opened like the published one.
        published_at: When it was built, UTC.
    """

    path: Path
    published_at: datetime


def snapshots_of(database_path: Path) -> tuple[Snapshot, ...]:
    """The snapshots of the database at `database_path`, newest first."""
    found = []
    for path in _folder(database_path).glob(f"{database_path.stem}-*{database_path.suffix}"):
        try:
            published_at = datetime.strptime(path.stem[len(database_path.stem) + 1 :], _TIME_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            # Somebody's own file.
            continue
        found.append(Snapshot(path, published_at))
    return tuple(sorted(found, key=lambda snapshot: snapshot.published_at, reverse=True))


def keep_snapshot(database_path: Path, *, published_at: datetime) -> Snapshot:
    """Keep what is published at `database_path` under a name of its own, before another is put in its place."""
    folder = _folder(database_path)
    folder.mkdir(exist_ok=True)
    path = folder / f"{database_path.stem}-{published_at.astimezone(UTC):{_TIME_FORMAT}}{database_path.suffix}"
    if not path.exists():
        temporary = path.with_name(f".{path.name}.part")
        temporary.unlink(missing_ok=True)
        try:
            os.link(database_path, temporary)
        except OSError:
            # Not every file system has hard links.
            shutil.copyfile(database_path, temporary)
            fsync_file(temporary)
        temporary.replace(path)
        fsync_folder(folder)
    return Snapshot(path, published_at)


def prune_snapshots(database_path: Path, *, keep_days: int, now: datetime) -> tuple[Snapshot, ...]:
    """Remove the snapshots that are not kept any more; say which are left, newest first.

    Args:
        database_path: The published database.
        keep_days: Of how many days the last publication stays; 0 keeps none at all.
        now: The time, aware.
    """
    for leftover in _folder(database_path).glob(".*.part"):
        leftover.unlink(missing_ok=True)
    removable = set(removable_snapshots(database_path, keep_days=keep_days, now=now))
    for snapshot in removable:
        snapshot.path.unlink(missing_ok=True)
    return tuple(snapshot for snapshot in snapshots_of(database_path) if snapshot not in removable)


def removable_snapshots(database_path: Path, *, keep_days: int, now: datetime) -> tuple[Snapshot, ...]:
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
