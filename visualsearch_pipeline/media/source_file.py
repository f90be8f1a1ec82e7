"""One file of a source as its storage lists it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from visualsearch_pipeline.media.filesystem import StorageOptions, filesystem_of


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file in the source. Its identity is the URI; size, time and etag are what the listing said.

    Attributes:
        uri: `protocol://…`, not percent-encoded; `fsspec.open` takes it.
        relative_path: The path below the source, with `/` between its parts.
        name: The last part of the path.
        size_bytes: Size in the listing.
        modified_at: Time of the last change, in UTC; None where the storage does not say.
        etag: The storage's own mark of the content, where it has one. Comparable with itself only.
    """

    uri: str
    relative_path: str
    name: str
    size_bytes: int
    modified_at: datetime | None = None
    etag: str | None = None

    @property
    def local_path(self) -> Path | None:
        """The path on this machine, for a file that is on it."""
        return Path(self.uri.removeprefix("file://")) if self.uri.startswith("file://") else None

    def open(self, *, storage_options: StorageOptions | None = None) -> BinaryIO:
        """Open the file for reading bytes, wherever it is.

        Raises:
            FileNotFoundError: It is gone.
            OSError: It cannot be read.
        """
        filesystem, path = filesystem_of(self.uri, storage_options=storage_options)
        return cast("BinaryIO", filesystem.open(path, "rb"))

    def look_again(self, *, storage_options: StorageOptions | None = None) -> SourceFile:
        """The same file as its storage describes it now, asked for alone.

        Raises:
            FileNotFoundError: It is gone.
            OSError: The storage does not answer.
        """
        filesystem, path = filesystem_of(self.uri, storage_options=storage_options)
        filesystem.invalidate_cache()
        return source_file_from(filesystem.info(path), uri=self.uri, relative_path=self.relative_path)

    def difference_from(self, earlier: SourceFile) -> str | None:
        """What differs from an earlier look at the same URI, in words; None when nothing does."""
        if self.size_bytes != earlier.size_bytes:
            return f"{earlier.size_bytes} bytes then, {self.size_bytes} bytes now"
        if self.modified_at != earlier.modified_at:
            return f"last modified {earlier.modified_at} then, {self.modified_at} now"
        if self.etag and earlier.etag and self.etag != earlier.etag:
            return f"etag {earlier.etag} then, {self.etag} now"
        return None


@dataclass(frozen=True, slots=True)
class SourceContent:
    """A source file together with the way to reach it: what an uploader needs to stream it (`open`, `size_bytes`)."""

    file: SourceFile
    storage_options: StorageOptions | None = field(default=None, repr=False, compare=False)

    @property
    def size_bytes(self) -> int:
        """Size in the listing."""
        return self.file.size_bytes

    def open(self) -> BinaryIO:
        """Open the file for reading bytes."""
        return self.file.open(storage_options=self.storage_options)


_TIME_KEYS = ("mtime", "LastModified", "last_modified", "modified", "updated", "timeModified", "created")
_ETAG_KEYS = ("ETag", "etag", "md5Hash")


def source_file_from(info: Mapping[str, object], *, uri: str, relative_path: str) -> SourceFile:
    """A source file from what a storage says about it: fsspec's `info`, whose keys differ from one storage to the next.

    `created` stands in for the modification time only where there is no other: object stores make a new object on
    every write.

    Raises:
        ValueError: The storage does not say how large the file is.
    """
    size = info.get("size")
    if not isinstance(size, int):
        raise ValueError("the storage does not say how large it is")  # noqa: TRY004 (a fact about the value we were sent)
    times = (_to_utc(info[key]) for key in _TIME_KEYS if info.get(key) is not None)
    etags = (info[key] for key in _ETAG_KEYS if info.get(key))
    etag = next(etags, None)
    return SourceFile(
        uri=uri,
        relative_path=relative_path,
        name=relative_path.rsplit("/", 1)[-1],
        size_bytes=size,
        modified_at=next((time for time in times if time is not None), None),
        etag=None if etag is None else str(etag).strip('"'),
    )


def _to_utc(value: object) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, tz=UTC)
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None  # a file system may hold any number as a time; then it tells us nothing
