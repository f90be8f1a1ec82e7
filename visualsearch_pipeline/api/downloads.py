"""Downloading: streamed, hashed, proven whole, and only then given its final name (contract §2.17, §9.51-9.54)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import stamina

from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.file_structure import FileKind
from visualsearch_pipeline.api.library import checked_video_no
from visualsearch_pipeline.api.operations import DOWNLOAD, Operation
from visualsearch_pipeline.api.part_files import Destination, begin_part
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.transport import Call, Transport
from visualsearch_pipeline.api.verified_stream import DownloadReceipt, Expectation, VerifiedStream
from visualsearch_pipeline.api.wire import Json


class DownloadCalls:
    """The part of the client that downloads. Each download is charged by the byte, before the stream begins."""

    _transport: Transport
    _scope: Scope
    _blob_operation: Operation

    def download(
        self,
        video_no: str,
        destination: Destination,
        *,
        expected_sha256: str | None = None,
        expected_size_bytes: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> DownloadReceipt:
        """Download the file of a video.

        The bytes go to a `.part` file beside `destination` and are checked while they pass: against the hash or size if
        given, else against the file's own structure. The final name appears only when everything held and is on disk.

        Args:
            video_no: The video.
            destination: The file to write; replaced if it exists. Its folder must exist. Names that the service sends
                are never used. Or what begins a `Part` of your own, for another place than a file.
            expected_sha256: SHA-256 that the bytes must have.
            expected_size_bytes: Size that they must have.
            on_progress: Receives the number of bytes so far; starts over if the call is made again.

        Raises:
            InvalidInput: The id is empty.
            ResourceNotFound: There is no such video in this scope.
            ApiError: The service refused, also where it says so with status 200 in place of the file.
            TransportError: The connection failed or broke.
            IncompleteDownload: The bytes are no whole file.
            DownloadMismatch: They are whole, but others than expected.
            DestinationError: The file cannot be written.
        """
        expectation = Expectation(kind=FileKind.VIDEO, sha256=expected_sha256, size_bytes=expected_size_bytes)
        return self._download(self._video_call(video_no), destination, expectation, on_progress)

    def download_blob(
        self,
        bucket: str,
        blob: str,
        destination: Destination,
        *,
        expected_sha256: str | None = None,
        expected_size_bytes: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> DownloadReceipt:
        """Download a stored object: a keyframe, an image or a video. Arguments and errors as for `download`.

        Args:
            bucket: As it came in another answer.
            blob: As it came in another answer; its extension says what the bytes must be.
            destination: The file to write.
            expected_sha256: SHA-256 that the bytes must have.
            expected_size_bytes: Size that they must have.
            on_progress: Receives the number of bytes so far.
        """
        expectation = Expectation(kind=FileKind.of_name(blob), sha256=expected_sha256, size_bytes=expected_size_bytes)
        return self._download(self._blob_call(bucket, blob), destination, expectation, on_progress)

    @contextmanager
    def open_download(
        self, video_no: str, *, expected_sha256: str | None = None, expected_size_bytes: int | None = None
    ) -> Iterator[VerifiedStream]:
        """Open a video's file as a stream for a destination of one's own; one attempt, no retry.

        Iterating raises at the end if the bytes do not hold: whoever stores them must undo it then. Errors as for
        `download`.

        Example:
            >>> with client.open_download("VI1") as stream, target.open("wb") as file:  # doctest: +SKIP
            ...     for chunk in stream:
            ...         file.write(chunk)
            ...     receipt = stream.receipt
        """
        expectation = Expectation(kind=FileKind.VIDEO, sha256=expected_sha256, size_bytes=expected_size_bytes)
        with self._open(self._video_call(video_no), expectation) as stream:
            yield stream

    @contextmanager
    def open_blob_download(
        self, bucket: str, blob: str, *, expected_sha256: str | None = None, expected_size_bytes: int | None = None
    ) -> Iterator[VerifiedStream]:
        """Open a stored object as a stream; see `open_download`."""
        expectation = Expectation(kind=FileKind.of_name(blob), sha256=expected_sha256, size_bytes=expected_size_bytes)
        with self._open(self._blob_call(bucket, blob), expectation) as stream:
            yield stream

    def _video_call(self, video_no: str) -> Call:
        body: Json = {"video_no": checked_video_no(video_no), **self._scope.fields_for_video()}
        return Call(DOWNLOAD, item=video_no, json=body, accept_raw=True)

    def _blob_call(self, bucket: str, blob: str) -> Call:
        if not bucket.strip() or not blob.strip():
            raise InvalidInput(f"A download by location needs a bucket and a blob; got {bucket!r} and {blob!r}.")
        # Slashes stay, all else that is reserved is escaped (contract §9.53); httpx would escape the slashes too.
        query = f"bucket={quote(bucket, safe='')}&blob={quote(blob, safe='/')}"
        return Call(self._blob_operation, item=f"{bucket}/{blob}", raw_query=query, accept_raw=True)

    def _download(
        self,
        call: Call,
        destination: Destination,
        expectation: Expectation,
        on_progress: Callable[[int], None] | None,
    ) -> DownloadReceipt:
        for attempt in self._transport.attempts(
            call.operation, most_carried_out=self._transport.retry.download_attempts
        ):
            with attempt:
                return self._download_once(call, destination, expectation, on_progress, attempt)
        raise AssertionError("stamina ends with an answer or an error")  # pragma: no cover

    def _download_once(
        self,
        call: Call,
        destination: Destination,
        expectation: Expectation,
        on_progress: Callable[[int], None] | None,
        attempt: stamina.Attempt,
    ) -> DownloadReceipt:
        # The part file comes first: a full or missing disk is found before the download is charged.
        with begin_part(destination) as part, self._open(call, expectation, attempt_number=attempt.num) as stream:
            for chunk in stream:
                part.write(chunk)
                if on_progress is not None:
                    on_progress(stream.size_bytes)
            part.commit()
            return stream.receipt

    @contextmanager
    def _open(self, call: Call, expectation: Expectation, *, attempt_number: int = 1) -> Iterator[VerifiedStream]:
        with self._transport.stream(call, attempt_number=attempt_number) as answer:
            yield VerifiedStream(answer, expectation, what=f"{call.operation.name} of {call.item!r}")
