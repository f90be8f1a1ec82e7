"""Reading what a run would do: from the ledger, the saved queries and, if wished, the source. No call is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Final

import sqlalchemy as sa

from visualsearch_pipeline import media
from visualsearch_pipeline.api import RateLimits
from visualsearch_pipeline.ledger import ImportState, ImportTask, Item, ItemState, LibraryVideo, UploadState
from visualsearch_pipeline.ledger.schema import api_calls, archive
from visualsearch_pipeline.ledger.schema import contents as contents_table
from visualsearch_pipeline.ledger.states import ArchiveState
from visualsearch_pipeline.media import FileChanged, FileVanished, MediaRejected
from visualsearch_pipeline.pipeline.expected_library_work import read_expected_images
from visualsearch_pipeline.pipeline.expected_searches import read_expected_searches
from visualsearch_pipeline.pipeline.forecast import (
    ExpectedImport,
    ExpectedUpload,
    ExpectedWork,
    Forecast,
    forecast,
)
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.sightings import source_file
from visualsearch_pipeline.pipeline.spending import DOWNLOAD_OPERATIONS

_UPLOAD_OPERATIONS: Final = frozenset({"upload"})


@dataclass(frozen=True)
class _Coming:
    """A video that is not ready yet, or not even uploaded."""

    day: date
    size_bytes: int


def read_forecast(pipeline: Pipeline, *, look: bool = True) -> Forecast:
    """What a run until nothing is left would do, cost and take.

    Args:
        pipeline: the run; its client is not used.
        look: whether to list the source first and look into the files that are new. Those of a size that another
            file has are hashed, so that copies count once. False counts only what the ledger knows.

    Raises:
        SourceProblem: the source cannot be listed.
    """
    settings = pipeline.settings
    midnight = pipeline.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return forecast(
        read_expected_work(pipeline, look=look),
        limits=RateLimits.from_setting(settings.api.rate_limits),
        budget=settings.budget,
        spent_today_usd=pipeline.ledger.calls.spent_usd(since=midnight),
    )


def read_expected_work(pipeline: Pipeline, *, look: bool = True) -> ExpectedWork:
    """What there is to do. Arguments and errors as for `read_forecast`."""
    if look:
        look_at_source(pipeline)
    settings = pipeline.settings
    ledger, keeps = pipeline.ledger, settings.archive
    open_uploads = ledger.uploads.open()
    contents = [ledger.items.content(upload.sha256) for upload in open_uploads]
    found, refused = _probed(pipeline) if look else ([], 0)
    images = read_expected_images(pipeline, look=look)
    indexing = ledger.videos.open()
    unseen, urls = settings.budget, ledger.url_uploads.open()
    due = ledger.imports.in_state(ImportState.PENDING)
    imports = [(task, _videos_to_come(pipeline, task)) for task in (*due, *ledger.imports.open())]
    coming = [
        *(_Coming(content.day, content.size_bytes) for content in contents),
        *(_Coming(item.day, item.size_bytes) for item, _ in found),
        *(_Coming(video.day, _size_bytes(pipeline, video)) for video in indexing),
        *(_Coming(url.day, unseen.unseen_video_bytes) for url in urls),
        *(_Coming(task.day, unseen.unseen_video_bytes) for task, left in imports for _ in range(left)),
    ]
    unarchived = [_size_bytes(pipeline, video) for video in ledger.fetches.unarchived_videos()]
    keyframes = len(ledger.fetches.wanted()) if keeps.keyframes else 0
    transfers = pipeline.settings.api.concurrent_transfers
    return ExpectedWork(
        uploads=(
            *(ExpectedUpload(content.name, content.size_bytes, content.duration_seconds) for content in contents),
            *(ExpectedUpload(item.name, item.size_bytes, seconds) for item, seconds in found),
            *(ExpectedUpload(url.uri, 0, unseen.unseen_video_seconds) for url in urls),
        ),
        urls=len(urls),
        imports=tuple(ExpectedImport(task.subject, task.expected_videos, task.estimated_usd) for task in due),
        searches=read_expected_searches(pipeline, [video.day for video in coming], images),
        image_requests=images.requests,
        image_bytes=images.size_bytes,
        transcripts=len(ledger.fetches.without_transcription("transcripts")) + len(coming),
        captions=len(ledger.fetches.without_transcription("captions")) + len(coming),
        original_bytes=(*unarchived, *(video.size_bytes for video in coming)) if keeps.videos else (),
        keyframes=keyframes,
        keyframe_bytes=round(keyframes * _mean_keyframe_bytes(pipeline)),
        indexing=len(indexing),
        refused=refused,
        lost=sum(upload.state is not UploadState.PENDING for upload in open_uploads)
        + sum(url.state is not UploadState.PENDING for url in urls),
        sending_bytes_per_second=_speed(pipeline, _UPLOAD_OPERATIONS, api_calls.c.bytes_sent, transfers=transfers),
        receiving_bytes_per_second=_speed(
            pipeline, DOWNLOAD_OPERATIONS, api_calls.c.bytes_received, transfers=transfers
        ),
    )


def _size_bytes(pipeline: Pipeline, video: LibraryVideo) -> int:
    """How large an original is, or is taken to be until the service says."""
    if video.sha256 is not None:
        return pipeline.ledger.items.content(video.sha256).size_bytes
    return video.size_bytes or pipeline.settings.budget.unseen_video_bytes


def _videos_to_come(pipeline: Pipeline, task: ImportTask) -> int:
    """How many private videos an import is still expected to bring."""
    if task.library == "public":
        return 0
    return max(0, task.expected_videos - len(pipeline.ledger.imports.videos_of(task)))


def _probed(pipeline: Pipeline) -> tuple[list[tuple[Item, float | None]], int]:
    """The items that are going to be sent with their length, copies left out, and how many would be refused."""
    items = pipeline.ledger.items
    waiting = (*items.in_state(ItemState.FOUND, ItemState.SETTLING), *items.refused_for_a_passing_reason())
    found: list[tuple[Item, float | None]] = []
    refused = 0
    known_sizes = sa.select(contents_table.c.size_bytes).distinct()
    sizes = Counter(item.size_bytes for item in waiting)
    sizes.update(int(str(row["size_bytes"])) for row in pipeline.ledger.rows(known_sizes))
    seen: set[str] = set()
    with pipeline.progress.task("looking into media", total=len(waiting), unit="files") as task:
        for item in waiting:
            try:
                info = media.probe(source_file(item), storage_options=pipeline.storage_options)
                # Files of different sizes are no copies of each other, and need not be read for it.
                is_copy = sizes[item.size_bytes] > 1 and _is_copy(pipeline, item, seen)
            except MediaRejected:
                refused += 1
            except FileVanished:
                continue
            else:
                if not is_copy:
                    found.append((item, info.duration_seconds))
            task.advance()
    return found, refused


def _is_copy(pipeline: Pipeline, item: Item, seen: set[str]) -> bool:
    """Whether another file with these bytes is known or was seen; adds them to `seen`."""
    try:
        sha256 = media.sha256_of(source_file(item), storage_options=pipeline.storage_options).sha256
    except FileChanged:
        return False
    is_known = sa.select(contents_table.c.sha256).where(contents_table.c.sha256 == sha256)
    if sha256 in seen or pipeline.ledger.rows(is_known):
        return True
    seen.add(sha256)
    return False


def _mean_keyframe_bytes(pipeline: Pipeline) -> float:
    mean = sa.select(sa.func.avg(archive.c.size_bytes).label("mean")).where(
        archive.c.kind == "keyframe", archive.c.state == ArchiveState.ARCHIVED
    )
    (row,) = pipeline.ledger.rows(mean)
    return _number(row, "mean")


def _speed(
    pipeline: Pipeline, operations: frozenset[str], size_bytes: sa.Column[int], *, transfers: int
) -> float | None:
    """Bytes per second of all transfers together, as earlier ones went; None where there were none."""
    sums = sa.select(
        sa.func.sum(size_bytes).label("size_bytes"), sa.func.sum(api_calls.c.duration_seconds).label("seconds")
    ).where(api_calls.c.operation.in_(operations), api_calls.c.outcome == "ok")
    (row,) = pipeline.ledger.rows(sums)
    seconds = _number(row, "seconds")
    return _number(row, "size_bytes") / seconds * transfers or None if seconds else None


def _number(row: Mapping[str, object], column: str) -> float:
    return float(str(row[column] or 0))
