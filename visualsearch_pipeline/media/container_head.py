"""What the first bytes and the box lengths of a file tell, before and beside FFmpeg's own opinion."""

from __future__ import annotations

import os
from typing import BinaryIO

HEAD_BYTES = 512

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"ID3", "an MP3 sound file"),
    (b"OggS", "an Ogg file"),
    (b"fLaC", "a FLAC sound file"),
    (b"\x1f\x8b", "a gzip archive"),
)

# The types of box that an MP4 or QuickTime file begins with.
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})


def describe(head: bytes) -> str:
    """What a file that is no video seems to be, in words, from its first bytes."""
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if not head.strip(b"\x00"):
        return "nothing but zero bytes"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        # A character may be cut in two by the end of the head; that is still text.
        text = head[: error.start].decode() if error.start > len(head) - 4 else "\x00"
    if all(character.isprintable() or character.isspace() for character in text):
        return "text"
    return "data of an unknown kind"


def is_media_container(head: bytes) -> bool:
    """Whether a file begins as MP4, QuickTime, Matroska, WebM or AVI do, so that failing to open it means damage."""
    return (
        head[4:8] in _FIRST_BOXES
        or head.startswith(b"\x1aE\xdf\xa3")
        or (head.startswith(b"RIFF") and head[8:11] == b"AVI")
    )


def missing_bytes(stream: BinaryIO, *, size_bytes: int) -> int:
    """How many bytes an MP4 or QuickTime file lacks at its end, by the lengths of its own top-level boxes.

    FFmpeg opens a file that was cut short if the index stands at its front, and decodes what there is. Fragmented files
    may end after any fragment and are taken as whole; so is everything that is no MP4.

    Args:
        stream: The file, seekable; its position is moved.
        size_bytes: How long the file is.

    Returns:
        0 if nothing is known to be missing.
    """
    position = 0
    while position + 8 <= size_bytes:
        stream.seek(position, os.SEEK_SET)
        header = stream.read(16)
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if position == 0 and kind not in _FIRST_BOXES:
            return 0
        if kind == b"moof":
            return 0
        header_bytes = 8
        if length == 1:
            length, header_bytes = int.from_bytes(header[8:16]), 16
        if length == 0:  # the last box, reaching to the end wherever that is
            return 0
        if length < header_bytes or not kind.isascii():
            return 0
        position += length
    return max(0, position - size_bytes)
