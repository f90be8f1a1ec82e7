"""The SHA-256 of a source file: the identity of its content, and the proof of every later copy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from visualsearch_pipeline.media.errors import FileChanged, FileVanished, MediaRejected, RejectionReason
from visualsearch_pipeline.media.filesystem import StorageOptions
from visualsearch_pipeline.media.source_file import SourceFile

_CHUNK_BYTES: Final = 1024**2


@dataclass(frozen=True, slots=True)
class ContentHash:
    """What identifies a content, whatever its files are called.

    Attributes:
        sha256: 64 hexadecimal digits, lower case.
        size_bytes: Number of bytes hashed.
    """

    sha256: str
    size_bytes: int


def sha256_of(
    file: SourceFile,
    *,
    storage_options: StorageOptions | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> ContentHash:
    """Hash a file from end to end, in flat memory, and prove that it is the one that was discovered.

    After the last byte the storage is asked again: size, modification time and etag must be those of `file`, and as
    many bytes must have come. Otherwise the hash may belong to no content that ever existed.

    Args:
        file: As it was discovered.
        storage_options: What fsspec needs beyond the URI.
        on_progress: Called with the number of bytes hashed so far, about once per MiB.

    Raises:
        FileChanged: It is not the file that was discovered, or it changed meanwhile.
        FileVanished: It is gone.
        MediaRejected: It cannot be read (`RejectionReason.UNREADABLE`).
    """
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with file.open(storage_options=storage_options) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
                if on_progress is not None:
                    on_progress(size_bytes)
        now = file.look_again(storage_options=storage_options)
    except FileNotFoundError as error:
        raise FileVanished(file.uri) from error
    except OSError as error:
        message = f"it cannot be read: {error.strerror or error}. Grant read permission or repair the storage."
        raise MediaRejected(file.uri, reason=RejectionReason.UNREADABLE, message=message) from error
    difference = now.difference_from(file)
    if difference is None and size_bytes != file.size_bytes:
        difference = f"{file.size_bytes} bytes listed, {size_bytes} bytes read"
    if difference is not None:
        raise FileChanged(file.uri, difference=difference)
    return ContentHash(digest.hexdigest(), size_bytes)
