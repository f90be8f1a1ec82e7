"""Deleting videos from the service's library whose originals are in the archive, with a record of each.

A deletion cannot be taken back, so that every doubt is a reason to leave a video where it is. Before the call its
archived file is read from end to end and its hash compared; the library of the settings must list it, with the size
and the tag that we gave it; its day must have nothing left to ask or fetch. The intent is committed before the call.
After it the library is listed again, since a deletion in the wrong scope looks like one that went well (contract
§2.18). A process killed in between leaves intents, which the next comparison with the library decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import fsspec

from visualsearch_pipeline.api import Video, VisualSearchError
from visualsearch_pipeline.api.limits import MAX_DELETE_VIDEO_NOS
from visualsearch_pipeline.ledger import DeletionState
from visualsearch_pipeline.ledger.remote_deletions import DeletableVideo, RemoteDeletion
from visualsearch_pipeline.pipeline.comparing import tagged_sha256
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.stopping import stopping_error

DELETION_STEP: Final = "remote_deletions"
"""The step of failures of deletions."""

_CHUNK_BYTES: Final = 1024**2


class WrongScope(PipelineError):  # noqa: N818  says what happened, as in `pipeline.errors`
    """None of the videos that could be deleted is in the library that the settings name."""


@dataclass(frozen=True)
class LeftVideo:
    """A video that was archived long enough ago and stays in the library all the same."""

    video_no: str
    reason: str


@dataclass(frozen=True)
class DeletionPlan:
    """What would be deleted.

    Attributes:
        videos: Archived, proven and old enough; their files are read again before any call.
        waiting: How many more there are whose day has something left to ask or to fetch.
        older_than_days: How long ago they must have been archived.
    """

    videos: tuple[DeletableVideo, ...]
    waiting: int
    older_than_days: int

    @property
    def size_bytes(self) -> int:
        """What they take at the service."""
        return sum(video.size_bytes for video in self.videos)


@dataclass(frozen=True)
class DeletionReport:
    """What was deleted, and what was not."""

    deleted: tuple[str, ...] = ()
    left: tuple[LeftVideo, ...] = ()
    settled: int = 0


def plan_remote_deletions(pipeline: Pipeline, *, older_than_days: int) -> DeletionPlan:
    """What could be deleted, by the ledger alone. Makes no call."""
    before = pipeline.now() - timedelta(days=older_than_days)
    found = pipeline.ledger.remote_deletions.deletable(archived_before=before)
    busy = set(pending_work(pipeline).to_do)
    videos = tuple(video for video in found if video.day not in busy)
    return DeletionPlan(videos=videos, waiting=len(found) - len(videos), older_than_days=older_than_days)


def delete_remote_videos(pipeline: Pipeline, *, older_than_days: int, reason: str) -> DeletionReport:
    """Delete what is archived and proven from the library, 100 at a time.

    What stays because its archived file is not what was archived is a failure of the step `remote_deletions`.

    Args:
        pipeline: the run.
        older_than_days: how long ago a video must have been archived.
        reason: kept with each deletion, for those who ask later.

    Raises:
        WrongScope: the library that the settings name has none of the videos; nothing was deleted.
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
    """
    with pipeline.locked("remote-deletions"):
        try:
            settled = settle_remote_deletions(pipeline)
            plan = plan_remote_deletions(pipeline, older_than_days=older_than_days)
            listed = _listed(pipeline, [video.video_no for video in plan.videos])
            if plan.videos and not listed:
                raise WrongScope(
                    f"none of the {len(plan.videos)} videos to be deleted is in the library that the settings name "
                    f"({pipeline.client.scope}): nothing was deleted. `visualsearch doctor` tells where the videos are"
                )
            deleted: list[str] = []
            left: list[LeftVideo] = []
            for start in range(0, len(plan.videos), MAX_DELETE_VIDEO_NOS):
                batch = plan.videos[start : start + MAX_DELETE_VIDEO_NOS]
                proven = [video for video in batch if _may_go(pipeline, video, listed, left)]
                if proven:
                    deleted += _delete(pipeline, proven, left, reason=reason)
        except VisualSearchError as error:
            raise stopping_error(pipeline, error) or error from error
    return DeletionReport(deleted=tuple(deleted), left=tuple(left), settled=settled)


def settle_remote_deletions(pipeline: Pipeline) -> int:
    """Look into the library for deletions whose outcome was never recorded; say how many there were.

    Raises:
        VisualSearchError: the library could not be listed.
    """
    # Of another scope this one can say nothing: what it does not list may be there all the same.
    undecided = pipeline.ledger.remote_deletions.undecided(scope=str(pipeline.client.scope))
    if not undecided:
        return 0
    _record_outcomes(pipeline, undecided)
    return len(undecided)


def _may_go(pipeline: Pipeline, video: DeletableVideo, listed: Mapping[str, Video], left: list[LeftVideo]) -> bool:
    """Whether nothing speaks against deleting a video; what does is kept."""
    entry = listed.get(video.video_no)
    doubt: str | None
    if entry is None:
        left.append(LeftVideo(video.video_no, "is not in this library: `visualsearch reconcile` tells more"))
        return False
    if (tag := tagged_sha256(entry)) not in (None, video.sha256):
        doubt = f"its entry in the library carries the tag of another content, {tag}"
    elif entry.size_bytes not in (None, video.size_bytes):
        doubt = f"its entry in the library has {entry.size_bytes} bytes, the archived file {video.size_bytes}"
    else:
        doubt = _doubt_of_file(pipeline, video)
    if doubt is None:
        return True
    left.append(LeftVideo(video.video_no, doubt))
    pipeline.ledger.failures.record(
        DELETION_STEP,
        subject=video.video_no,
        day=video.day,
        reason=f"{doubt}; it was not deleted from the library",
        retryable=True,
        at=pipeline.now(),
    )
    return False


def _doubt_of_file(pipeline: Pipeline, video: DeletableVideo) -> str | None:
    """What is wrong with the archived file, read from end to end now; None if it is what was uploaded."""
    digest = hashlib.sha256()
    pipeline.progress.note(f"reading {video.archived_path} once more before {video.video_no} is deleted")
    try:
        with fsspec.open(video.archived_path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        return f"its archived file {video.archived_path} cannot be read: {error.strerror or error}"
    if digest.hexdigest() != video.sha256:
        return f"its archived file {video.archived_path} is not what was uploaded (SHA-256 {digest.hexdigest()})"
    return None


def _delete(
    pipeline: Pipeline, videos: Sequence[DeletableVideo], left: list[LeftVideo], *, reason: str
) -> tuple[str, ...]:
    intents = [
        RemoteDeletion(
            video_no=video.video_no,
            sha256=video.sha256,
            archived_path=video.archived_path,
            size_bytes=video.size_bytes,
            day=video.day,
            reason=reason,
            scope=str(pipeline.client.scope),
            run_id=pipeline.run_id,
            intended_at=pipeline.now(),
        )
        for video in videos
    ]
    pipeline.ledger.remote_deletions.intend(intents)
    pipeline.client.delete_videos([video.video_no for video in videos])
    still_there = _record_outcomes(pipeline, intents)
    left += (LeftVideo(video_no, "is still in the library after the call") for video_no in sorted(still_there))
    return tuple(video.video_no for video in videos if video.video_no not in still_there)


def _record_outcomes(pipeline: Pipeline, intents: Sequence[RemoteDeletion]) -> frozenset[str]:
    """Keep for each deletion what the library says now; give back those that are still in it."""
    listed = _listed(pipeline, [intent.video_no for intent in intents])
    for intent in intents:
        now = pipeline.now()
        if intent.video_no in listed:
            outcome = "still listed after the call, or the call was never made"
            pipeline.ledger.remote_deletions.record_outcome(
                intent.video_no, state=DeletionState.REFUSED, outcome=outcome, at=now
            )
            pipeline.ledger.failures.record(
                DELETION_STEP, subject=intent.video_no, day=intent.day, reason=outcome, retryable=True, at=now
            )
        else:
            pipeline.ledger.remote_deletions.record_outcome(
                intent.video_no, state=DeletionState.DELETED, outcome="not listed any more", at=now
            )
    return frozenset(listed)


def _listed(pipeline: Pipeline, video_nos: Iterable[str]) -> dict[str, Video]:
    return {video.video_no: video for video in pipeline.client.iter_videos(video_nos=list(video_nos))}
