"""Where the archive keeps its files: a folder of this machine, or an object store that all machines reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from visualsearch_pipeline.api import DestinationError
from visualsearch_pipeline.api.part_files import Destination
from visualsearch_pipeline.pipeline.errors import StateProblem
from visualsearch_pipeline.warehouse.object_store import ObjectStore, is_url, store_errors


class ArchivePlaces(Protocol):
    """The files of one archive, named by relative paths with forward slashes."""

    def location(self, path: str) -> str:
        """The full path or URL of a file, as the ledger and the tables have it."""

    def destination(self, path: str) -> Destination:
        """Where a download to `path` goes, and appears only when it is proven."""

    def sizes_bytes(self, locations: Mapping[str, date], *, folder: str) -> Mapping[str, int]:
        """How large the files at some locations are, those that are gone left out.

        Args:
            locations: Their days.
            folder: The archive's folder that holds a folder for each day.
        """


def open_archive(root: str) -> ArchivePlaces:
    """The archive at a path or an fsspec URL.

    Raises:
        StateProblem: the store behind the URL cannot be used.
    """
    if not is_url(root):
        return FolderArchive(Path(root.removeprefix("file://")))
    try:
        return ObjectArchive(ObjectStore(root))
    except OSError as error:
        raise StateProblem(f"`archive.path`: {error}") from error


class FolderArchive:
    """An archive in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def location(self, path: str) -> str:
        """The full path of a file."""
        return str(self._root / path)

    def destination(self, path: str) -> Destination:
        """The file itself; its folder is made.

        Raises:
            StateProblem: the folder cannot be made.
        """
        folder = (self._root / path).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateProblem(
                f"cannot make the archive's folder {folder}: {error.strerror or error}; make room or mend the "
                "permissions, and run again"
            ) from error
        return self._root / path

    def sizes_bytes(self, locations: Mapping[str, date], *, folder: str) -> Mapping[str, int]:  # noqa: ARG002  # the other kind needs it
        """The files are asked one by one: that costs microseconds."""
        return dict(_sizes(locations))


class ObjectArchive:
    """An archive in an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def location(self, path: str) -> str:
        """The URL of a file."""
        return self._store.location(path)

    def destination(self, path: str) -> Destination:
        """An upload that is completed when the bytes are proven."""
        return lambda: PartObject(self._store, path)

    def sizes_bytes(self, locations: Mapping[str, date], *, folder: str) -> Mapping[str, int]:
        """One listing for each day, however many files it has; other places than this archive are asked one by one.

        Raises:
            StateProblem: the store cannot be reached.
        """
        try:
            found = {
                self._store.location(path): size_bytes
                for day in sorted(set(locations.values()))
                for path, size_bytes in self._store.sizes_bytes(f"{folder}/{day.isoformat()}").items()
            }
        except OSError as error:
            raise StateProblem(f"the archive cannot be looked at: {error}; nothing was fetched") from error
        # What was archived before `archive.path` was moved here.
        return found | dict(_sizes(location for location in locations if not is_url(location)))


class PartObject:
    """Sends bytes to an object store, where they appear only when they are complete.

    Larger files go up in parts while they come, and need no disk here. Parts of an upload that was never completed are
    nowhere to be read; a store drops them after the time that its life-cycle rule for them says.

    Raises:
        DestinationError: From every method: the store refuses or cannot be reached.
    """

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._store = store
        self._path = path
        self._size_bytes = 0
        self._is_committed = False

    def __enter__(self) -> Self:
        try:
            self._file = self._store.begin(self._path)
        except store_errors() as error:
            raise self._cannot("begin", error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_committed:
            return
        try:
            self._store.give_up(self._file)
        except store_errors() as problem:
            # The download's own error is the one to tell, if there is one.
            if error is None:
                raise self._cannot("give up", problem) from problem

    def write(self, chunk: bytes) -> None:
        """Send the next bytes."""
        try:
            self._file.write(chunk)
        except store_errors() as error:
            raise self._cannot("write", error) from error
        self._size_bytes += len(chunk)

    def commit(self) -> None:
        """Complete the upload, and see that what is there has the size of what was sent."""
        try:
            self._store.complete(self._file)
            self._is_committed = True
            found = self._store.size_bytes(self._path)
        except store_errors() as error:
            raise self._cannot("finish", error) from error
        if found != self._size_bytes:
            raise DestinationError(
                f"{self._store.location(self._path)} has {found} bytes after {self._size_bytes} were sent; another "
                "program writes there: keep it out"
            )

    def _cannot(self, what: str, error: Exception) -> DestinationError:
        location = self._store.location(self._path)
        return DestinationError(f"Cannot {what} the download to {location}: {error}. Nothing appeared under that name.")


def _sizes(locations: Iterable[str]) -> Iterable[tuple[str, int]]:
    for location in locations:
        try:
            yield location, Path(location).stat().st_size
        except FileNotFoundError:
            continue
