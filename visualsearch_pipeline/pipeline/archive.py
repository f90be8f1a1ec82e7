"""Keeping what was found: the originals by `video_no`, and the keyframes of hits, each proven whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from visualsearch_pipeline.api import (
    DownloadMismatch,
    DownloadReceipt,
    EndpointUnavailable,
    InvalidRequest,
    ResourceNotFound,
    VisualSearchError,
)
from visualsearch_pipeline.api.part_files import Destination
from visualsearch_pipeline.ledger import ArchivedObject, LibraryVideo, WantedObject
from visualsearch_pipeline.pipeline.archive_places import ArchivePlaces, open_archive
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.worker_pool import WorkerPool, worker_pool

_FOLDERS: Final = {"video": "videos", "keyframe": "keyframes"}
"""The folder of each kind, and in it one for each day."""

_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


OnProgress: TypeAlias = Callable[[int], None]


@dataclass(frozen=True)
class ArchiveReport:
    """What was fetched, what could not be, and how many bytes came; `proven` were compared with the source's hash."""

    videos: int
    keyframes: int
    proven: int
    failed: int
    bytes_received: int


@dataclass(frozen=True)
class _Wanted:
    kind: str
    object_key: str
    video_no: str
    day: date
    bucket: str | None
    blob: str | None
    path: str
    size_bytes: int | None
    sha256: str | None
    fetch: Callable[[Destination, OnProgress], DownloadReceipt]


def archive(pipeline: Pipeline, *, days: Sequence[date] | None = None, max_items: int | None = None) -> ArchiveReport:
    """Download what the settings want kept of `days` (all days if None) and is not archived yet, at most `max_items`.

    What is there and proven is not fetched again; a file that was removed from the archive is.

    Raises:
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: the next download would pass a budget.
        StateProblem: the archive's folder cannot be made, or its store not be reached.
    """
    places = open_archive(pipeline.settings.archive_root)
    _notice_removed(pipeline, places, days)
    wanted = [*_wanted_videos(pipeline, days), *_wanted_keyframes(pipeline, days)][:max_items]
    videos = keyframes = proven = failed = received = 0
    with (
        pipeline.progress.task("archiving", total=len(wanted), unit="files") as task,
        worker_pool(pipeline.settings.api.concurrent_transfers, name="archive") as pool,
    ):
        time_box = pipeline.time_box()
        futures = [pool.submit(_fetch, pipeline, item, places, time_box, pool) for item in wanted]
        for item, future in zip(wanted, futures, strict=True):
            receipt = future.result()
            task.advance()
            if isinstance(receipt, _NotFetched):
                failed += receipt is _NotFetched.FAILED
                continue
            videos += item.kind == "video"
            keyframes += item.kind == "keyframe"
            proven += receipt.proven_by == "sha256"
            received += receipt.size_bytes
    return ArchiveReport(videos=videos, keyframes=keyframes, proven=proven, failed=failed, bytes_received=received)


class _NotFetched(Enum):
    FAILED = auto()
    LEFT = auto()
    """For the next run: the time is up."""


def _fetch(
    pipeline: Pipeline, item: _Wanted, places: ArchivePlaces, time_box: TimeBox, pool: WorkerPool
) -> DownloadReceipt | _NotFetched:
    """Download one object and record it, or record why it failed."""
    if time_box.is_over:
        return _NotFetched.LEFT
    cost_usd = pipeline.spending.download_usd(item.size_bytes)
    destination = places.destination(item.path)
    try:
        with pipeline.spending.reserving(f"Downloading {item.object_key}", cost_usd=cost_usd):
            receipt = item.fetch(destination, lambda _received_bytes: pool.check())
    except VisualSearchError as error:
        stops = stopping_error(pipeline, error)
        if stops is not None:
            raise stops from error
        pipeline.ledger.fetches.record_not_archived(
            kind=item.kind,
            object_key=item.object_key,
            video_no=item.video_no,
            day=item.day,
            reason=str(error),
            retryable=not isinstance(error, ResourceNotFound | EndpointUnavailable | InvalidRequest | DownloadMismatch),
            at=pipeline.now(),
        )
        return _NotFetched.FAILED
    pipeline.ledger.fetches.record_archived(
        ArchivedObject(
            kind=item.kind,
            object_key=item.object_key,
            video_no=item.video_no,
            day=item.day,
            bucket=item.bucket,
            blob=item.blob,
            path=places.location(item.path),
            size_bytes=receipt.size_bytes,
            sha256=receipt.sha256,
            proven_by=receipt.proven_by,
        ),
        at=pipeline.now(),
    )
    return receipt


def _wanted_videos(pipeline: Pipeline, days: Sequence[date] | None) -> list[_Wanted]:
    if not pipeline.settings.archive.videos:
        return []
    return [_wanted_video(pipeline, video) for video in pipeline.ledger.fetches.unarchived_videos(days=days)]


def _wanted_video(pipeline: Pipeline, video: LibraryVideo) -> _Wanted:
    # What the service fetched itself nobody else has seen: only the file's own structure can prove it whole.
    content = pipeline.ledger.items.content(video.sha256) if video.sha256 is not None else None
    suffix = PurePosixPath(content.name).suffix.lower() if content else ".mp4"
    sha256, size_bytes = (content.sha256, content.size_bytes) if content else (None, None)

    def fetch(destination: Destination, on_progress: OnProgress) -> DownloadReceipt:
        return pipeline.client.download(
            video.video_no,
            destination,
            expected_sha256=sha256,
            expected_size_bytes=size_bytes,
            on_progress=on_progress,
        )

    return _Wanted(
        kind="video",
        object_key=video.video_no,
        video_no=video.video_no,
        day=video.day,
        bucket=video.bucket,
        blob=video.blob,
        path=f"{_FOLDERS['video']}/{video.day.isoformat()}/{safe_name(video.video_no)}{suffix}",
        size_bytes=video.size_bytes if size_bytes is None else size_bytes,
        sha256=sha256,
        fetch=fetch,
    )


def _wanted_keyframes(pipeline: Pipeline, days: Sequence[date] | None) -> list[_Wanted]:
    if not pipeline.settings.archive.keyframes:
        return []
    return [_wanted_keyframe(pipeline, wanted) for wanted in pipeline.ledger.fetches.wanted(days=days)]


def _wanted_keyframe(pipeline: Pipeline, wanted: WantedObject) -> _Wanted:
    suffix = PurePosixPath(wanted.blob).suffix.lower()
    suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ".jpg"
    # Server-sent names are not used as paths (contract §9.54); the hash keeps them apart, and is the same next time.
    name = hashlib.sha256(wanted.object_key.encode()).hexdigest()[:32] + suffix

    def fetch(destination: Destination, on_progress: OnProgress) -> DownloadReceipt:
        return pipeline.client.download_blob(wanted.bucket, wanted.blob, destination, on_progress=on_progress)

    return _Wanted(
        kind="keyframe",
        object_key=wanted.object_key,
        video_no=wanted.video_no,
        day=wanted.day,
        bucket=wanted.bucket,
        blob=wanted.blob,
        path=f"{_FOLDERS['keyframe']}/{wanted.day.isoformat()}/{safe_name(wanted.video_no)}/{name}",
        size_bytes=None,
        sha256=None,
        fetch=fetch,
    )


def safe_name(identifier: str) -> str:
    """An identifier of the service's as a file name: itself where it is plain, its hash where it is not."""
    if _SAFE_NAME.fullmatch(identifier):
        return identifier
    return hashlib.sha256(identifier.encode()).hexdigest()[:32]


def _notice_removed(pipeline: Pipeline, places: ArchivePlaces, days: Sequence[date] | None) -> None:
    """Find archived files that are gone or have another size, so that they are fetched again."""
    for kind, folder in _FOLDERS.items():
        archived = pipeline.ledger.fetches.archived(kind, days=days)
        sizes_bytes = places.sizes_bytes({kept.path: kept.day for kept in archived}, folder=folder)
        for kept in archived:
            size_bytes = sizes_bytes.get(kept.path)
            if size_bytes != kept.size_bytes:
                found = "is gone" if size_bytes is None else f"has {size_bytes} bytes"
                pipeline.ledger.fetches.record_not_archived(
                    kind=kind,
                    object_key=kept.object_key,
                    video_no=kept.video_no,
                    day=kept.day,
                    reason=f"{kept.path} {found}, {kept.size_bytes} bytes were archived",
                    retryable=True,
                    at=pipeline.now(),
                )
