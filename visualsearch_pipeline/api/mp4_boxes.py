"""Follows the top-level boxes of an MP4 or QuickTime file while its bytes pass by (ISO/IEC 14496-12)."""

from __future__ import annotations

from typing import Final

_HEADER_BYTES: Final = 8
_LARGE_HEADER_BYTES: Final = 16
_SIZE_IS_64_BIT: Final = 1
_SIZE_IS_REST_OF_FILE: Final = 0

FIRST_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
"""What such a file can begin with; QuickTime files before 2001 have no `ftyp`."""


class Mp4Boxes:
    """Sums up box lengths, so that a file that was cut off is told from a whole one without storing it.

    Attributes:
        is_open_ended: Whether the last box says "until the end of the file": then its length proves nothing.
    """

    def __init__(self) -> None:
        self.is_open_ended = False
        self._position = 0
        self._next_box = 0
        self._header = b""
        self._kinds: list[bytes] = []
        self._fault: str | None = None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file, in pieces of any length."""
        start = self._position
        self._position += len(chunk)
        while self._fault is None and not self.is_open_ended:
            # A header may lie across several pieces: it is gathered until it is whole.
            missing = self._header_length() - len(self._header)
            if missing == 0:
                self._enter_box()
                continue
            offset = self._next_box + len(self._header) - start
            if offset >= len(chunk):
                return
            self._header += chunk[offset : offset + missing]

    def problem(self) -> str | None:
        """Say what is wrong with the file now that it has ended, or None."""
        if self._fault is not None:
            return self._fault
        last = self._kinds[-1].decode("latin-1") if self._kinds else ""
        if not self.is_open_ended and self._next_box > self._position:
            return f"its last box {last!r} reaches to byte {self._next_box}, but only {self._position} bytes came"
        if not self.is_open_ended and self._next_box < self._position:
            return f"the {self._position - self._next_box} bytes after its last box {last!r} are no box"
        if b"moov" not in self._kinds:
            return "its index (`moov`) is missing: the end did not come"
        if b"mdat" not in self._kinds:
            return "its media data (`mdat`) is missing: the end did not come"
        return None

    def _header_length(self) -> int:
        is_large = int.from_bytes(self._header[:4], "big") == _SIZE_IS_64_BIT and len(self._header) >= _HEADER_BYTES
        return _LARGE_HEADER_BYTES if is_large else _HEADER_BYTES

    def _enter_box(self) -> None:
        header, self._header = self._header, b""
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if size == _SIZE_IS_64_BIT:
            size = int.from_bytes(header[8:16], "big")
        self._kinds.append(kind)
        if size == _SIZE_IS_REST_OF_FILE:
            self.is_open_ended = True
        elif size < len(header):
            self._fault = (
                f"its box {kind.decode('latin-1')!r} at byte {self._next_box} has the impossible length {size}"
            )
        self._next_box += size
