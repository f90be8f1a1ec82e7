"""Multipart bodies straight to disk: each byte is written once, memory stays flat whatever the size."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from visualsearch_pipeline.sandbox.arguments import Arguments, ReceivedFile, merge_form_fields
from visualsearch_pipeline.sandbox.errors import ApiError

_WRITE_BYTES = 1024 * 1024
_MAX_FIELD_BYTES = 1024 * 1024
_MAX_HEADER_BYTES = 16 * 1024
_MAX_PARTS = 1100


@dataclass
class _Part:
    """A part while it is read."""

    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)
    path: Path | None = None
    file: BinaryIO | None = None
    size_bytes: int = 0


class MultipartReceiver:
    """Reads one multipart body. Files go to fresh names from `new_path`, fields stay in memory.

    A file that grows beyond `max_file_bytes` is read on but no longer written, so that the client is not cut off in
    the middle of its sentence; its size tells the handler.
    """

    def __init__(self, content_type: str, *, new_path: Callable[[], Path], max_file_bytes: int) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise ApiError("the request was rejected because no multipart boundary was found")
        self._new_path = new_path
        self._max_file_bytes = max_file_bytes
        self._part = _Part()
        self._parts = 0
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._fields: list[tuple[str, str]] = []
        self._files: list[ReceivedFile] = []
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._more_header_name,
                "on_header_value": self._more_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    async def receive(self, stream: AsyncIterator[bytes]) -> Arguments:
        """Read the whole body.

        Raises:
            ApiError: The body is not well-formed or has a field out of all proportion.
        """
        waiting = bytearray()
        try:
            async for chunk in stream:
                waiting += chunk
                if len(waiting) >= _WRITE_BYTES:
                    await to_thread.run_sync(self._parser.write, bytes(waiting))
                    waiting.clear()
            await to_thread.run_sync(self._parser.write, bytes(waiting))
        except FormParserError as error:
            self.discard()
            message = f"Failed to parse multipart servlet request: {error}"
            raise ApiError(message) from error
        except BaseException:
            self.discard()
            raise
        if not self._complete:
            self.discard()
            raise ApiError("Failed to parse multipart servlet request: Stream ended unexpectedly")
        return Arguments(values=merge_form_fields(self._fields), files=tuple(self._files))

    def discard(self) -> None:
        """Delete what was received."""
        if self._part.file is not None:
            self._part.file.close()
        for path in (self._part.path, *(received.path for received in self._files)):
            if path is not None:
                path.unlink(missing_ok=True)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise ApiError(f"a body cannot have more than {_MAX_PARTS} parts")
        self._part = _Part()

    def _more_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _more_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]
        if len(self._header_value) > _MAX_HEADER_BYTES:
            raise ApiError("the header of a part is too long")

    def _end_header(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        # The raw bytes are kept one to one: names are UTF-8, whatever the header syntax thinks of them.
        self._part.headers[name] = self._header_value.decode("latin-1")
        self._header_name.clear()
        self._header_value.clear()

    def _open(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get("content-disposition", ""))
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        if file_name is not None:
            # Percent signs stay as they came: clients escape quotes so, and the service does not undo it.
            part.file_name = file_name.decode("utf-8", "replace")
            part.path = self._new_path()
            part.file = part.path.open("wb", buffering=0)

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.size_bytes += end - start
        if part.file is None:
            part.content += data[start:end]
            if len(part.content) > _MAX_FIELD_BYTES:
                raise ApiError(f"field {part.name} is too long")
        elif part.size_bytes <= self._max_file_bytes:
            part.file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        part = self._part
        if part.file is None or part.path is None or part.file_name is None:
            self._fields.append((part.name, part.content.decode("utf-8", "replace")))
            return
        part.file.close()
        self._files.append(
            ReceivedFile(
                field=part.name,
                file_name=part.file_name,
                content_type=part.headers.get("content-type", ""),
                path=part.path,
                size_bytes=part.size_bytes,
            )
        )

    def _finish(self) -> None:
        self._complete = True
