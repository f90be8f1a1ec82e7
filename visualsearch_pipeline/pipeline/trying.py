"""Asking a question once, now, without keeping anything: how people find the words before they save them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from visualsearch_pipeline.api import ClipHit, ImageHit
from visualsearch_pipeline.pipeline.asking import ask
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.image_search import ask_images
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.public_search import ask_public
from visualsearch_pipeline.queries import (
    IMAGE_TOP_K,
    AllImages,
    ImageCall,
    ImageInVideoQuery,
    ImageLibraryQuery,
    OneVideo,
    PublicQuery,
    SavedQuery,
    SearchCall,
    WholeScope,
    is_full,
    min_score_of,
    top_k_of,
)


class NotTriable(PipelineError):  # noqa: N818  says what happened, as in `visualsearch_pipeline.api.errors`
    """The question cannot be asked without saying in which video."""


@dataclass(frozen=True)
class TriedHit:
    """One match.

    Attributes:
        hit: As the service sent it: a place in a video, or an image.
        media_uri: The source file of what was found; None if it was not uploaded by this pipeline.
    """

    hit: ClipHit | ImageHit
    media_uri: str | None

    @property
    def start_seconds(self) -> float | None:
        """Where it begins in its video, in seconds; None in an image."""
        return self.hit.start_seconds if isinstance(self.hit, ClipHit) else None

    @property
    def end_seconds(self) -> float | None:
        """Where it ends in its video, in seconds; None in an image."""
        return self.hit.end_seconds if isinstance(self.hit, ClipHit) else None

    @property
    def text(self) -> str | None:
        """The words or the caption that matched."""
        return self.hit.text if isinstance(self.hit, ClipHit) else None

    @property
    def name(self) -> str:
        """What it was found in: the source file's name, or else the service's number of the video or image."""
        return PurePosixPath(self.media_uri).name if self.media_uri else self.number

    @property
    def number(self) -> str:
        """The service's number of the video or image."""
        return self.hit.video_no if isinstance(self.hit, ClipHit) else self.hit.image_id


@dataclass(frozen=True)
class Trial:
    """What one call came to.

    Attributes:
        query: What was asked.
        hits: The matches that the query would keep, in the service's order, at most as many as asked for.
        hit_count: How many it would keep in all.
        is_complete: Whether the answer holds every match; a saved query asks on until it does.
        seconds: How long it took.
        cost_usd: What it cost by the price table.
    """

    query: SavedQuery
    hits: tuple[TriedHit, ...]
    hit_count: int
    is_complete: bool
    seconds: float
    cost_usd: float


def try_query(pipeline: Pipeline, query: SavedQuery, *, at_most: int = 20, video_no: str | None = None) -> Trial:
    """Ask `query` once about its whole library. The call is recorded and charged like any other; no table changes.

    Args:
        pipeline: The run.
        query: Any saved query, or one made for the purpose: `TextQuery(id="try", text="a red truck")`.
        at_most: How many hits to return.
        video_no: For an image within a video: which one.

    Raises:
        NotTriable: an image within videos, and no video is named.
        VisualSearchError: the call failed.
        BudgetExceeded: it would pass a budget, and was not made.
    """
    if isinstance(query, ImageInVideoQuery) and video_no is None:
        raise NotTriable(
            f"{query.id} looks within one video at a time: name a video_no, or try its image alone without the prompt"
        )
    began, spent_before_usd = time.monotonic(), pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id)
    hits, is_complete = _ask(pipeline, query, video_no)
    minimum = min_score_of(query)
    kept = [tried for tried in hits if minimum is None or tried.hit.score is None or tried.hit.score >= minimum]
    top_k = top_k_of(query)
    return Trial(
        query=query,
        hits=tuple(kept[: at_most if top_k is None else min(at_most, top_k)]),
        hit_count=len(kept),
        is_complete=is_complete,
        seconds=time.monotonic() - began,
        cost_usd=pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id) - spent_before_usd,
    )


def _ask(pipeline: Pipeline, query: SavedQuery, video_no: str | None) -> tuple[Sequence[TriedHit], bool]:
    """What the service sends, and whether that is all there is."""
    if isinstance(query, ImageLibraryQuery):
        call = ImageCall(query=query, reach=AllImages(), targets=())
        uris = {image.image_id: image.uri for image in pipeline.ledger.images.uploaded()}
        images = ask_images(pipeline, call)
        return [TriedHit(hit, uris.get(hit.image_id)) for hit in images], len(images) < IMAGE_TOP_K
    if isinstance(query, PublicQuery):
        findings = ask_public(pipeline, query)
        ranked = sorted(findings.found, key=lambda hit: -(hit.score or 0.0))
        return [TriedHit(hit, None) for hit in ranked], not findings.truncated
    reach = OneVideo(video_no) if isinstance(query, ImageInVideoQuery) and video_no else WholeScope()
    answer = ask(pipeline, SearchCall(query=query, reach=reach, targets=()))
    scores = [hit.score for hit in answer.hits if hit.score is not None]
    of_videos = pipeline.ledger.videos.media_uris()
    is_complete = not is_full(answer.call, len(answer.hits), lowest_score=min(scores, default=None))
    return [TriedHit(hit, of_videos.get(hit.video_no)) for hit in answer.hits], is_complete
