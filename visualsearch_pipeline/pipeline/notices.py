"""What was called back, read as hints: which videos to ask about first, and what the service then said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from visualsearch_pipeline.ledger import Notice, NoticeOutcome, VideoObservation, VideoState
from visualsearch_pipeline.pipeline.pipeline import Pipeline

_FINISHED = (VideoState.READY, VideoState.FAILED)


def hinted_videos(pipeline: Pipeline) -> dict[str, tuple[Notice, ...]]:
    """The videos that unread notices are about, each with its notices. They are due now, however lately polled."""
    hinted: dict[str, tuple[Notice, ...]] = {}
    for notice in pipeline.ledger.notices.unread("video"):
        video_no = str(notice.subject)
        hinted[video_no] = (*hinted.get(video_no, ()), notice)
    return hinted


def settle_notices(
    pipeline: Pipeline, hinted: Mapping[str, tuple[Notice, ...]], *, observations: Iterable[VideoObservation]
) -> None:
    """Mark notices as read by what the service itself said (contract §9.59): no notice changes a state.

    Args:
        pipeline: the run.
        hinted: the notices, by video.
        observations: what the service said when it was asked. A video that is open and was not asked about keeps its
            notices; one that is unknown here, or finished, has been told nothing new.
    """
    if not hinted:
        return
    states = {observation.video_no: observation.state for observation in observations}
    still_open = {video.video_no for video in pipeline.ledger.videos.open()}
    read: dict[NoticeOutcome, list[str]] = {"confirmed": [], "pending": [], "unknown": []}
    for video_no, said in hinted.items():
        state = states.get(video_no)
        if state is None and video_no in still_open:
            continue
        outcome: NoticeOutcome = "unknown" if state is None else "confirmed" if state in _FINISHED else "pending"
        read[outcome].extend(notice.digest for notice in said)
    for outcome, digests in read.items():
        pipeline.ledger.notices.mark_read(digests, outcome=outcome, at=pipeline.now())
