"""Tells from the bytes alone whether a downloaded file is whole (contract §9.52).

The service streams without a length, so that a short body can be well-formed HTTP. The file's own structure is the
proof that is left when neither its hash nor its size is known.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from visualsearch_pipeline.api.limits import IMAGE_EXTENSIONS, UPLOAD_EXTENSIONS
from visualsearch_pipeline.api.mp4_boxes import FIRST_BOXES, Mp4Boxes

_EDGE_BYTES: Final = 32


class FileKind(StrEnum):
    """What a download should be."""

    VIDEO = "video"
    IMAGE = "image"
    ANY = "file"

    @classmethod
    def of_name(cls, name: str) -> FileKind:
        """Return what a file's name says that it is."""
        extension = PurePosixPath(name).suffix.lower()
        if extension in UPLOAD_EXTENSIONS:
            return cls.VIDEO
        return cls.IMAGE if extension in IMAGE_EXTENSIONS else cls.ANY


class FileStructure:
    """Follows a file's bytes as they pass by, in pieces of any length.

    Example:
        >>> structure = FileStructure(FileKind.VIDEO)
        >>> structure.feed(b"surely no video")
        >>> structure.problem()
        'it is no MP4, QuickTime, Matroska or AVI file'
    """

    def __init__(self, kind: FileKind) -> None:
        self._kind = kind
        self._size_bytes = 0
        self._head = b""
        self._tail = b""
        self._boxes = Mp4Boxes()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file."""
        self._size_bytes += len(chunk)
        if len(self._head) < _EDGE_BYTES:
            self._head += chunk[: _EDGE_BYTES - len(self._head)]
        self._tail = (self._tail + chunk[-_EDGE_BYTES:])[-_EDGE_BYTES:]
        if len(self._head) < 8 or self._is_mp4:
            self._boxes.feed(chunk)

    @property
    def proves_wholeness(self) -> bool:
        """Whether a file of this make, found without a problem, cannot have been cut off unnoticed."""
        if self._is_mp4:
            return not self._boxes.is_open_ended
        return self._riff_bytes is not None or self._bmp_bytes is not None or self._end_mark is not None

    def problem(self) -> str | None:
        """Say what is wrong with the file now that it has ended, or None."""
        if self._size_bytes == 0:
            return "it is empty"
        if self._kind is FileKind.VIDEO and not self._is_video:
            return "it is no MP4, QuickTime, Matroska or AVI file"
        if self._kind is FileKind.IMAGE and not self._is_image:
            return "it is no JPEG, PNG, GIF, BMP or WebP file"
        if self._is_mp4:
            return self._boxes.problem()
        announced = self._riff_bytes or self._bmp_bytes
        if announced is not None and self._size_bytes < announced:
            return f"it announces {announced} bytes, but only {self._size_bytes} came"
        # Some writers pad the end with zeros.
        if self._end_mark is not None and not self._tail.rstrip(b"\x00").endswith(self._end_mark):
            return "its end mark is missing: the end did not come"
        return None

    @property
    def _is_mp4(self) -> bool:
        return self._head[4:8] in FIRST_BOXES

    @property
    def _is_video(self) -> bool:
        is_matroska = self._head.startswith(b"\x1a\x45\xdf\xa3")
        return self._is_mp4 or is_matroska or (self._riff_bytes is not None and self._head[8:11] == b"AVI")

    @property
    def _is_image(self) -> bool:
        is_webp = self._riff_bytes is not None and self._head[8:12] == b"WEBP"
        return self._end_mark is not None or self._bmp_bytes is not None or is_webp

    @property
    def _riff_bytes(self) -> int | None:
        if self._head.startswith(b"RIFF") and self._head[8:12] in (b"AVI ", b"WEBP"):
            return int.from_bytes(self._head[4:8], "little") + 8
        return None

    @property
    def _bmp_bytes(self) -> int | None:
        return int.from_bytes(self._head[2:6], "little") if self._head.startswith(b"BM") else None

    @property
    def _end_mark(self) -> bytes | None:
        if self._head.startswith(b"\xff\xd8\xff"):
            return b"\xff\xd9"
        if self._head.startswith(b"\x89PNG\r\n\x1a\n"):
            return b"IEND\xae\x42\x60\x82"
        return b";" if self._head.startswith((b"GIF87a", b"GIF89a")) else None
