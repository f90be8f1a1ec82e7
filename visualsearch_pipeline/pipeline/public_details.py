"""Looking up the public videos that queries found: who posted them and how they were received, once each."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from visualsearch_pipeline.api import PublicVideo, VisualSearchError
from visualsearch_pipeline.ledger import PublicDetail
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.stopping import stopping_error

STEP: Final = "public_videos"
"""The step under which failures of these lookups are kept."""


def fetch_public_details(pipeline: Pipeline) -> int:
    """Look up every public video that was found and not looked up yet; say how many were.

    A video that cannot be looked up is a failure, and is tried again when the public library is asked the next time.

    Raises:
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
    """
    searches, failures, time_box = pipeline.ledger.public_searches, pipeline.ledger.failures, pipeline.time_box()
    waiting = searches.without_detail()
    looked_up = 0
    with pipeline.progress.task("looking up public videos", total=len(waiting), unit="videos") as task:
        for video_no in waiting:
            if time_box.is_over:
                break
            try:
                video = pipeline.client.get_public_video_detail(video_no)
            except VisualSearchError as error:
                stops = stopping_error(pipeline, error)
                if stops is not None:
                    raise stops from error
                at = pipeline.now()
                failures.record(STEP, subject=video_no, day=None, reason=str(error), retryable=True, at=at)
            else:
                detail = _detail(video_no, video)
                searches.record_detail(detail, is_known=video is not None, at=pipeline.now())
                failures.resolve(subject=video_no, at=pipeline.now(), steps=(STEP,))
                looked_up += 1
            task.advance()
    return looked_up


def _detail(video_no: str, video: PublicVideo | None) -> PublicDetail:
    if video is None:
        return PublicDetail(video_no=video_no)
    return PublicDetail(
        video_no=video_no,
        video_name=video.video_name or None,
        creator=video.creator,
        hashtags=video.hashtags,
        published=video.published,
        duration_seconds=video.duration_seconds,
        like_count=video.like_count,
        share_count=video.share_count,
        comment_count=video.comment_count,
        view_count=video.view_count,
        collect_count=video.collect_count,
        video_url=_lasting_url(video.video_url) if video.video_url else None,
    )


def _lasting_url(url: str) -> str:
    """The address of a post without parameters: they may be the signature of a link that expires.

    Only `v` stays, by which YouTube names its videos.
    """
    parts = urlsplit(url)
    kept = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name == "v"])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, kept, ""))
