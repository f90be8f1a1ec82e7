"""Asking a question once, now, without keeping anything: how people find the words before they save them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from visualsearch_pipeline.api import ClipHit
from visualsearch_pipeline.pipeline.asking import ask
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.queries import (
    ImageInVideoQuery,
    OneVideo,
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
        hit: As the service sent it.
        media_uri: The source file of its video; None if the video was not uploaded by this pipeline.
    """

    hit: ClipHit
    media_uri: str | None


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
    """Ask `query` once about the whole library. The call is recorded and charged like any other; no table changes.

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
    reach = OneVideo(video_no) if isinstance(query, ImageInVideoQuery) and video_no else WholeScope()
    call = SearchCall(query=query, reach=reach, targets=())
    began, spent_before_usd = time.monotonic(), pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id)
    answer = ask(pipeline, call)
    minimum = min_score_of(query)
    kept = [hit for hit in answer.hits if minimum is None or hit.score is None or hit.score >= minimum]
    scores = [hit.score for hit in answer.hits if hit.score is not None]
    uris = pipeline.ledger.videos.media_uris()
    top_k = top_k_of(query)
    shown = kept[: at_most if top_k is None else min(at_most, top_k)]
    return Trial(
        query=query,
        hits=tuple(TriedHit(hit, uris.get(hit.video_no)) for hit in shown),
        hit_count=len(kept),
        is_complete=not is_full(call, len(answer.hits), lowest_score=min(scores, default=None)),
        seconds=time.monotonic() - began,
        cost_usd=pipeline.ledger.calls.spent_usd(run_id=pipeline.run_id) - spent_before_usd,
    )
