"""Uploading videos: sent once, streamed, and never blindly repeated (contract §2.1, §9.13-9.19)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from visualsearch_pipeline.api.errors import UploadOutcomeUnknown, VisualSearchError
from visualsearch_pipeline.api.models import UploadedVideo
from visualsearch_pipeline.api.operations import UPLOAD
from visualsearch_pipeline.api.outcomes import leaves_outcome_unknown
from visualsearch_pipeline.api.parsing import parse_item
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.transport import Call, Part, Scalar, Transport
from visualsearch_pipeline.api.upload_source import LocalFile, SendingReader, UploadSource, opened
from visualsearch_pipeline.api.upload_validation import media_type, validate_upload
from visualsearch_pipeline.api.wire import to_service_time


class UploadCalls:
    """The part of the client that uploads video files."""

    _transport: Transport
    _scope: Scope

    def upload(
        self,
        source: Path | UploadSource,
        *,
        upload_name: str,
        tags: Sequence[str] = (),
        captured_at: datetime | None = None,
        camera_model: str | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        callback: str | None = None,
        retain_original_video: bool | None = None,
        transcription_prompt: str | None = None,
        expected_sha256: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> UploadedVideo:
        """Upload one video file.

        The file is read in pieces, so memory does not grow with it. The service has no idempotency key and stores a
        file that is sent twice twice (contract §6.1). Hence the call is made again only when the service surely did not
        accept it: no connection, or rate limited. Any other fault after sending began is `UploadOutcomeUnknown`.

        Args:
            source: A local path, or anything with `size_bytes` and `open()`.
            upload_name: File name to send, with one of the accepted extensions. Quotes, backslashes and control
                characters go out escaped, as browsers send them.
            tags: At most 20. Searchable once the video is indexed.
            captured_at: When it was filmed; aware, sent in UTC to the second.
            camera_model: What filmed it; at most 200 characters.
            latitude: Where, in degrees; together with `longitude`.
            longitude: Where, in degrees.
            callback: URL for the service's notices; at most 299 characters.
            retain_original_video: Whether the service keeps the original; None leaves it to the service.
            transcription_prompt: A hint to the service's transcription.
            expected_sha256: What the file's SHA-256 was found to be. If the bytes differ, the request is broken off
                before its end, so that nothing is stored under a wrong hash.
            on_progress: Receives the number of bytes sent so far; starts over if the call is made again.

        Returns:
            The new entry, with the SHA-256 and number of the bytes that were sent.

        Raises:
            InvalidInput: The service would refuse it; nothing was sent.
            UploadSourceError: The file cannot be read, or changed; surely not accepted.
            ConnectionFailed: No connection; surely not accepted.
            ApiError: The service refused; surely not accepted.
            UploadOutcomeUnknown: It may have been accepted: look in the library before sending it again.
        """
        file = LocalFile.of(source) if isinstance(source, Path) else source
        size_bytes = file.size_bytes
        validate_upload(
            upload_name,
            size_bytes=size_bytes,
            tags=tags,
            captured_at=captured_at,
            camera_model=camera_model,
            latitude=latitude,
            longitude=longitude,
            callback=callback,
        )
        form = upload_form(
            self._scope,
            tags=tags,
            captured_at=captured_at,
            camera_model=camera_model,
            latitude=latitude,
            longitude=longitude,
            callback=callback,
            retain_original_video=retain_original_video,
            transcription_prompt=transcription_prompt,
        )
        readers: list[SendingReader] = []

        @contextmanager
        def open_parts() -> Iterator[Sequence[tuple[str, Part]]]:
            with opened(file, upload_name=upload_name) as stream:
                reader = SendingReader(
                    stream,
                    size_bytes=size_bytes,
                    upload_name=upload_name,
                    expected_sha256=expected_sha256.lower() if expected_sha256 is not None else None,
                    on_progress=on_progress,
                )
                readers.append(reader)
                # httpx asks for read, seek and tell only.
                yield [("file", (upload_name, cast("BinaryIO", reader), media_type(upload_name)))]

        call = Call(
            UPLOAD,
            item=upload_name,
            form=form,
            open_parts=open_parts,
            read_timeout_seconds=self._transport.timeouts.upload_answer_seconds(size_bytes),
        )
        try:
            data = self._transport.request(call)
            uploaded = parse_item(UploadedVideo, data, operation=UPLOAD.name, item=upload_name)
        except VisualSearchError as error:
            if not leaves_outcome_unknown(error):
                raise
            raise _outcome_unknown(error, upload_name, readers[-1], size_bytes) from error
        return uploaded.model_copy(update={"sent_sha256": readers[-1].sha256, "sent_bytes": readers[-1].sent_bytes})


def upload_form(
    scope: Scope,
    *,
    tags: Sequence[str],
    captured_at: datetime | None,
    camera_model: str | None,
    latitude: float | None,
    longitude: float | None,
    callback: str | None = None,
    retain_original_video: bool | None = None,
    transcription_prompt: str | None = None,
) -> dict[str, Scalar | Sequence[str]]:
    """Return the form fields that uploads of every kind share; what is None is left to the service."""
    fields: dict[str, Scalar | Sequence[str] | None] = {
        **scope.fields_for_library(),
        "callback": callback,
        "datetime_taken": to_service_time(captured_at) if captured_at is not None else None,
        "camera_model": camera_model,
        "latitude": latitude,
        "longitude": longitude,
        "tags": list(tags) or None,
        "retain_original_video": None if retain_original_video is None else str(retain_original_video).lower(),
        "video_transcription_prompt": transcription_prompt,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _outcome_unknown(
    error: VisualSearchError, upload_name: str, reader: SendingReader, size_bytes: int
) -> UploadOutcomeUnknown:
    message = (
        f"Upload of {upload_name!r}: {reader.sent_bytes} of {size_bytes} bytes were sent, then: {error} Whether the "
        "service stored it is not known: look for it in the library before sending it again."
    )
    return UploadOutcomeUnknown(
        message,
        operation=UPLOAD.name,
        upload_name=upload_name,
        sent_bytes=reader.sent_bytes,
        size_bytes=size_bytes,
        request_complete=reader.is_complete,
    )
