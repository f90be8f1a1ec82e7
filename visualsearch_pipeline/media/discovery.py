"""Finding the files of a source: one walk, one listing per folder, nothing fatal but a source that is not there.

What is passed over without a word: names that begin with a dot (`.DS_Store`, the `._clip.mp4` that macOS leaves on
shared drives, half-received `.clip.mp4.Xa81` of rsync) and what lies in folders so named; pipes, sockets and devices;
what vanishes during the walk. What is reported but stops nothing: folders that cannot be listed, links that lead
nowhere, names that are not valid UTF-8.

Links to files count under their own name. A linked folder is entered after all real ones, and every real folder is
entered once, so that a loop of links ends and no file is listed under two paths because of a link to its folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visualsearch_pipeline.media.errors import SourceUnavailable
from visualsearch_pipeline.media.filesystem import StorageOptions, filesystem_of
from visualsearch_pipeline.media.listing_order import listing_order
from visualsearch_pipeline.media.patterns import PathFilter
from visualsearch_pipeline.media.source_file import SourceFile, source_file_from

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True, slots=True)
class DiscoveryProblem:
    """Something in the source that could not be looked at.

    Attributes:
        uri: The folder or file, printable.
        reason: What stood in the way, and what to do.
    """

    uri: str
    reason: str


@dataclass(frozen=True, slots=True)
class FolderMet:
    """A folder below the source's own that a walk comes to.

    Attributes:
        place: Its path within the source, with a `/` behind it.
        is_linked: Whether it is a link: entered after all real folders, or, by a walk that goes on where another
            stopped, not at all.
    """

    place: str
    is_linked: bool = False


@dataclass(frozen=True, slots=True)
class DiscoveryResult:
    """What a walk found.

    Attributes:
        files: The wanted files, each URI once; sorted by name within a folder.
        problems: What could not be looked at. The files are still all that could be found beside it.
    """

    files: tuple[SourceFile, ...]
    problems: tuple[DiscoveryProblem, ...]


def discover(
    source_url: str,
    *,
    include: Sequence[str],
    exclude: Sequence[str] = (),
    storage_options: StorageOptions | None = None,
) -> DiscoveryResult:
    """List the files of a source that its patterns want.

    Args:
        source_url: A local folder or any fsspec URL.
        include: Patterns of the files that are wanted; see `visualsearch_pipeline.media.patterns`.
        exclude: Patterns of files and folders that are not.
        storage_options: What fsspec needs beyond the URL.

    Raises:
        SourceUnavailable: The source does not exist, is no folder or cannot be listed.
        InvalidPattern: A pattern that can match nothing.
    """
    found = list(scan(source_url, include=include, exclude=exclude, storage_options=storage_options))
    return DiscoveryResult(
        files=tuple(item for item in found if isinstance(item, SourceFile)),
        problems=tuple(item for item in found if isinstance(item, DiscoveryProblem)),
    )


def scan(
    source_url: str,
    *,
    include: Sequence[str],
    exclude: Sequence[str] = (),
    storage_options: StorageOptions | None = None,
    after: str | None = None,
) -> Iterator[SourceFile | DiscoveryProblem | FolderMet]:
    """`discover`, one item at a time, for callers that have a deadline.

    The arguments are checked and the source's top folder is listed before the first item is asked for.

    Args:
        source_url: See `discover`.
        include: See `discover`.
        exclude: See `discover`.
        storage_options: See `discover`.
        after: Where an earlier walk stopped: the path of a file within the source, or of a folder with a `/` behind
            it. What that walk has met is passed over, and only the folders on the way there are listed again. Linked
            folders are not entered then, since what was entered before is not known any more.

    Raises:
        SourceUnavailable: See `discover`.
        InvalidPattern: See `discover`.
    """
    wanted = PathFilter.compile(include=include, exclude=exclude)
    filesystem, root_path = filesystem_of(source_url, storage_options=storage_options)
    filesystem.invalidate_cache()  # a process that lives for days must not see the listing of its first hour
    walk = _Walk(filesystem, root_path, wanted, after=after)
    return walk.items(_list_root(filesystem, root_path, source_url))


def _list_root(filesystem: AbstractFileSystem, path: str, source_url: str) -> list[Mapping[str, object]]:
    try:
        listing: list[Mapping[str, object]] = filesystem.ls(path, detail=True)
    except FileNotFoundError as error:
        raise SourceUnavailable(source_url, problem="it does not exist; create it or correct `source.path`.") from error
    except OSError as error:
        raise SourceUnavailable(source_url, problem=f"{_in_words(error)}.") from error
    if len(listing) == 1 and listing[0]["name"] == path and listing[0]["type"] != "directory":
        raise SourceUnavailable(source_url, problem="it is a file; give its folder, and the file as `include` pattern.")
    return listing


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    real_path: str
    relative_path: str


class _Walk:
    """One pass over a source, real folders first, then the linked ones that led somewhere new."""

    def __init__(
        self, filesystem: AbstractFileSystem, root_path: str, wanted: PathFilter, *, after: str | None
    ) -> None:
        self._filesystem = filesystem
        self._wanted = wanted
        self._root = _Folder(root_path, os.path.realpath(root_path), "")
        self._after = None if after is None else listing_order(after)
        self._entered: set[str] = set()
        self._real_folders: list[_Folder] = []
        self._linked_folders: list[_Folder] = []

    def items(self, root_listing: list[Mapping[str, object]]) -> Iterator[SourceFile | DiscoveryProblem | FolderMet]:
        self._entered.add(self._root.real_path)
        yield from self._entries(self._root, root_listing)
        while self._real_folders or self._linked_folders:
            folder = self._real_folders.pop() if self._real_folders else self._linked_folders.pop(0)
            if folder.real_path in self._entered:
                continue
            self._entered.add(folder.real_path)
            place = f"{folder.relative_path}/"
            if self._is_to_come(place):
                yield FolderMet(place)
            try:
                listing = self._filesystem.ls(folder.path, detail=True)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield self._problem(folder.path, f"the folder cannot be listed: {_in_words(error)}.")
                continue
            yield from self._entries(folder, listing)

    def _is_to_come(self, place: str) -> bool:
        """Whether an earlier walk, if there was one, stopped before it."""
        return self._after is None or listing_order(place) > self._after

    def _is_on_the_way(self, place: str) -> bool:
        """Whether an earlier walk stopped in this folder."""
        order = listing_order(place)
        return self._after is not None and self._after[: len(order)] == order

    def _entries(
        self, folder: _Folder, listing: list[Mapping[str, object]]
    ) -> Iterator[SourceFile | DiscoveryProblem | FolderMet]:
        by_path = {str(entry["name"]).rstrip("/"): entry for entry in listing}
        by_path.pop(folder.path, None)  # object stores keep a marker object with the folder's own name
        subfolders: list[_Folder] = []
        for path in sorted(by_path):
            name = path.rsplit("/", 1)[-1]
            if name.startswith("."):
                continue
            relative_path = f"{folder.relative_path}/{name}".lstrip("/")
            try:
                entry = self._followed(path, by_path[path])
            except OSError as error:
                if self._is_to_come(relative_path) and self._wanted.accepts(relative_path):
                    yield self._problem(path, f"the link leads nowhere: {_in_words(error)}.")
                continue
            if entry["type"] == "directory":
                place = f"{relative_path}/"
                if self._wanted.enters(relative_path) and (self._is_to_come(place) or self._is_on_the_way(place)):
                    linked = entry is not by_path[path]
                    if linked:
                        yield FolderMet(place, is_linked=True)
                    if linked and self._after is not None:
                        continue
                    real_path = os.path.realpath(path) if linked else f"{folder.real_path}/{name}"
                    subfolder = _Folder(path, real_path, relative_path)
                    (self._linked_folders if linked else subfolders).append(subfolder)
            elif self._is_to_come(relative_path) and entry["type"] == "file" and self._wanted.accepts(relative_path):
                yield self._file(path, entry, relative_path)
        self._real_folders.extend(reversed(subfolders))

    def _followed(self, path: str, entry: Mapping[str, object]) -> Mapping[str, object]:
        """The entry itself, or what it leads to if it is a link: a listing does not say what is at the end of it."""
        if not (entry.get("islink") or entry["type"] == "link"):
            return entry
        target: Mapping[str, object] = self._filesystem.info(path)
        return target

    def _file(self, path: str, entry: Mapping[str, object], relative_path: str) -> SourceFile | DiscoveryProblem:
        try:
            path.encode()
        except UnicodeEncodeError:
            return self._problem(path, "the name is not valid UTF-8 and could not be stored; rename it.")
        try:
            return source_file_from(entry, uri=self._uri(path), relative_path=relative_path)
        except ValueError as error:
            return self._problem(path, f"{error}.")

    def _problem(self, path: str, reason: str) -> DiscoveryProblem:
        return DiscoveryProblem(self._uri(path).encode(errors="backslashreplace").decode(), reason)

    def _uri(self, path: str) -> str:
        return str(self._filesystem.unstrip_protocol(path))


def _in_words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
