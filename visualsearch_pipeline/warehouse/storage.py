"""Where the warehouse's files lie: a local folder or any fsspec URL. A file is there whole, or it is not there.

On a local disk a file is written under a hidden name, fsynced, renamed, and its folder fsynced. An object store shows
an object when its upload is complete; nothing more is needed there. Names that begin with a dot are skipped by every
reader's glob, so what a killed writer left behind is never read; it is swept when it is old.
"""

from __future__ import annotations

import filecmp
import io
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from visualsearch_pipeline.warehouse.errors import StorageWriteError

LEFTOVER_AGE_SECONDS: Final = 3600.0
"""A temporary file that was not written to for so long has no writer any more."""

_TEMPORARY_SUFFIX: Final = ".part"


class Storage:
    """Files under one root, named by relative paths with forward slashes.

    Args:
        root: A local path or an fsspec URL such as `s3://bucket/warehouse`. Made on the first write.
    """

    def __init__(self, root: str) -> None:
        self._file_system, base = fsspec.core.url_to_fs(root)
        self._base = str(base).rstrip("/")
        self._is_local = isinstance(self._file_system, LocalFileSystem)

    def __repr__(self) -> str:
        return f"Storage({self._base!r})"

    def location(self, path: str) -> str:
        """The full path of `path`, as messages name it."""
        return f"{self._base}/{path}"

    def exists(self, path: str) -> bool:
        """Whether there is a file at `path`."""
        return bool(self._file_system.isfile(self.location(path)))

    def open(self, path: str) -> BinaryIO:
        """The bytes at `path`. Raises `FileNotFoundError` if there is no such file."""
        opened: BinaryIO = self._file_system.open(self.location(path), "rb")
        return opened

    def size_bytes(self, path: str) -> int:
        """The size of the file at `path`."""
        return int(self._file_system.size(self.location(path)))

    def identity(self, path: str) -> str:
        """A text that changes whenever the file at `path` is replaced."""
        if self._is_local:
            status = Path(self.location(path)).stat()
            return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
        return str(self._file_system.ukey(self.location(path)))

    def list(self, folder: str, *, suffix: str) -> tuple[str, ...]:
        """Every file under `folder` whose name ends in `suffix`, sorted; hidden files and folders are left out."""
        self._file_system.invalidate_cache()
        found = self._file_system.find(self.location(folder))
        relative = (str(path)[len(self._base) + 1 :] for path in found)
        return tuple(
            sorted(
                path
                for path in relative
                if path.endswith(suffix) and not any(part.startswith((".", "_")) for part in path.split("/"))
            )
        )

    def write(self, path: str, write: Callable[[BinaryIO], None]) -> bool:
        """Put under `path` what `write` writes, whole or not at all.

        Returns:
            Whether the file is another than before. The same bytes again leave it untouched, so that nothing that
            depends on it is made anew.

        Raises:
            StorageWriteError: it could not be written; what stood there still stands.
        """
        try:
            return self._write_local(path, write) if self._is_local else self._write_remote(path, write)
        except OSError as error:
            location = self.location(path)
            reason = error.strerror or str(error)
            message = (
                f"cannot write {location}: {reason}. What stood there before is untouched; make room or mend the "
                "permissions, and run again"
            )
            raise StorageWriteError(message, path=location) from error

    def sweep(self, *, older_than_seconds: float = LEFTOVER_AGE_SECONDS) -> int:
        """Remove what killed writers left behind, unless it is younger than this; say how many files that were."""
        if not self._is_local or not Path(self._base).is_dir():
            return 0
        return sum(_sweep_folder(Path(folder), older_than_seconds) for folder, _, _ in os.walk(self._base))

    def _write_remote(self, path: str, write: Callable[[BinaryIO], None]) -> bool:
        buffer = io.BytesIO()
        write(buffer)
        content, location = buffer.getvalue(), self.location(path)
        file_system = self._file_system
        file_system.invalidate_cache()
        if (
            file_system.isfile(location)
            and file_system.size(location) == len(content)
            and file_system.cat_file(location) == content
        ):
            return False
        file_system.pipe_file(location, content)
        return True

    def _write_local(self, path: str, write: Callable[[BinaryIO], None]) -> bool:
        target = Path(self.location(path))
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
