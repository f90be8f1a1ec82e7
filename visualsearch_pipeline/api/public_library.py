"""The public library: videos that the vendor shows to all of its users (contract §2.12-2.15)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from pydantic import AliasChoices, Field

from visualsearch_pipeline.api import limits, operations
from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.library import checked_video_no
from visualsearch_pipeline.api.models import ClipHit, FilteringLevel, SearchKind, Transcript, TranscriptPage, Video
from visualsearch_pipeline.api.operations import GET_PUBLIC_VIDEO_DETAIL, SEARCH_PUBLIC, SEARCH_PUBLIC_SIMILAR_IMAGES
from visualsearch_pipeline.api.parsing import parse_item, parse_items
from visualsearch_pipeline.api.search import check_search, check_similarity, image_parts
from visualsearch_pipeline.api.transcripts import iterate_transcript_pages, read_transcript, search_transcripts
from visualsearch_pipeline.api.transport import Call, Transport
from visualsearch_pipeline.api.wire import Json, OptionalInteger, OptionalText


class Platform(StrEnum):
    """Where public videos come from."""

    TIKTOK = "TIKTOK"
    YOUTUBE = "YOUTUBE"
    INSTAGRAM = "INSTAGRAM"


# Whole videos are what the service looks for here; the alias for clips is not accepted everywhere (contract §7).
_SEARCH_TYPES = {SearchKind.CLIPS: "BY_VIDEO", SearchKind.AUDIO: "BY_AUDIO"}


class PublicVideo(Video):
    """A public video, with what its platform says of it.

    Attributes:
        creator: Who posted it.
        hashtags: As posted, in one text.
        published: When it was posted, in the service's own words: epoch seconds where it was seen.
    """

    creator: OptionalText = Field(None, validation_alias=AliasChoices("blogger_id", "creator"))
    hashtags: OptionalText = Field(None, validation_alias=AliasChoices("hash_tag", "hashtags"))
    published: OptionalText = Field(None, validation_alias=AliasChoices("publish_time", "published"))
    music_name: OptionalText = None
    text_language: OptionalText = None
    like_count: OptionalInteger = None
    share_count: OptionalInteger = None
    comment_count: OptionalInteger = None
    view_count: OptionalInteger = None
    collect_count: OptionalInteger = None


class PublicCalls:
    """The part of the client that reads the public library. Scopes play no part in it."""

    _transport: Transport

    def search_public(
        self,
        text: str,
        *,
        kind: SearchKind = SearchKind.CLIPS,
        top_k: int,
        platform: Platform = Platform.TIKTOK,
        filtering_level: FilteringLevel | None = None,
    ) -> tuple[ClipHit, ...]:
        """Find public videos by a text. Each successful call is charged.

        Args:
            text: What to look for.
            kind: In the picture or in speech; captions of public videos cannot be searched.
            top_k: Most hits, 1-1000.
            platform: Where the videos come from; one at a time.
            filtering_level: How sure the service must be.

        Raises:
            InvalidInput: An argument that the service would refuse, or silently take for another.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        check_search(text, top_k=top_k, at_most=limits.MAX_TOP_K)
        if kind not in _SEARCH_TYPES:
            raise InvalidInput(f"Public videos cannot be searched by {kind.value}; there are clips and audio.")
        body: dict[str, Json] = {
            "search_param": text,
            "search_type": _SEARCH_TYPES[kind],
            "type": platform.value,
            "top_k": top_k,
        }
        if filtering_level is not None:
            body["filtering_level"] = filtering_level.value
        data = self._transport.request(Call(SEARCH_PUBLIC, item=text, json=body))
        return parse_items(ClipHit, data, operation=SEARCH_PUBLIC.name, item=text)

    def search_public_similar_images(
        self, image: Path, *, platform: Platform = Platform.TIKTOK, similarity: float = 0.85
    ) -> tuple[ClipHit, ...]:
        """Find moments of public videos that look like an image; see `search_similar_images`."""
        check_similarity(similarity)
        call = Call(
            SEARCH_PUBLIC_SIMILAR_IMAGES,
            item=image.name,
            form={"type": platform.value, "similarity": similarity},
            open_parts=image_parts(image),
        )
        data = self._transport.request(call)
        return parse_items(ClipHit, data, operation=SEARCH_PUBLIC_SIMILAR_IMAGES.name, item=image.name)

    def search_public_audio_transcripts(
        self, phrase: str, *, page: int = 1, page_size: int = limits.SAFE_TRANSCRIPT_PAGE_SIZE
    ) -> TranscriptPage:
        """Find where a phrase is said in public videos; see `search_audio_transcripts`."""
        return search_transcripts(
            self._transport,
            operations.SEARCH_PUBLIC_AUDIO_TRANSCRIPTS,
            phrase,
            page=page,
            page_size=page_size,
            scope_fields={},
        )

    def iter_public_audio_transcripts(
        self, phrase: str, *, page_size: int = limits.SAFE_TRANSCRIPT_PAGE_SIZE
    ) -> Iterator[ClipHit]:
        """Find every place where a phrase is said in public videos, each once."""
        yield from iterate_transcript_pages(
            lambda page: self.search_public_audio_transcripts(phrase, page=page, page_size=page_size)
        )

    def get_public_video_detail(self, video_no: str) -> PublicVideo | None:
        """Read one public video, or None if there is none of that id.

        Raises:
            InvalidInput: The id is empty.
            ApiError: The service refused.
            TransportError: No usable answer came.
        """
        params = {"video_no": checked_video_no(video_no)}
        data = self._transport.request(Call(GET_PUBLIC_VIDEO_DETAIL, item=video_no, params=params))
        if data is None:
            return None
        return parse_item(PublicVideo, data, operation=GET_PUBLIC_VIDEO_DETAIL.name, item=video_no)

    def get_public_audio_transcription(self, video_no: str) -> Transcript | None:
        """Read what is said in a public video; see `get_audio_transcription`."""
        operation = operations.GET_PUBLIC_AUDIO_TRANSCRIPTION
        return read_transcript(self._transport, operation, video_no, scope_fields={})

    def get_public_video_transcription(self, video_no: str) -> Transcript | None:
        """Read the captions of a public video; see `get_video_caption`."""
        operation = operations.GET_PUBLIC_VIDEO_TRANSCRIPTION
        return read_transcript(self._transport, operation, video_no, scope_fields={})
