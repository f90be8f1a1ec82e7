"""Asking the service one planned search call, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass

from visualsearch_pipeline.api import ClipHit, FilteringLevel, SearchKind
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.upload_marks import DAY_TAG_PREFIX
from visualsearch_pipeline.queries import (
    DayTag,
    ImageInVideoQuery,
    ImageQuery,
    OneVideo,
    SearchCall,
    Target,
    TextQuery,
    TranscriptQuery,
    VideoList,
    asks,
    limit_of,
    unfinished,
)


@dataclass(frozen=True)
class Answer:
    """What one call came to.

    Attributes:
        call: The call.
        hits: As the service sent them.
        unfinished: The targets of which there may be more hits that count.
    """

    call: SearchCall
    hits: tuple[ClipHit, ...]
    unfinished: tuple[Target, ...]


def ask(pipeline: Pipeline, call: SearchCall) -> Answer:
    """Make one call.

    Raises:
        VisualSearchError: the call failed.
        BudgetExceeded: it would pass a budget, and was not made.
    """
    what = f"Searching for {asks(call.query)!r}"
    with pipeline.spending.reserving(what, cost_usd=pipeline.spending.search_usd):
        hits = _hits(pipeline, call)
    return Answer(call, hits, unfinished(call, hits))


def _hits(pipeline: Pipeline, call: SearchCall) -> tuple[ClipHit, ...]:
    query, client = call.query, pipeline.client
    match query, call.reach:
        case TextQuery(), reach:
            return client.search(
                query.text,
                kind=SearchKind(query.medium),
                top_k=limit_of(call) or 1,
                filtering_level=FilteringLevel(query.filtering_level) if query.filtering_level else None,
                video_nos=reach.video_nos if isinstance(reach, VideoList) else None,
                tag=DAY_TAG_PREFIX + reach.day.isoformat() if isinstance(reach, DayTag) else query.tag,
                camera_model=query.camera,
                taken_after=query.taken_after,
                latitude=query.near.latitude if query.near else None,
                longitude=query.near.longitude if query.near else None,
            )
        case ImageQuery(), _:
            return client.search_similar_images(query.image.path, similarity=query.similarity)
        case ImageInVideoQuery(), OneVideo(video_no):
            return client.search_clips_by_image(query.image.path, video_no=video_no, prompt=query.prompt)
        case TranscriptQuery(), _:
            return tuple(client.iter_audio_transcripts(query.transcript))
        case _:
            raise TypeError(f"no call is known for {query} about {call.reach}")
