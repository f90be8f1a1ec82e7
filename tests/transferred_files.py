"""Files that clients of the scripted server send and fetch: small, and whole by their structure."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from python_multipart.multipart import Field, File, parse_form

from tests.scripted_server import SeenRequest


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an MP4 file: its length, its kind, its content."""
    return (len(content) + 8).to_bytes(4, "big") + kind + content


MP4 = box(b"ftyp", b"mp42\x00\x00\x00\x00mp42") + box(b"mdat", bytes(range(256)) * 500) + box(b"moov", b"i" * 300)
MP4_SHA256 = hashlib.sha256(MP4).hexdigest()
OTHER_MP4 = box(b"ftyp", b"mp42\x00\x00\x00\x00mp42") + box(b"mdat", bytes(128_000)) + box(b"moov", b"i" * 300)
JPEG = b"\xff\xd8\xff\xe0" + bytes(500) + b"\xff\xd9"

CONTENT = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 700
ACCEPTED = {"videoNo": "VI1", "videoName": "red-truck"}
"""What the service answers to an upload of `CONTENT`."""


def chunks(content: bytes, size: int = 10_000) -> list[bytes]:
    """A content as it is streamed, piece by piece; sizes in bytes."""
    return [content[start : start + size] for start in range(0, len(content), size)]


def names_in(folder: Path) -> list[str]:
    """What lies in a folder, part files included."""
    return sorted(path.name for path in folder.iterdir())


def multipart_of(request: SeenRequest) -> tuple[dict[str, list[str]], dict[str, tuple[str, bytes]]]:
    """Read a multipart body as a server would: with another library than the one that wrote it."""
    fields: dict[str, list[str]] = {}
    files: dict[str, tuple[str, bytes]] = {}

    def on_field(field: Field) -> None:
        fields.setdefault((field.field_name or b"").decode(), []).append((field.value or b"").decode())

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        files[(file.field_name or b"").decode()] = ((file.file_name or b"").decode(), file.file_object.read())

    headers = {
        "Content-Type": request.headers["content-type"].encode(),
        "Content-Length": str(len(request.body)).encode(),
    }
    parse_form(headers, io.BytesIO(request.body), on_field, on_file)
    return fields, files
