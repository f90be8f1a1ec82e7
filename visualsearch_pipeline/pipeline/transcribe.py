"""Fetching what is said in ready videos, and what their captions say, once per video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from visualsearch_pipeline.api import Transcript, VisualSearchError
from visualsearch_pipeline.ledger import LibraryVideo, TranscriptionKind
from visualsearch_pipeline.pipeline.errors import BudgetExceeded, PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.worker_pool import worker_pool
from visualsearch_pipeline.warehouse import TABLES

_VIDEOS_PER_COMMIT: Final = 50


@dataclass(frozen=True)
class TranscribeReport:
    """What was fetched: videos with segments, videos that have none, segments, and videos that could not be asked."""

    fetched: int
    without: int
    segments: int
    failed: int


def transcribe(
    pipeline: Pipeline, kind: TranscriptionKind, *, days: Sequence[date] | None = None, max_items: int | None = None
) -> TranscribeReport:
    """Fetch `kind` for the ready videos of `days` (all days if None) that were not asked about, at most `max_items`.

    A ready video without an answer has none (no sound, for one): that is recorded, and it is not asked again
    (contract §2.15, §9.48).

    Raises:
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: the next call would pass a budget.
    """
    wanted = pipeline.ledger.fetches.without_transcription(kind, days=days)[:max_items]
    videos = iter(wanted)
    fetched = without = segments = failed = 0
    with pipeline.progress.task(f"fetching {kind}", total=len(wanted), unit="videos") as task:
        time_box = pipeline.time_box()
        while not time_box.is_over and (batch := list(islice(videos, _VIDEOS_PER_COMMIT))):
            answers = _ask(pipeline, kind, batch)
            # Whatever stops us, what was answered was paid for and is kept.
            _commit(pipeline, kind, [(video, answer) for video, answer in answers if not isinstance(answer, Exception)])
            for video, answer in answers:
                task.advance()
                if isinstance(answer, VisualSearchError):
                    failed += 1
                    _keep_failure(pipeline, kind, video, answer)
                elif isinstance(answer, PipelineError):
                    raise answer
                elif answer is None or not answer.segments:
                    without += 1
                else:
                    fetched += 1
                    segments += len(answer.segments)
    return TranscribeReport(fetched=fetched, without=without, segments=segments, failed=failed)


_Answer = Transcript | VisualSearchError | PipelineError | None


def _ask(
    pipeline: Pipeline, kind: TranscriptionKind, videos: Sequence[LibraryVideo]
) -> list[tuple[LibraryVideo, _Answer]]:
    """Ask about some videos side by side. After an answer that concerns them all, the rest are not asked about."""
    client = pipeline.client
    fetch = client.get_audio_transcription if kind == "transcripts" else client.get_video_caption
    stopped: list[PipelineError] = []

    def one(video: LibraryVideo) -> _Answer:
        if stopped:
            return stopped[0]
        try:
            what = f"Fetching {kind} of {video.video_no}"
            with pipeline.spending.reserving(what, cost_usd=pipeline.spending.search_usd):
                return fetch(video.video_no)
        except BudgetExceeded as error:
            stopped.append(error)
            return error
        except VisualSearchError as error:
            failed, stops = error, stopping_error(pipeline, error)
        if stops is None:
            return failed
        stopped.append(stops)
        return stops

    with worker_pool(pipeline.settings.api.concurrent_transfers, name=kind) as pool:
        asked = [(video, pool.submit(one, video)) for video in videos]
        try:
            return [(video, answer.result()) for video, answer in asked]
        except BaseException:
            # The run is stopped. What was answered by now was paid for and is kept.
            done = [(video, answer.result()) for video, answer in asked if answer.done() and not answer.exception()]
            _commit(pipeline, kind, [(video, answer) for video, answer in done if not isinstance(answer, Exception)])
            raise


def _commit(
    pipeline: Pipeline, kind: TranscriptionKind, answers: Sequence[tuple[LibraryVideo, Transcript | None]]
) -> None:
    """Write the segments to their days' files, then record each video as fetched."""
    by_day: dict[date, list[tuple[LibraryVideo, Transcript | None]]] = defaultdict(list)
    for video, answer in answers:
        by_day[video.day].append((video, answer))
    uris = pipeline.ledger.videos.media_uris()
    now = pipeline.now()
    for day, of_day in by_day.items():
        rows = [
            {
                "video_no": video.video_no,
                "day": day,
                "media_uri": uris.get(video.video_no),
                "segment_index": index,
                "start_seconds": segment.start_seconds,
                "end_seconds": segment.end_seconds,
                "text": segment.text,
                "fetched_at": now,
                "run_id": pipeline.run_id,
            }
            for video, answer in of_day
            if answer is not None
            for index, segment in enumerate(answer.segments)
        ]
        with pipeline.locked(f"{kind}-{day.isoformat()}"):
            existing = pipeline.store.read_day(kind, day)
            replaced = pa.array([video.video_no for video, _ in of_day], pa.string())
            kept = existing.filter(pc.invert(pc.is_in(existing.column("video_no"), value_set=replaced)))
            fresh = pa.Table.from_pylist(rows, schema=TABLES[kind].arrow_schema)
            pipeline.store.write_day(kind, day, pa.concat_tables([kept, fresh]))
            for video, answer in of_day:
                pipeline.ledger.fetches.record_transcription(
                    kind,
                    video_no=video.video_no,
                    day=day,
                    segments=len(answer.segments) if answer else 0,
                    run_id=pipeline.run_id,
                    at=now,
                )


def _keep_failure(pipeline: Pipeline, kind: TranscriptionKind, video: LibraryVideo, error: Exception) -> None:
    pipeline.ledger.failures.record(
        kind, subject=video.video_no, day=video.day, reason=str(error), retryable=True, at=pipeline.now()
    )
