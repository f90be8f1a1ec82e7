"""Putting a finished database in the place of the published one, so that whoever opens it then meets one of them whole.

DuckDB opens a database by its name three times: for its kind, its head, and its blocks. A file that is replaced
between them gives the head of one and the blocks of another. So the published name is a symbolic link, which DuckDB
follows once, before it opens anything; what it leads to is never replaced:

    visualsearch.duckdb -> .visualsearch.duckdb.published/3f0c1a9be2d84756/visualsearch.duckdb

The file behind it has the published name too, because DuckDB calls the catalog after it. The one before stays until the
next publication, for whoever has followed the link and not opened it yet.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from visualsearch_pipeline.warehouse.storage import fsync_file, fsync_folder


def swap_in(made: Path, database_path: Path) -> None:
    """Publish `made` at `database_path`, in one step. A process killed at any moment leaves the old one or the new one.

    Where there are no symbolic links, the file itself is replaced.

    Args:
        made: A finished database on the same file system; it is moved.
        database_path: Where it is published: nothing, a link of ours, or a file. Nobody else publishes meanwhile.

    Raises:
        OSError: It cannot be moved or linked; what was published stays.
    """
    folder = database_path.parent
    versions = folder / f".{database_path.name}.published"
    before = database_path.resolve().parent
    own = versions / secrets.token_hex(8)
    own.mkdir(parents=True)
    fsync_file(made)
    kept = made.replace(own / database_path.name)
    fsync_folder(own)
    fsync_folder(versions)
    link = versions / f"{own.name}.link"
    try:
        # Relative to where the link will stand, so that the folder may be moved or mounted elsewhere.
        link.symlink_to(kept.relative_to(folder))
    except OSError:
        kept.replace(database_path)
    else:
        link.replace(database_path)
    fsync_folder(folder)
    for other in versions.iterdir():
        if other not in {own, before}:
            _remove(other)


def _remove(version: Path) -> None:
    if version.is_dir() and not version.is_symlink():
        shutil.rmtree(version, ignore_errors=True)
    else:
        version.unlink(missing_ok=True)
