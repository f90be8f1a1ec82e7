"""Where the warehouse's files lie: a local folder or an object store. A file is there whole, or it is not there.

On a local disk a file is written under a hidden name, fsynced, renamed, and its folder fsynced; for object stores see
`object_store.py`. Names that begin with a dot are skipped by every
reader's glob, so what a killed writer left behind is never read; it is swept when it is old.
"""

from __future__ import annotations

import errno
import filecmp
import io
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import fsspec

from visualsearch_pipeline.warehouse.errors import StorageWriteError
from visualsearch_pipeline.warehouse.object_store import ObjectStore, is_url

LEFTOVER_AGE_SECONDS: Final = 3600.0
"""A temporary file that was not written to for so long has no writer any more."""

_TEMPORARY_SUFFIX: Final = ".part"


class Storage:
    """Files under one root, named by relative paths with forward slashes.

    Args:
        root: A local path or an fsspec URL such as `s3://bucket/warehouse`. Made on the first write.
    """

    def __init__(self, root: str) -> None:
        self._objects = ObjectStore(root) if is_url(root) else None
        self._base = root if is_url(root) else fsspec.core.url_to_fs(root)[1].rstrip("/")

    def __repr__(self) -> str:
        return f"Storage({self._base!r})"

    def location(self, path: str) -> str:
        """The full path or URL of `path`, as messages name it."""
        return self._objects.location(path) if self._objects else f"{self._base}/{path}"

    def exists(self, path: str) -> bool:
        """Whether there is a file at `path`."""
        return self._objects.exists(path) if self._objects else self._path(path).is_file()

    def open(self, path: str) -> BinaryIO:
        """The bytes at `path`. Raises `FileNotFoundError` if there is no such file."""
        return io.BytesIO(self._objects.read(path)) if self._objects else self._path(path).open("rb")

    def size_bytes(self, path: str) -> int:
        """The size of the file at `path`."""
        return self._objects.size_bytes(path) if self._objects else self._path(path).stat().st_size

    def identities(self, folder: str, *, suffix: str) -> Mapping[str, str]:
        """Every file under `folder` whose name ends in `suffix`, with a text that changes whenever it is replaced.

        One listing, however many files. Sorted by path; hidden files and folders are left out.
        """
        found = self._objects.identities(folder) if self._objects else self._local_identities(folder)
        return {
            path: identity
            for path, identity in found.items()
            if path.endswith(suffix) and not any(part.startswith((".", "_")) for part in path.split("/"))
        }

    def write(self, path: str, write: Callable[[BinaryIO], None]) -> bool:
        """Put under `path` what `write` writes, whole or not at all.

        Returns:
            Whether the file is another than before. The same bytes again leave it untouched, so that nothing that
            depends on it is made anew.

        Raises:
            StorageWriteError: it could not be written; what stood there still stands.
        """
        try:
            if not self._objects:
                return self._write_local(path, write)
            buffer = io.BytesIO()
            write(buffer)
            return self._objects.write(path, buffer.getvalue())
        except OSError as error:
            location = self.location(path)
            reason = error.strerror or str(error)
            message = (
                f"cannot write {location}: {reason}. What stood there before is untouched; make room or mend the "
                "permissions, and run again"
            )
            raise StorageWriteError(message, path=location) from error

    def remove(self, path: str) -> None:
        """Remove the file at `path`, if there is one, for good: it does not come back after a loss of power.

        Raises:
            StorageWriteError: it cannot be removed.
        """
        location = self.location(path)
        try:
            if self._objects:
                self._objects.remove(path)
                return
            self._path(path).unlink()
            fsync_folder(self._path(path).parent)
        except FileNotFoundError:
            return
        except OSError as error:
            message = f"cannot remove {location}: {error.strerror or error}; mend the permissions, and run again"
            raise StorageWriteError(message, path=location) from error

    def sweep(self, *, older_than_seconds: float = LEFTOVER_AGE_SECONDS) -> int:
        """Remove what killed writers left behind, unless it is younger than this; say how many files that were."""
        if self._objects or not Path(self._base).is_dir():
            return 0
        return sum(_sweep_folder(Path(folder), older_than_seconds) for folder, _, _ in os.walk(self._base))

    def _path(self, path: str) -> Path:
        return Path(f"{self._base}/{path}")

    def _local_identities(self, folder: str) -> Mapping[str, str]:
        found = fsspec.filesystem("file").find(self.location(folder), detail=True)
        return {
            str(location)[len(self._base) + 1 :]: f"{details['size']}:{details['mtime']}:{details['ino']}"
            for location, details in sorted(found.items())
        }

    def _write_local(self, path: str, write: Callable[[BinaryIO], None]) -> bool:
        target = self._path(path)
        _make_folder(target.parent)
        _sweep_folder(target.parent, LEFTOVER_AGE_SECONDS)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}")
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if target.is_file() and filecmp.cmp(temporary, target, shallow=False):
                return False
            temporary.replace(target)
            fsync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return True


def copy_file(source: Path, target: Path) -> None:
    """Copy a file within the kernel; on a file system that can share blocks (Btrfs, XFS), without writing them."""
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as read, target.open("xb") as written:
        left = os.fstat(read.fileno()).st_size
        try:
            while left and (copied := os.copy_file_range(read.fileno(), written.fileno(), left)):
                left -= copied
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            # This file system cannot; what was copied so far stands, and both files are at its end.
            shutil.copyfileobj(read, written)


def fsync_file(path: Path) -> None:
    """Make what is in the file at `path` survive a loss of power."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        fsync_folder(made.parent)


def _sweep_folder(folder: Path, older_than_seconds: float) -> int:
    swept = 0
    for leftover in folder.glob(f".*{_TEMPORARY_SUFFIX}"):
        try:
            if time.time() - leftover.stat().st_mtime >= older_than_seconds:
                leftover.unlink()
                swept += 1
        except FileNotFoundError:
            # Its writer finished, or another sweeper was faster.
            continue
    return swept
