"""What is said in videos: searching it, and reading it (contract §2.11, §2.15, §9.45, §9.48-9.50)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from visualsearch_pipeline.api import operations
from visualsearch_pipeline.api.errors import EndpointUnavailable, InvalidInput
from visualsearch_pipeline.api.library import checked_video_no
from visualsearch_pipeline.api.limits import MAX_TRANSCRIPT_PAGE_SIZE, SAFE_TRANSCRIPT_PAGE_SIZE
from visualsearch_pipeline.api.models import ClipHit, Transcript, TranscriptPage, TranscriptSegment
from visualsearch_pipeline.api.operations import Operation
from visualsearch_pipeline.api.paging import iterate_pages
from visualsearch_pipeline.api.parsing import count_member, member, parse_item, parse_items
from visualsearch_pipeline.api.scopes import Scope
from visualsearch_pipeline.api.transport import Call, Scalar, Transport

logger = logging.getLogger(__name__)

CAPTION_OPERATIONS: Final = {
    operation.name: operation for operation in (operations.GET_VIDEO_CAPTION, operations.GET_VIDEO_TRANSCRIPTION)
}
"""The two names that the same route has had."""


class TranscriptCalls:
    """The part of the client that searches and reads transcripts."""

    _transport: Transport
    _scope: Scope
    _caption_operation: Operation

    def search_audio_transcripts(
        self, phrase: str, *, page: int = 1, page_size: int = SAFE_TRANSCRIPT_PAGE_SIZE
    ) -> TranscriptPage:
        """Find where a phrase is said: a substring, whatever its case. Hits have neither an end nor a score.

        Args:
            phrase: What is said.
            page: 1-based.
            page_size: 1-500; up to 100 is safe with every generation of the service.

        Raises:
            InvalidInput: An argument that the service would refuse.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        return search_transcripts(
            self._transport,
            operations.SEARCH_AUDIO_TRANSCRIPTS,
            phrase,
            page=page,
            page_size=page_size,
            scope_fields=self._scope.fields_for_video(),
        )

    def iter_audio_transcripts(self, phrase: str, *, page_size: int = SAFE_TRANSCRIPT_PAGE_SIZE) -> Iterator[ClipHit]:
        """Find every place where a phrase is said, each once. Errors as for `search_audio_transcripts`."""
        yield from iterate_transcript_pages(
            lambda page: self.search_audio_transcripts(phrase, page=page, page_size=page_size)
        )

    def get_audio_transcription(self, video_no: str) -> Transcript | None:
        """Read what is said in a video; None if nothing is, or it is not indexed yet (contract §9.48).

        Raises:
            InvalidInput: The id is empty.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        return self._read_transcript(operations.GET_AUDIO_TRANSCRIPTION, video_no)

    def get_video_caption(self, video_no: str) -> Transcript | None:
        """Read the captions of a video; None if there are none, or it is not indexed yet.

        The route has two names. If the service lacks the configured one, the other is tried, and kept if it answers
        (contract §7).

        Raises:
            InvalidInput: The id is empty.
            EndpointUnavailable: The service has neither route.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        operation = self._caption_operation
        try:
            return self._read_transcript(operation, video_no)
        except EndpointUnavailable:
            other = next(known for known in CAPTION_OPERATIONS.values() if known.name != operation.name)
            logger.info("The service has no route %s; trying %s", operation.name, other.name)
            transcript = self._read_transcript(other, video_no)
            self._caption_operation = other
            return transcript

    def _read_transcript(self, operation: Operation, video_no: str) -> Transcript | None:
        return read_transcript(self._transport, operation, video_no, scope_fields=self._scope.fields_for_video())


def search_transcripts(
    transport: Transport,
    operation: Operation,
    phrase: str,
    *,
    page: int,
    page_size: int,
    scope_fields: Mapping[str, Scalar],
) -> TranscriptPage:
    """Make one call of a transcript search, private or public; see `TranscriptCalls.search_audio_transcripts`."""
    if not phrase.strip():
        raise InvalidInput("A transcript search needs a phrase that is not empty.")
    if page < 1 or not 1 <= page_size <= MAX_TRANSCRIPT_PAGE_SIZE:
        message = (
            f"Pages are counted from 1 and hold 1 to {MAX_TRANSCRIPT_PAGE_SIZE} hits; "
            f"page {page} of {page_size} was asked for."
        )
        raise InvalidInput(message)
    params = {"query": phrase, "page": page, "page_size": page_size, **scope_fields}
    data = transport.request(Call(operation, item=phrase, params=params))
    found = member(data, "videos", "results", operation=operation.name, item=phrase)
    return TranscriptPage(
        hits=parse_items(ClipHit, found, operation=operation.name, item=phrase),
        page=page,
        page_size=count_member(data, "page_size") or page_size,
        total_count=count_member(data, "total_count"),
    )


def read_transcript(
    transport: Transport, operation: Operation, video_no: str, *, scope_fields: Mapping[str, Scalar]
) -> Transcript | None:
    """Read a transcript of any kind; see `TranscriptCalls.get_audio_transcription`."""
    params = {"video_no": checked_video_no(video_no), **scope_fields}
    data = transport.request(Call(operation, item=video_no, params=params))
    if data is None:
        return None
    transcript = parse_item(Transcript, data, operation=operation.name, item=video_no, defaults={"video_no": video_no})
    segments = parse_items(
        TranscriptSegment,
        member(data, "transcriptions", operation=operation.name, item=video_no),
        operation=operation.name,
        item=video_no,
    )
    return transcript.model_copy(update={"segments": tuple(sorted(segments, key=_order))})


def iterate_transcript_pages(read: Callable[[int], TranscriptPage]) -> Iterator[ClipHit]:
    """Yield every hit of a paged transcript search once."""

    def identity(hit: ClipHit) -> tuple[str, float | None, str | None]:
        return hit.video_no, hit.start_seconds, hit.text

    yield from iterate_pages(
        read,
        items=lambda page: page.hits,
        identity=identity,
        received=lambda page: [identity(hit) for hit in page.hits],
        reread_if_unsettled=False,
    )


def _order(segment: TranscriptSegment) -> tuple[float, float]:
    start = math.inf if segment.start_seconds is None else segment.start_seconds
    return start, math.inf if segment.index is None else segment.index
