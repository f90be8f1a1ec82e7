"""The file that is uploaded: read in pieces, hashed as it goes out, stopped before its end if it is not what it was."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from visualsearch_pipeline.api.errors import UploadSourceError


class UploadSource(Protocol):
    """Anything that can be read as a file of known size, several times over (uploads may start again)."""

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""
        ...

    def open(self) -> BinaryIO:
        """Open it for reading from its beginning."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine as an upload source. Its size is taken once, when it is made."""

    path: Path
    size_bytes: int

    @classmethod
    def of(cls, path: Path) -> LocalFile:
        """Look at the file.

        Raises:
            UploadSourceError: It is missing, is not a regular file, or may not be read.
        """
        try:
            status = path.stat()
        except OSError as error:
            raise UploadSourceError(f"Cannot upload {path.name!r}: {error.strerror or error}.") from error
        if not path.is_file():
            raise UploadSourceError(f"Cannot upload {path.name!r}: it is not a regular file.")
        return cls(path=path, size_bytes=status.st_size)

    def open(self) -> BinaryIO:
        """Open it for reading from its beginning."""
        return self.path.open("rb")


class SendingReader:
    """What the HTTP library reads the file through.

    It never hands out the last byte of a file that turns out shorter, longer or different than announced: the request
    then stays incomplete, and the service cannot have accepted it.

    Attributes:
        sent_bytes: How many bytes were handed out.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        size_bytes: int,
        upload_name: str,
        expected_sha256: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self.sent_bytes = 0
        self._file = file
        self._size_bytes = size_bytes
        self._upload_name = upload_name
        self._expected_sha256 = expected_sha256
        self._on_progress = on_progress
        self._digest = hashlib.sha256()

    @property
    def is_complete(self) -> bool:
        """Whether the whole file was handed out."""
        return self.sent_bytes == self._size_bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes handed out so far, in lower case hexadecimal."""
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most `size`.

        Raises:
            UploadSourceError: The file cannot be read, or is not what was announced.
        """
        remaining = self._size_bytes - self.sent_bytes
        if remaining == 0:
            return b""
        chunk = self._read_from_file(min(size, remaining) if size >= 0 else remaining)
        if not chunk:
            raise self._changed(f"it ended after {self.sent_bytes} bytes instead of {self._size_bytes}")
        self._digest.update(chunk)
        if len(chunk) == remaining:
            self._check_before_the_last_bytes()
        self.sent_bytes += len(chunk)
        if self._on_progress is not None:
            self._on_progress(self.sent_bytes)
        return chunk

    def tell(self) -> int:
        """Return the position: httpx asks it to learn the length."""
        return self.sent_bytes

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Answer httpx's two questions, the end and the beginning; the bytes themselves go out once, in order."""
        if whence == os.SEEK_END:
            return self._size_bytes + offset
        if offset != self.sent_bytes:
            raise OSError("an upload is sent once, from its beginning to its end")
        return offset

    def _check_before_the_last_bytes(self) -> None:
        if self._read_from_file(1):
            raise self._changed(f"it goes on after the {self._size_bytes} bytes that it had")
        if self._expected_sha256 is not None and self.sha256 != self._expected_sha256:
            raise self._changed(f"its SHA-256 is now {self.sha256} instead of {self._expected_sha256}")

    def _read_from_file(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            message = (
                f"Upload of {self._upload_name!r} broken off at byte {self.sent_bytes}: {error}. Nothing was stored."
            )
            raise UploadSourceError(message) from error

    def _changed(self, how: str) -> UploadSourceError:
        message = (
            f"Upload of {self._upload_name!r} broken off: the file changed while it was sent, {how}. "
            "Nothing was stored; upload it again once it is at rest."
        )
        return UploadSourceError(message, changed=True)


@contextmanager
def opened(source: UploadSource, *, upload_name: str) -> Iterator[BinaryIO]:
    """Open a source, and close it afterwards.

    Raises:
        UploadSourceError: It cannot be opened.
    """
    try:
        file = source.open()
    except OSError as error:
        raise UploadSourceError(f"Cannot open {upload_name!r} for its upload: {error}.") from error
    with file:
        yield file
