"""Files in an object store: S3, Google Cloud Storage, Azure, or whatever else fsspec reaches by a URL.

There is no rename there, and none is needed: an object appears when its upload is complete, and takes the place of
the one before in that moment. A killed upload leaves nothing that a reader sees.

Nothing is remembered of a listing: other machines write too. An object is read in one request, so that what comes
is one object, not the beginning of one and the end of the next.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import fsspec

_REPLACED: Final = ("ETag", "etag", "generation", "content_md5", "md5", "mtime", "LastModified", "created")
"""What stores say of an object that is another once the object is replaced, the most telling first."""

_COPY_CHUNK_BYTES: Final = 8 * 1024 * 1024


class ObjectStoreError(OSError):
    """The store cannot be reached, or refuses."""


def is_url(location: Path | str) -> bool:
    """Whether a place lies in an object store, rather than in a folder of this machine."""
    return isinstance(location, str) and "://" in location and not location.startswith(("file://", "local://"))


class ObjectStore:
    """Objects under one URL, named by relative paths with forward slashes. Safe to share between threads.

    How to reach the store comes from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `FSSPEC_S3_…`), never
    from the URL.

    Args:
        root: Such as `s3://bucket/warehouse`.

    Raises:
        ObjectStoreError: The protocol is unknown, or its package is missing.
    """

    def __init__(self, root: str) -> None:
        try:
            self._file_system, base = fsspec.url_to_fs(root, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ObjectStoreError(
                f"{root} cannot be reached: {error}; for S3 type `pip install 'visualsearch-pipeline[s3]'`"
            ) from error
        self._base = str(base).rstrip("/")
        self._root = str(self._file_system.unstrip_protocol(self._base))

    def __repr__(self) -> str:
        return f"ObjectStore({self._root!r})"

    def location(self, path: str) -> str:
        """The URL of the object at `path`."""
        return f"{self._root}/{path}"

    def exists(self, path: str) -> bool:
        """Whether there is an object at `path`."""
        return self.identity(path) is not None

    def identity(self, path: str) -> str | None:
        """A text that changes whenever the object at `path` is replaced; None if there is none."""
        try:
            with self._in_words("look at", path):
                return _identity(self._file_system.info(self._key(path)))
        except FileNotFoundError:
            return None

    def size_bytes(self, path: str) -> int:
        """The size of the object at `path`. Raises `FileNotFoundError` if there is none."""
        with self._in_words("look at", path):
            return int(self._file_system.info(self._key(path))["size"])

    def identities(self, folder: str) -> Mapping[str, str]:
        """Every object under `folder` with its identity, sorted by path. One listing, however many."""
        return {path: _identity(details) for path, details in self._listed(folder)}

    def sizes_bytes(self, folder: str) -> Mapping[str, int]:
        """Every object under `folder` with its size, sorted by path. One listing, however many."""
        return {path: int(str(details["size"])) for path, details in self._listed(folder)}

    def read(self, path: str) -> bytes:
        """The bytes of the object at `path`. Raises `FileNotFoundError` if there is none."""
        with self._in_words("read", path):
            return cast(bytes, self._file_system.cat_file(self._key(path)))

    def write(self, path: str, content: bytes) -> bool:
        """Put `content` at `path` in one step.

        Returns:
            False where these very bytes stood there already: then nothing was written.
        """
        with self._in_words("write", path):
            try:
                if self.size_bytes(path) == len(content) and self.read(path) == content:
                    return False
            except FileNotFoundError:
                pass
            self._file_system.pipe_file(self._key(path), content)
        return True

    def upload(self, source: Path, path: str) -> str:
        """Put a local file at `path` in one step, at the end of its upload; its identity there.

        Raises:
            ObjectStoreError: what is there afterwards has another size.
        """
        with self._in_words("write", path):
            self._file_system.put_file(str(source), self._key(path))
            details = self._file_system.info(self._key(path))
        if int(details["size"]) != source.stat().st_size:
            raise ObjectStoreError(
                f"{self.location(path)} has {details['size']} bytes after its upload, {source} has "
                f"{source.stat().st_size}: another program writes there; keep it out, and run again"
            )
        return _identity(details)

    def download(self, path: str, target: BinaryIO) -> None:
        """Write the bytes of the object at `path` to `target`. Raises `FileNotFoundError` if there is none."""
        with self._in_words("read", path), self._file_system.open(self._key(path), "rb") as opened:
            while chunk := opened.read(_COPY_CHUNK_BYTES):
                target.write(chunk)

    def copy(self, path: str, target: str) -> None:
        """Copy an object within the store, replacing what is at `target`."""
        with self._in_words("write", target):
            self._file_system.cp_file(self._key(path), self._key(target))

    def remove(self, path: str) -> None:
        """Remove the object at `path`, if there is one."""
        try:
            with self._in_words("remove", path):
                self._file_system.rm_file(self._key(path))
        except FileNotFoundError:
            return

    def begin(self, path: str) -> BinaryIO:
        """Open an object for writing, to be given to `complete` or `give_up`; till then nobody sees it."""
        with self._in_words("write", path):
            return cast(BinaryIO, self._file_system.open(self._key(path), "wb", autocommit=False))

    @staticmethod
    def complete(opened: BinaryIO) -> None:
        """Let what was written appear, in place of what was there before."""
        # In two steps: closing sends the rest, and only then is there something to complete.
        opened.close()
        opened.commit()  # type: ignore[attr-defined]  # fsspec's files have it

    @staticmethod
    def give_up(opened: BinaryIO) -> None:
        """Drop what was written; what was there before stays."""
        opened.discard()  # type: ignore[attr-defined]  # fsspec's files have it
        # Not to be flushed when it is collected.
        opened.closed = True  # type: ignore[misc]  # an attribute of fsspec's files

    def _key(self, path: str) -> str:
        return f"{self._base}/{path}"

    def _listed(self, folder: str) -> Iterator[tuple[str, Mapping[str, object]]]:
        with self._in_words("list", folder):
            found = self._file_system.find(self._key(folder), detail=True)
        for key, details in sorted(found.items()):
            yield str(key)[len(self._base) + 1 :], details

    @contextmanager
    def _in_words(self, what: str, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, ObjectStoreError):
            raise
        except store_errors() as error:
            raise ObjectStoreError(f"cannot {what} {self.location(path)}: {error}") from error


def store_errors() -> tuple[type[Exception], ...]:
    """What fsspec's file systems raise: errors of the operating system's kind, and those of S3's own library."""
    errors: list[type[Exception]] = [OSError]
    # Not imported for that: it takes half a second, and only S3 has it.
    if botocore := sys.modules.get("botocore.exceptions"):
        errors += [botocore.BotoCoreError, botocore.ClientError]
    return tuple(errors)


def _identity(details: Mapping[str, object]) -> str:
    for name in _REPLACED:
        value = details.get(name)
        if value:
            text = value.isoformat() if isinstance(value, datetime) else str(value).strip('"')
            return f"{details['size']}:{text}"
    text = repr(sorted((name, str(value)) for name, value in details.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
