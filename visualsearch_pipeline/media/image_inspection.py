"""An image of the source, read once: its bytes are checked, decoded and hashed together, so it is one content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from visualsearch_pipeline.api.limits import IMAGE_EXTENSIONS, MAX_IMAGE_BYTES
from visualsearch_pipeline.media.errors import FileChanged, FileVanished, MediaRejected, RejectionReason
from visualsearch_pipeline.media.filesystem import StorageOptions
from visualsearch_pipeline.media.image_probing import ImageInfo, UndecodableImage, probe_image
from visualsearch_pipeline.media.source_file import SourceFile

_MEGABYTE: Final = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedImage:
    """An image that the service would take.

    Attributes:
        content: Its bytes, at most 20 MB.
        sha256: Of the bytes, lower-case hexadecimal.
        info: What was found in them.
    """

    content: bytes = field(repr=False)
    sha256: str
    info: ImageInfo


def inspect_image(file: SourceFile, *, storage_options: StorageOptions | None = None) -> InspectedImage:
    """Read, decode and hash an image, and prove that it is the file that was discovered.

    Args:
        file: As it was discovered.
        storage_options: What fsspec needs beyond the URI.

    Raises:
        FileChanged: It is not the file that was discovered, or it changed meanwhile.
        FileVanished: It is gone.
        MediaRejected: The service would refuse it (contract §2.3), or it cannot be read.
    """
    if PurePosixPath(file.name).suffix.lower() not in IMAGE_EXTENSIONS:
        accepted = ", ".join(sorted(IMAGE_EXTENSIONS))
        raise _rejected(file, RejectionReason.EXTENSION, f"the service takes images named {accepted}. Convert it.")
    content = _read(file, storage_options)
    if not content:
        raise _rejected(file, RejectionReason.EMPTY, "the file is empty.")
    if len(content) > MAX_IMAGE_BYTES:
        message = (
            f"the image has {file.size_bytes / _MEGABYTE:.1f} MB; the service takes {MAX_IMAGE_BYTES // _MEGABYTE} MB. "
            "Scale it down."
        )
        raise _rejected(file, RejectionReason.TOO_LARGE, message)
    try:
        info = probe_image(content)
    except UndecodableImage as error:
        reason = RejectionReason.BROKEN if error.is_image else RejectionReason.NOT_AN_IMAGE
        raise _rejected(file, reason, f"the image {error}.") from error
    return InspectedImage(content=content, sha256=hashlib.sha256(content).hexdigest(), info=info)


def _read(file: SourceFile, storage_options: StorageOptions | None) -> bytes:
    try:
        with file.open(storage_options=storage_options) as stream:
            # One byte more than allowed tells the too large from the allowed without reading all of it.
            content = stream.read(MAX_IMAGE_BYTES + 1)
        now = file.look_again(storage_options=storage_options)
    except FileNotFoundError as error:
        raise FileVanished(file.uri) from error
    except OSError as error:
        message = f"it cannot be read: {error.strerror or error}. Grant read permission or repair the storage."
        raise _rejected(file, RejectionReason.UNREADABLE, message) from error
    difference = now.difference_from(file)
    if difference is None and len(content) != min(file.size_bytes, MAX_IMAGE_BYTES + 1):
        difference = f"{file.size_bytes} bytes listed, {len(content)} bytes read"
    if difference is not None:
        raise FileChanged(file.uri, difference=difference)
    return content


def _rejected(file: SourceFile, reason: RejectionReason, message: str) -> MediaRejected:
    return MediaRejected(file.uri, reason=reason, message=message)
