"""A download's bytes as they come, with the proof at their end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from visualsearch_pipeline.api.envelope import judge
from visualsearch_pipeline.api.errors import DownloadMismatch, IncompleteDownload
from visualsearch_pipeline.api.file_structure import FileKind, FileStructure
from visualsearch_pipeline.api.transport import StreamedAnswer

MAX_ERROR_BYTES: Final = 64 * 1024
"""An error in place of a file is small; what is larger is not read as one."""

_FILE_TYPES: Final = ("application/octet-stream", "binary/octet-stream", "application/mp4", "application/x-matroska")

Proof: TypeAlias = Literal["sha256", "size", "structure", "none"]


@dataclass(frozen=True)
class Expectation:
    """What a download must be.

    Attributes:
        kind: What its bytes must look like.
        sha256: Their SHA-256 in hexadecimal, if known.
        size_bytes: Their number, if known.
    """

    kind: FileKind
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class DownloadReceipt:
    """What came.

    Attributes:
        size_bytes: Number of bytes.
        sha256: Their SHA-256 in lower case hexadecimal.
        proven_by: The strongest proof that they are whole: the expected hash, the expected size, the file's own
            structure, or none for files whose end cannot be told (such as Matroska).
    """

    size_bytes: int
    sha256: str
    proven_by: Proof


class VerifiedStream:
    """The bytes of a download; iterating raises where they do not hold.

    Attributes:
        size_bytes: How many came so far.
    """

    def __init__(self, answer: StreamedAnswer, expectation: Expectation, *, what: str) -> None:
        self.size_bytes = 0
        self._answer = answer
        self._expectation = expectation
        self._what = what
        self._digest = hashlib.sha256()
        self._structure = FileStructure(expectation.kind)
        self._receipt: DownloadReceipt | None = None

    @property
    def receipt(self) -> DownloadReceipt:
        """What came, once everything did.

        Raises:
            IncompleteDownload: The stream has not been read to its end.
        """
        if self._receipt is None:
            raise IncompleteDownload(f"{self._what}: the stream has not been read to its end.")
        return self._receipt

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises:
            ApiError: The service sent a refusal in place of the file.
            BadResponse: It sent something else in place of the file.
            IncompleteDownload: The bytes are no whole file.
            DownloadMismatch: They are whole, but others than expected.
        """
        self._refuse_what_is_no_file()
        chunks = self._answer.chunks()
        # A refusal that pretends to be a file (contract §9.51) is small and comes first: look before yielding.
        beginning = bytearray()
        for chunk in chunks:
            beginning += chunk
            if len(beginning) > MAX_ERROR_BYTES or not beginning.lstrip().startswith(b"{"):
                break
        else:
            self._refuse_disguised_error(bytes(beginning))
        if beginning:
            yield self._pass(bytes(beginning))
        for chunk in chunks:
            yield self._pass(chunk)
        self._receipt = self._prove()

    def _pass(self, chunk: bytes) -> bytes:
        self.size_bytes += len(chunk)
        self._digest.update(chunk)
        self._structure.feed(chunk)
        return chunk

    def _refuse_what_is_no_file(self) -> None:
        content_type = self._answer.content_type
        is_file = content_type in ("", *_FILE_TYPES) or content_type.startswith(("video/", "image/"))
        if is_file and self._answer.response.status_code == 200:
            return
        body = bytearray()
        for chunk in self._answer.chunks():
            body += chunk
            if len(body) > MAX_ERROR_BYTES:
                break
        self._answer.judge(bytes(body))
        message = f"{self._what}: the service answered {content_type!r} and success, but no file. Try again later."
        raise IncompleteDownload(message)

    def _refuse_disguised_error(self, body: bytes) -> None:
        try:
            content: object = json.loads(body)
        except (ValueError, RecursionError):
            return
        if isinstance(content, dict) and (verdict := judge(self._answer.as_json(body))).code is not None:
            self._answer.judge(body)
            message = f"{self._what}: the service answered code {verdict.code!r} in place of the file. Try again later."
            raise IncompleteDownload(message)

    def _prove(self) -> DownloadReceipt:
        size_bytes, sha256 = self.size_bytes, self._digest.hexdigest()
        expected = self._expectation
        if expected.sha256 is not None and sha256 == expected.sha256.lower():
            return DownloadReceipt(size_bytes=size_bytes, sha256=sha256, proven_by="sha256")
        problem = self._structure.problem()
        if problem is not None:
            raise IncompleteDownload(f"{self._what}: {size_bytes} bytes came, but {problem}. Nothing was kept.")
        if expected.size_bytes is not None and size_bytes < expected.size_bytes:
            message = f"{self._what}: {size_bytes} bytes came instead of {expected.size_bytes}. Nothing was kept."
            raise IncompleteDownload(message)
        if expected.sha256 is not None:
            wanted = f"SHA-256 {expected.sha256}"
        elif expected.size_bytes is not None and size_bytes != expected.size_bytes:
            wanted = f"{expected.size_bytes} bytes"
        else:
            proof: Proof = "structure" if self._structure.proves_wholeness else "none"
            return DownloadReceipt(
                size_bytes=size_bytes, sha256=sha256, proven_by="size" if expected.size_bytes is not None else proof
            )
        message = (
            f"{self._what}: expected {wanted}, but {size_bytes} bytes with SHA-256 {sha256} came. Nothing was kept. "
            "The service may hold another file, or have re-encoded it."
        )
        raise DownloadMismatch(message, size_bytes=size_bytes, sha256=sha256)
