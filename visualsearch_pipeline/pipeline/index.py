"""Sensing when uploads are indexed: many videos per list call, fair, and never waiting itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from visualsearch_pipeline.api import Video, VideoStatus, VisualSearchError
from visualsearch_pipeline.ledger import IndexMark, LibraryVideo, VideoObservation, VideoState
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.upload import stopping_error

_CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class IndexReport:
    """What a poll found among the videos that were not finished. `finished_days` got a ready or a failed video."""

    ready: int
    failed: int
    indexing: int
    stuck: int
    missing: int
    finished_days: tuple[date, ...]


def poll(pipeline: Pipeline, *, days: Sequence[date] | None = None) -> IndexReport:
    """Ask once for the state of every open video of `days` (all days if None), by list pages.

    A video that is not listed is asked for alone; unknown for longer than `indexing.grace_seconds` it is missing.
    Missing and stuck videos are looked for in every later poll, and welcome back.

    Raises:
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
    """
    ledger = pipeline.ledger.videos
    watched = {
        video.video_no: video for video in (*ledger.open(days=days), *ledger.in_state(VideoState.MISSING, days=days))
    }
    if not watched:
        return IndexReport(0, 0, 0, 0, 0, ())
    try:
        observations = _observe(pipeline, watched)
    except VisualSearchError as error:
        stops = stopping_error(pipeline, error)
        if stops is not None:
            raise stops from error
        raise
    ledger.record_observations(observations, at=pipeline.now())
    states = [observation.state for observation in observations]
    finished = {
        watched[observation.video_no].day
        for observation in observations
        if observation.state in (VideoState.READY, VideoState.FAILED)
    }
    return IndexReport(
        ready=states.count(VideoState.READY),
        failed=states.count(VideoState.FAILED),
        indexing=states.count(VideoState.INDEXING),
        stuck=states.count(VideoState.STUCK),
        missing=states.count(VideoState.MISSING),
        finished_days=tuple(sorted(finished)),
    )


def _observe(pipeline: Pipeline, watched: dict[str, LibraryVideo]) -> list[VideoObservation]:
    oldest = min(video.uploaded_at for video in watched.values()) - _CLOCK_SKEW
    now = pipeline.now()
    unseen = dict(watched)
    observations: list[VideoObservation] = []
    listed: list[Video] = []
    for video in pipeline.client.iter_videos():
        listed.append(video)
        known = unseen.pop(video.video_no, None)
        if known is not None:
            observations.append(_observation(pipeline, known, video, now=now))
        if not unseen or (_adopted_none(unseen) and video.created_at is not None and video.created_at < oldest):
            break
    notice_reindexed(pipeline, listed)
    for known in unseen.values():
        is_known_missing = known.state is VideoState.MISSING
        found = None if is_known_missing else pipeline.client.get_metadata(known.video_no)
        observations.append(
            _unseen(pipeline, known, now=now) if found is None else _observation(pipeline, known, found, now=now)
        )
    return observations


def notice_reindexed(pipeline: Pipeline, listed: Iterable[Video]) -> tuple[str, ...]:
    """Let everything be asked again about those of `listed` that the service has indexed anew. Makes no call.

    Args:
        pipeline: the run.
        listed: what the service says of some or all videos. A poll passes on the pages that it reads anyhow; a changed
            video further back in the list is noticed by whoever lists all of it.

    Returns:
        The `video_no` of every video that changed.
    """
    marks = [
        IndexMark(
            video_no=video.video_no,
            is_ready=video.status is VideoStatus.READY,
            created_at=video.created_at,
            size_bytes=video.size_bytes,
        )
        for video in listed
    ]
    changed = pipeline.ledger.reindexing.notice(marks)
    if changed:
        pipeline.progress.note(f"the service has indexed {len(changed)} videos anew; they are searched again")
    return changed


def _adopted_none(unseen: dict[str, LibraryVideo]) -> bool:
    # An adopted entry may be older than our record of it; then only the end of the list is the end.
    return all(video.created_at is None for video in unseen.values())


def _observation(pipeline: Pipeline, known: LibraryVideo, video: Video, *, now: datetime) -> VideoObservation:
    age_seconds = (now - known.uploaded_at).total_seconds()
    if video.status is VideoStatus.READY:
        state = VideoState.READY
    elif video.status is VideoStatus.FAILED:
        state = VideoState.FAILED
    else:
        is_stuck = age_seconds > pipeline.settings.indexing.stuck_after_seconds
        state = VideoState.STUCK if is_stuck else VideoState.INDEXING
    cause = video.cause
    if state is VideoState.FAILED:
        cause = f"indexing failed: {cause or 'the service gave no cause'}"
    elif state is VideoState.STUCK:
        cause = f"still {video.raw_status} after {age_seconds / 3600:.1f} h"
    return VideoObservation(
        video_no=known.video_no,
        state=state,
        raw_status=video.raw_status,
        video_name=video.video_name or None,
        cause=cause,
        duration_seconds=video.duration_seconds,
        size_bytes=video.size_bytes,
        width=video.width,
        height=video.height,
        fps=video.fps,
        tags=video.tags or None,
        bucket=video.bucket,
        blob=video.blob,
        created_at=video.created_at,
    )


def _unseen(pipeline: Pipeline, known: LibraryVideo, *, now: datetime) -> VideoObservation:
    if (now - known.uploaded_at).total_seconds() <= pipeline.settings.indexing.grace_seconds:
        return VideoObservation(video_no=known.video_no, state=VideoState.INDEXING)
    return VideoObservation(
        video_no=known.video_no,
        state=VideoState.MISSING,
        cause="not in the library: it was deleted, or the settings name another scope than the upload's",
    )
