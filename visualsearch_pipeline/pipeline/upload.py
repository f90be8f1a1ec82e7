"""Uploading queued contents, each exactly once.

Order of writing, per content: lease, intent, call, result. Killed anywhere, the next run finds a state that says what
may have happened, and asks the library before it sends again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from functools import partial

from visualsearch_pipeline.api import (
    InvalidInput,
    InvalidRequest,
    OperationFamily,
    RateLimits,
    UploadOutcomeUnknown,
    UploadSourceError,
    Video,
    VisualSearchError,
)
from visualsearch_pipeline.ledger import Content, Item, ItemState, LeaseOwner, Upload, UploadState
from visualsearch_pipeline.media import SourceContent
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.progress import Task
from visualsearch_pipeline.pipeline.reconciling import (
    CLOCK_SKEW,
    LostUpload,
    Verdict,
    find_lost_uploads,
)
from visualsearch_pipeline.pipeline.repeating import (
    FoundInLibraryError,
    SourceAskedAgain,
    UndecidedError,
    library_since,
    look_for,
)
from visualsearch_pipeline.pipeline.sightings import source_file
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.upload_marks import DAY_TAG_PREFIX, HASH_TAG_PREFIX
from visualsearch_pipeline.pipeline.url_uploads import upload_urls
from visualsearch_pipeline.pipeline.waits import Starts, WaitGivenUp
from visualsearch_pipeline.pipeline.worker_pool import worker_pool


@dataclass(frozen=True)
class UploadReport:
    """What became of the queued uploads. `waiting` are held by another process, or their fate is not decided yet."""

    uploaded: int
    adopted: int
    failed: int
    refused: int
    waiting: int
    bytes_sent: int


class _Outcome(Enum):
    UPLOADED = auto()
    ADOPTED = auto()
    FAILED = auto()
    REFUSED = auto()
    WAITING = auto()


def upload(pipeline: Pipeline, *, days: Sequence[date] | None = None, max_items: int | None = None) -> UploadReport:
    """Upload the queued contents of `days` (all days if None), at most `max_items`; several transfers overlap.

    Uploads whose answer was lost are looked for in the library first and adopted if they are there.

    Raises:
        ServiceRefuses: the service refuses every call (key, credits, permission).
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: the next upload would pass a budget.
    """
    _ = pipeline.callback_url  # Without its secret nothing is begun.
    owner = LeaseOwner.current()
    adopted = _reconcile(pipeline, owner=owner, days=days)
    pending = [upload for upload in pipeline.ledger.uploads.open(days=days) if upload.state is UploadState.PENDING]
    undecided = len(pipeline.ledger.uploads.open(days=days)) - len(pending)
    pending = pending[:max_items]
    contents = {upload.sha256: pipeline.ledger.items.content(upload.sha256) for upload in pending}
    total_bytes = sum(content.size_bytes for content in contents.values())
    outcomes: list[_Outcome] = []
    sent = 0
    time_box = pipeline.time_box()
    rate = RateLimits.from_setting(pipeline.settings.api.rate_limits).rate(OperationFamily.UPLOAD)
    with (
        pipeline.waits.counting(OperationFamily.UPLOAD, what="upload", total=len(pending), rate=rate) as starts,
        pipeline.progress.task(f"uploading {_videos(len(pending))}", total=total_bytes, unit="bytes") as task,
        worker_pool(pipeline.settings.api.concurrent_transfers, name="upload", when_stopped=starts.abort) as pool,
    ):
        futures = {}
        for queued in pending:
            future = pool.submit(_upload_one, pipeline, queued, contents[queued.sha256], owner, time_box, starts)
            future.add_done_callback(partial(_advance, task, contents[queued.sha256].size_bytes))
            futures[future] = queued
        _stop_at_first_error(futures, starts)
        for future, queued in futures.items():
            outcome = future.result()
            outcomes.append(outcome)
            sent += contents[queued.sha256].size_bytes if outcome is _Outcome.UPLOADED else 0
    fetched = upload_urls(pipeline, days=days, max_items=None if max_items is None else max_items - len(pending))
    return UploadReport(
        uploaded=outcomes.count(_Outcome.UPLOADED) + fetched.uploaded,
        adopted=adopted + outcomes.count(_Outcome.ADOPTED) + fetched.adopted,
        failed=outcomes.count(_Outcome.FAILED) + fetched.failed,
        refused=outcomes.count(_Outcome.REFUSED) + fetched.refused,
        waiting=outcomes.count(_Outcome.WAITING) + undecided + fetched.waiting,
        bytes_sent=sent,
    )


def _videos(count: int) -> str:
    return f"{count} video{'' if count == 1 else 's'}"


def _advance(task: Task, size_bytes: int, done: Future[_Outcome]) -> None:
    if not done.cancelled():
        task.advance(size_bytes)


def _stop_at_first_error(futures: Collection[Future[_Outcome]], starts: Starts) -> None:
    """Wait for all; if one raises, begin no more and let those under way end, so that no answer is lost."""
    done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
    failed = next((future for future in done if not future.cancelled() and future.exception()), None)
    if failed is None:
        return
    starts.stop()
    for future in waiting:
        future.cancel()
    wait(waiting)
    failed.result()


def _upload_one(
    pipeline: Pipeline, queued: Upload, content: Content, owner: LeaseOwner, time_box: TimeBox, starts: Starts
) -> _Outcome:
    if time_box.is_over or starts.is_stopped:
        return _Outcome.WAITING
    uploads = pipeline.ledger.uploads
    taken = uploads.take(queued.sha256, owner=owner, now=pipeline.now())
    if taken is None:
        return _Outcome.WAITING
    if taken.state is not UploadState.PENDING:
        uploads.release(queued.sha256, state=taken.state)
        return _Outcome.WAITING
    available = pipeline.ledger.items.items_with(queued.sha256)
    if not available:
        uploads.release(queued.sha256, state=UploadState.PENDING)
        return _Outcome.WAITING
    indexing_usd = pipeline.spending.indexing_usd(content.duration_seconds)
    try:
        with pipeline.spending.reserving(f"Indexing {content.name!r}", cost_usd=indexing_usd):
            return _send(pipeline, queued, content, available[0], owner, starts)
    except BudgetExceeded:
        uploads.release(queued.sha256, state=UploadState.PENDING)
        raise


def _send(
    pipeline: Pipeline, queued: Upload, content: Content, item: Item, owner: LeaseOwner, starts: Starts
) -> _Outcome:
    """Intent, call, result; the lease is held."""
    uploads = pipeline.ledger.uploads
    pipeline.spending.expect_upload(queued.upload_name, duration_seconds=content.duration_seconds)
    client, callback_url = pipeline.client, pipeline.callback_url
    intended_at = queued.intended_at or pipeline.now()
    uploads.record_intent(queued.sha256, at=pipeline.now())
    source = SourceAskedAgain(
        SourceContent(source_file(item), pipeline.storage_options),
        look=lambda: look_for(pipeline, content, intended_at=intended_at),
    )
    try:
        answer = client.upload(
            source,
            upload_name=queued.upload_name,
            tags=(f"{HASH_TAG_PREFIX}{content.sha256}", f"{DAY_TAG_PREFIX}{content.day.isoformat()}"),
            captured_at=content.captured_at,
            camera_model=content.camera_model[:200] if content.camera_model else None,
            latitude=content.latitude,
            longitude=content.longitude,
            callback=callback_url,
            expected_sha256=content.sha256,
            on_progress=_Heartbeat(pipeline, queued.sha256, owner, starts),
        )
    except VisualSearchError as error:
        if stopping_error(pipeline, error) is not None:
            starts.stop()
        return _keep_failure(pipeline, queued, item, error, may_have_arrived=source.was_read_whole)
    except FoundInLibraryError as found:
        _record_adopted(pipeline, queued, found.video)
        return _Outcome.ADOPTED
    except (WaitGivenUp, UndecidedError):
        state = UploadState.UNCERTAIN if source.was_read_whole else UploadState.PENDING
        uploads.release(queued.sha256, state=state)
        return _Outcome.WAITING
    except BaseException:
        # Stopped from outside while bytes were moving: what the service made of them is not known.
        uploads.release(queued.sha256, state=UploadState.UNCERTAIN)
        raise
    uploads.record_uploaded(
        queued.sha256,
        video_no=answer.video_no,
        video_name=answer.video_name,
        adopted=False,
        at=pipeline.now(),
    )
    return _Outcome.UPLOADED


class _Heartbeat:
    """Notes that an upload's bytes move, and renews its lease while they do, at most once per `EVERY_SECONDS`."""

    EVERY_SECONDS = 60

    def __init__(self, pipeline: Pipeline, sha256: str, owner: LeaseOwner, starts: Starts) -> None:
        self._pipeline = pipeline
        self._sha256 = sha256
        self._owner = owner
        self._renewed_at = pipeline.now()
        self._starts = starts
        self._has_started = False

    def __call__(self, _sent_bytes: int) -> None:
        self._starts.check()
        if not self._has_started:
            self._has_started = True
            self._starts.note_start()
        now = self._pipeline.now()
        if (now - self._renewed_at).total_seconds() >= self.EVERY_SECONDS:
            self._renewed_at = now
            self._pipeline.ledger.uploads.renew(self._sha256, owner=self._owner, now=now)


def _keep_failure(
    pipeline: Pipeline, queued: Upload, item: Item, error: VisualSearchError, *, may_have_arrived: bool
) -> _Outcome:
    """Record what an upload's error says about its effect; raise what every further upload would meet too."""
    uploads = pipeline.ledger.uploads
    state, retryable = UploadState.PENDING, True
    if isinstance(error, UploadOutcomeUnknown):
        state = UploadState.UNCERTAIN if error.request_complete else UploadState.PENDING
    elif isinstance(error, InvalidInput | InvalidRequest):
        state, retryable = UploadState.REFUSED, False
    elif may_have_arrived:
        # Refused, but who refused? A gateway may have lost the answer of a service that accepted.
        state = UploadState.UNCERTAIN
    stops = stopping_error(pipeline, error)
    if stops is not None:
        uploads.release(queued.sha256, state=state)
        raise stops from error
    if isinstance(error, UploadSourceError):
        # The bytes are not those that were hashed: back to the beginning with the item.
        uploads.release(queued.sha256, state=UploadState.PENDING)
        pipeline.ledger.items.settle([item.uri], state=ItemState.SETTLING, reason=str(error))
        return _Outcome.WAITING
    uploads.record_failed(
        queued.sha256, state=state, reason=str(error), retryable=retryable, uri=item.uri, at=pipeline.now()
    )
    return _Outcome.FAILED if retryable else _Outcome.REFUSED


def _reconcile(pipeline: Pipeline, *, owner: LeaseOwner, days: Sequence[date] | None) -> int:
    """Look for uploads whose answer was lost; adopt what is in the library, queue again what is not.

    Returns:
        How many were adopted.
    """
    uploads = pipeline.ledger.uploads
    lost: list[Upload] = []
    for candidate in uploads.open(days=days):
        if candidate.state is UploadState.PENDING:
            continue
        taken = uploads.take(candidate.sha256, owner=owner, now=pipeline.now())
        if taken is not None and taken.state is not UploadState.PENDING:
            lost.append(taken)
    if not lost:
        return 0
    pipeline.progress.note(f"looking in the library for {len(lost)} uploads whose answer was lost")
    try:
        verdicts = find_lost_uploads(
            [
                LostUpload(
                    sha256=upload.sha256,
                    size_bytes=pipeline.ledger.items.content(upload.sha256).size_bytes,
                    intended_at=upload.intended_at or pipeline.now(),
                )
                for upload in lost
            ],
            library_since(pipeline, min(upload.intended_at for upload in lost if upload.intended_at) - CLOCK_SKEW),
            claimed=uploads.claimed_video_nos(),
        )
    except BaseException as error:
        for upload in lost:
            uploads.release(upload.sha256, state=UploadState.UNCERTAIN)
        stops = stopping_error(pipeline, error) if isinstance(error, VisualSearchError) else None
        if stops is not None:
            raise stops from error
        raise
    adopted = 0
    for upload in lost:
        verdict = verdicts[upload.sha256]
        if isinstance(verdict, Video):
            adopted += 1
            _record_adopted(pipeline, upload, verdict)
        else:
            absent = verdict is Verdict.ABSENT and _waited_enough(pipeline, upload)
            uploads.release(upload.sha256, state=UploadState.PENDING if absent else UploadState.UNCERTAIN)
    return adopted


def _record_adopted(pipeline: Pipeline, upload: Upload, video: Video) -> None:
    pipeline.ledger.uploads.record_uploaded(
        upload.sha256, video_no=video.video_no, video_name=video.video_name, adopted=True, at=pipeline.now()
    )
    pipeline.spending.bill_found_upload(
        upload.upload_name,
        duration_seconds=pipeline.ledger.items.content(upload.sha256).duration_seconds,
        at=upload.attempted_at or pipeline.now(),
    )


def _waited_enough(pipeline: Pipeline, upload: Upload) -> bool:
    """Whether an upload that is not in the library has had the time to turn up there."""
    if upload.attempted_at is None:
        return True
    waited = (pipeline.now() - upload.attempted_at).total_seconds()
    return waited >= pipeline.settings.api.lost_answer_wait_seconds
