"""Sensing when uploads are indexed: many videos per list call, fair, and never waiting itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from visualsearch_pipeline.api import Video, VideoStatus, VisualSearchError
from visualsearch_pipeline.api.limits import MAX_LIST_SIZE
from visualsearch_pipeline.ledger import IndexMark, LibraryVideo, VideoObservation, VideoState
from visualsearch_pipeline.pipeline.notices import hinted_videos, settle_notices
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.stopping import stopping_error

_CLOCK_SKEW: Final = timedelta(minutes=5)
_POLLS_PER_AGE: Final = 20
_LONGEST_POLL_INTERVAL: Final = timedelta(minutes=30)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class IndexReport:
    """What a poll found among the videos that were not finished.

    Attributes:
        ready: Became ready.
        failed: Failed.
        indexing: Are still being indexed.
        stuck: Are being indexed for longer than the settings allow.
        missing: Are not in the library.
        news_days: The days with a video that became ready, failed, got stuck or went missing.
        asked: How many were asked about.
        not_due: How many were left for a later poll, being asked about the less often the older they are.
    """

    ready: int
    failed: int
    indexing: int
    stuck: int
    missing: int
    news_days: tuple[date, ...]
    asked: int = 0
    not_due: int = 0


def poll(pipeline: Pipeline, *, days: Sequence[date] | None = None, time_box: TimeBox | None = None) -> IndexReport:
    """Ask once for the state of every open video of `days` (all days if None), many per call.

    A video that is not listed is asked for alone; unknown for longer than `indexing.grace_seconds` it is missing.
    Missing and stuck videos are looked for in every later poll, and welcome back.

    Args:
        pipeline: the run.
        days: the partitions.
        time_box: for a poll that comes again and again: only what is due is asked about, those first that were not
            asked about for longest, by their numbers, until the time is up. The next poll goes on with the others.

    Raises:
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
    """
    ledger = pipeline.ledger.videos
    hinted = hinted_videos(pipeline)
    watched = {
        video.video_no: video for video in (*ledger.open(days=days), *ledger.in_state(VideoState.MISSING, days=days))
    }
    before = watched
    if time_box is not None:
        watched = due(watched, hinted=hinted, now=pipeline.now())
    if not watched:
        settle_notices(pipeline, hinted, observations=())
        return _report(before, [], not_due=len(before))
    try:
        if time_box is None:
            observations = _observe(pipeline, watched)
        else:
            observations = _observe_by_number(pipeline, watched, time_box)
    except VisualSearchError as error:
        stops = stopping_error(pipeline, error)
        if stops is not None:
            raise stops from error
        raise
    ledger.record_observations(observations, at=pipeline.now())
    settle_notices(pipeline, hinted, observations=observations)
    return _report(before, observations, not_due=len(before) - len(watched))


def _report(
    watched: Mapping[str, LibraryVideo], observations: Sequence[VideoObservation], *, not_due: int
) -> IndexReport:
    """What is known now of all that was not finished before."""
    states = {video_no: video.state for video_no, video in watched.items()}
    states.update({observation.video_no: observation.state for observation in observations})
    counts = Counter(states.values())
    news = {
        watched[observation.video_no].day
        for observation in observations
        # What merely goes on being indexed, stuck or missing is no news.
        if observation.state not in (VideoState.INDEXING, watched[observation.video_no].state)
    }
    return IndexReport(
        ready=counts[VideoState.READY],
        failed=counts[VideoState.FAILED],
        indexing=counts[VideoState.INDEXING],
        stuck=counts[VideoState.STUCK],
        missing=counts[VideoState.MISSING],
        news_days=tuple(sorted(news)),
        asked=len(observations),
        not_due=not_due,
    )


def due(watched: Mapping[str, LibraryVideo], *, hinted: Collection[str], now: datetime) -> dict[str, LibraryVideo]:
    """Those that are to be asked about again: the older, the less often; never asked and hinted ones at once.

    A video of ten minutes is asked about every half minute, one of a day every half hour.
    """
    return {video_no: video for video_no, video in watched.items() if video_no in hinted or _is_due(video, now=now)}


def _is_due(video: LibraryVideo, *, now: datetime) -> bool:
    if video.polled_at is None:
        return True
    interval = min((now - video.uploaded_at) / _POLLS_PER_AGE, _LONGEST_POLL_INTERVAL)
    return now - video.polled_at >= interval


def _observe_by_number(
    pipeline: Pipeline, watched: Mapping[str, LibraryVideo], time_box: TimeBox
) -> list[VideoObservation]:
    """Ask about as many as there is time for, the longest unasked first."""
    waiting = sorted(watched.values(), key=lambda video: (video.polled_at or _NEVER, video.uploaded_at, video.video_no))
    observations: list[VideoObservation] = []
    for start in range(0, len(waiting), MAX_LIST_SIZE):
        if time_box.is_over:
            break
        part = {video.video_no: video for video in waiting[start : start + MAX_LIST_SIZE]}
        now = pipeline.now()
        for video in pipeline.client.iter_videos(video_nos=list(part)):
            known = part.pop(video.video_no, None)
            if known is not None:
                observations.append(_observation(pipeline, known, video, now=now))
        observations += _ask_alone(pipeline, part.values(), time_box, now=now)
    return observations


def _ask_alone(
    pipeline: Pipeline, unseen: Iterable[LibraryVideo], time_box: TimeBox | None, *, now: datetime
) -> Iterator[VideoObservation]:
    """What the list does not show: asked about one by one, save those that are known to be missing."""
    for known in unseen:
        if time_box is not None and time_box.is_over:
            return
        is_known_missing = known.state is VideoState.MISSING
        found = None if is_known_missing else pipeline.client.get_metadata(known.video_no)
        yield _unseen(pipeline, known, now=now) if found is None else _observation(pipeline, known, found, now=now)


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
    observations += _ask_alone(pipeline, unseen.values(), None, now=now)
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
        is_stuck = age_seconds > pipeline.settings.indexing.stuck_after(known.duration_seconds)
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
