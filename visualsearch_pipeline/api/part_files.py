"""A file that gets its final name only when it is whole and on disk."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self, TypeAlias

from visualsearch_pipeline.api.errors import DestinationError

_SUFFIX: Final = ".part"
_MAX_STEM_BYTES: Final = 200
"""With the token and the suffix this stays within the 255 bytes that file systems allow for a name."""


class Part(Protocol):
    """Takes bytes that appear under their final name only when all of them are there. Used in a `with` block."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def commit(self) -> None:
        """Make them last, and give them their name; without this call they are dropped at the end of the block."""


Destination: TypeAlias = Path | Callable[[], AbstractContextManager[Part]]
"""Where a download goes: a file, or what begins a `Part` elsewhere, anew for each attempt."""


def begin_part(destination: Destination) -> AbstractContextManager[Part]:
    """Begin to write to a destination."""
    return PartFile(destination) if isinstance(destination, Path) else destination()


class PartFile:
    """Writes beside `destination` under a name of its own, and renames at the end.

    The file is locked while it is written. Whoever writes to the same destination next removes those that nobody has
    locked: they were left by processes that were killed.

    Raises:
        DestinationError: From every method: the file cannot be made, written or renamed.
    """

    def __init__(self, destination: Path) -> None:
        self._destination = destination
        stem = os.fsdecode(os.fsencode(f".{destination.name}")[:_MAX_STEM_BYTES])
        self._prefix = f"{stem}."
        self._path = destination.with_name(f"{self._prefix}{secrets.token_hex(4)}{_SUFFIX}")
        self._file: BinaryIO | None = None
        self._is_committed = False

    def __enter__(self) -> Self:
        try:
            if self._destination.is_dir():
                raise DestinationError(f"Cannot write {self._destination}: a folder is in its place.")
            self._remove_abandoned()
            self._file = self._path.open("xb")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            raise self._cannot("begin", error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):
                # After a full disk closing fails again, as it flushes again; the first error is the one to tell.
                self._file.close()
        if not self._is_committed:
            self._path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Write the next bytes."""
        try:
            self._open_file().write(chunk)
        except OSError as error:
            raise self._cannot("write", error) from error

    def commit(self) -> None:
        """Bring the bytes to disk and give the file its final name, in that order."""
        file = self._open_file()
        try:
            file.flush()
            os.fsync(file.fileno())
            self._path.replace(self._destination)
            self._is_committed = True
            _sync_folder(self._destination.parent)
        except OSError as error:
            raise self._cannot("finish", error) from error

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("a PartFile is used within a `with` block")
        return self._file

    def _remove_abandoned(self) -> None:
        for path in self._destination.parent.iterdir():
            if not (path.name.startswith(self._prefix) and path.name.endswith(_SUFFIX)):
                continue
            # Gone or locked in the meantime: then it is not abandoned, and none of our business.
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    def _cannot(self, what: str, error: OSError) -> DestinationError:
        reason = error.strerror or str(error)
        return DestinationError(
            f"Cannot {what} the download to {self._destination}: {reason}. Nothing was left under that name."
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
