"""Having the service fetch the URLs of the list, each exactly once: lease, intent, call, result, as for files.

The list is read again here: it alone has the addresses whole, and a link that was signed anew is sent as it stands now.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass, fields
from datetime import date
from typing import Final

from visualsearch_pipeline.api import (
    ConnectionFailed,
    InvalidInput,
    InvalidRequest,
    OperationFamily,
    RateLimits,
    Video,
    VisualSearchError,
)
from visualsearch_pipeline.ledger import LeaseOwner, UploadState, UrlUpload
from visualsearch_pipeline.media import SourceUnavailable
from visualsearch_pipeline.media.media_url import MediaUrl
from visualsearch_pipeline.media.url_list import ListedUrl, read_url_list
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.reconciling import Verdict
from visualsearch_pipeline.pipeline.repeating import library_since
from visualsearch_pipeline.pipeline.stopping import stopping_error
from visualsearch_pipeline.pipeline.upload_marks import DAY_TAG_PREFIX, URL_TAG_PREFIX
from visualsearch_pipeline.pipeline.url_reconciling import LostFetch, find_lost_fetches
from visualsearch_pipeline.pipeline.url_source import refusal_of
from visualsearch_pipeline.pipeline.waits import Starts, WaitGivenUp
from visualsearch_pipeline.pipeline.worker_pool import worker_pool

ORIGIN_TAG: Final = "origin:url"


@dataclass(frozen=True)
class UrlUploadReport:
    """What became of the queued URLs. `waiting` are held by another process, not in the list, or not decided yet."""

    uploaded: int = 0
    adopted: int = 0
    failed: int = 0
    refused: int = 0
    waiting: int = 0

    def __add__(self, other: UrlUploadReport) -> UrlUploadReport:
        """Both together."""
        return UrlUploadReport(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )


_UPLOADED: Final = UrlUploadReport(uploaded=1)
_FAILED: Final = UrlUploadReport(failed=1)
_REFUSED: Final = UrlUploadReport(refused=1)
_WAITING: Final = UrlUploadReport(waiting=1)


def upload_urls(
    pipeline: Pipeline, *, days: Sequence[date] | None = None, max_items: int | None = None
) -> UrlUploadReport:
    """Have the queued URLs of `days` (all days if None) fetched, at most `max_items`; several at a time.

    Fetches whose answer was lost are looked for in the library first and adopted if they are there.

    Raises:
        ServiceRefuses: the service refuses every call (key, credits, permission).
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: the next fetch would pass a budget.
    """
    queued = pipeline.ledger.url_uploads.open(days=days)
    listed = _listed(pipeline) if queued else {}
    if not queued:
        return UrlUploadReport()
    owner = LeaseOwner.current()
    adopted = _reconcile(pipeline, queued, listed, owner=owner)
    queued = pipeline.ledger.url_uploads.open(days=days)
    pending = [upload for upload in queued if upload.state is UploadState.PENDING][:max_items]
    report = UrlUploadReport(adopted=adopted, waiting=sum(upload.state is not UploadState.PENDING for upload in queued))
    rate = RateLimits.from_setting(pipeline.settings.api.rate_limits).rate(OperationFamily.UPLOAD)
    time_box = pipeline.time_box()
    with (
        pipeline.waits.counting(OperationFamily.UPLOAD, what="fetch", total=len(pending), rate=rate) as starts,
        pipeline.progress.task("having URLs fetched", total=len(pending), unit="videos") as task,
        worker_pool(pipeline.settings.api.concurrent_transfers, name="url", when_stopped=starts.abort) as pool,
    ):
        futures = []
        for upload in pending:
            url = listed.get(upload.identity)
            future = pool.submit(_upload_one, pipeline, upload, url, owner=owner, time_box=time_box, starts=starts)
            future.add_done_callback(lambda done: None if done.cancelled() else task.advance())
            futures.append(future)
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        if any(future.exception() for future in done):
            # Begin no more, and let those under way end, so that no answer is lost.
            starts.stop()
            for future in waiting:
                future.cancel()
            wait(waiting)
        for future in futures:
            if not future.cancelled():
                report += future.result()
    return report


def _listed(pipeline: Pipeline) -> dict[str, ListedUrl]:
    """The list as it stands now, by identity; empty if it cannot be read, which the look at the source has told."""
    source = pipeline.settings.source
    if source.urls is None:
        return {}
    try:
        found = read_url_list(source.urls, storage_options=pipeline.storage_options)
    except SourceUnavailable:
        return {}
    return {listed.url.identity: listed for listed in found.urls}


def _upload_one(
    pipeline: Pipeline,
    queued: UrlUpload,
    listed: ListedUrl | None,
    *,
    owner: LeaseOwner,
    time_box: TimeBox,
    starts: Starts,
) -> UrlUploadReport:
    if listed is None or time_box.is_over or starts.is_stopped:
        return _WAITING
    uploads = pipeline.ledger.url_uploads
    taken = uploads.take(queued.identity, owner=owner, now=pipeline.now())
    if taken is None:
        return _WAITING
    if taken.state is not UploadState.PENDING:
        uploads.release(queued.identity, state=taken.state)
        return _WAITING
    refusal = refusal_of(pipeline, listed, look_up=True)
    if refusal is not None:
        # A name may lead elsewhere tomorrow.
        uploads.record_failed(
            queued.identity, state=UploadState.PENDING, reason=refusal, retryable=True, at=pipeline.now()
        )
        return _FAILED
    cost_usd = pipeline.spending.unseen_video_usd
    try:
        with pipeline.spending.reserving(f"Indexing {queued.uri}", cost_usd=cost_usd):
            return _send(pipeline, queued, listed, cost_usd=cost_usd, starts=starts)
    except BudgetExceeded:
        uploads.release(queued.identity, state=UploadState.PENDING)
        raise


def _send(
    pipeline: Pipeline, queued: UrlUpload, listed: ListedUrl, *, cost_usd: float, starts: Starts
) -> UrlUploadReport:
    """Intent, call, result; the lease is held."""
    uploads = pipeline.ledger.url_uploads
    client, callback_url = pipeline.client, pipeline.callback_url
    pipeline.spending.expect_call("upload_url", cost_usd=cost_usd)
    uploads.record_intent(queued.identity, at=pipeline.now())
    try:
        answer = client.upload_url(
            listed.url.raw,
            tags=(
                URL_TAG_PREFIX + queued.identity,
                DAY_TAG_PREFIX + queued.day.isoformat(),
                ORIGIN_TAG,
                *queued.tags,
            ),
            callback=callback_url,
        )
    except VisualSearchError as error:
        return _keep_failure(pipeline, queued, listed, error, starts)
    except WaitGivenUp:
        uploads.release(queued.identity, state=UploadState.PENDING)
        return _WAITING
    except BaseException:
        # Stopped from outside while the service fetched: what it made of the URL is not known.
        uploads.release(queued.identity, state=UploadState.UNCERTAIN)
        raise
    starts.note_start()
    uploads.record_uploaded(
        queued.identity, video_no=answer.video_no, video_name=answer.video_name, adopted=False, at=pipeline.now()
    )
    return _UPLOADED


def _keep_failure(
    pipeline: Pipeline, queued: UrlUpload, listed: ListedUrl, error: VisualSearchError, starts: Starts
) -> UrlUploadReport:
    """Record what an error says about the call's effect; raise what every further call would meet too."""
    uploads = pipeline.ledger.url_uploads
    # Refused, but who refused? A gateway may have lost the answer of a service that accepted: one look is cheap.
    state, retryable = UploadState.UNCERTAIN, True
    if isinstance(error, ConnectionFailed):
        state = UploadState.PENDING
    elif isinstance(error, InvalidInput | InvalidRequest):
        state, retryable = UploadState.REFUSED, False
    stops = stopping_error(pipeline, error)
    if stops is not None:
        starts.stop()
        uploads.release(queued.identity, state=state)
        raise stops from error
    # The service may repeat the address in what it says.
    reason = f"{listed.place}: {listed.url.redact(str(error))}"
    uploads.record_failed(queued.identity, state=state, reason=reason, retryable=retryable, at=pipeline.now())
    return _FAILED if retryable else _REFUSED


def _reconcile(
    pipeline: Pipeline, queued: Sequence[UrlUpload], listed: dict[str, ListedUrl], *, owner: LeaseOwner
) -> int:
    """Look for fetches whose answer was lost; adopt what is in the library, queue again what is not.

    Returns:
        How many were adopted.
    """
    uploads = pipeline.ledger.url_uploads
    lost: list[UrlUpload] = []
    for candidate in queued:
        if candidate.state is UploadState.PENDING:
            continue
        taken = uploads.take(candidate.identity, owner=owner, now=pipeline.now())
        if taken is not None and taken.state is not UploadState.PENDING:
            lost.append(taken)
    if not lost:
        return 0
    pipeline.progress.note(f"looking in the library for {len(lost)} fetches whose answer was lost")
    earliest = min((upload.intended_at for upload in lost if upload.intended_at), default=pipeline.now())
    fetches = [
        LostFetch(upload.identity, _video_name(upload, listed), upload.intended_at or pipeline.now()) for upload in lost
    ]
    try:
        library = library_since(pipeline, earliest)
    except BaseException as error:
        for upload in lost:
            uploads.release(upload.identity, state=UploadState.UNCERTAIN)
        stops = stopping_error(pipeline, error) if isinstance(error, VisualSearchError) else None
        if stops is not None:
            raise stops from error
        raise
    verdicts = find_lost_fetches(fetches, library, claimed=uploads.claimed_video_nos())
    adopted = 0
    for upload in lost:
        verdict = verdicts[upload.identity]
        if isinstance(verdict, Video):
            adopted += 1
            uploads.record_uploaded(
                upload.identity,
                video_no=verdict.video_no,
                video_name=verdict.video_name,
                adopted=True,
                at=pipeline.now(),
            )
            pipeline.spending.bill_found_call(
                "upload_url",
                item=upload.uri.partition("?")[0],
                cost_usd=pipeline.spending.unseen_video_usd,
                at=upload.attempted_at or pipeline.now(),
            )
        else:
            absent = verdict is Verdict.ABSENT and _waited_enough(pipeline, upload)
            state = UploadState.PENDING if absent else UploadState.UNCERTAIN
            uploads.release(upload.identity, state=state, reason=upload.reason)
    return adopted


def _video_name(upload: UrlUpload, listed: dict[str, ListedUrl]) -> str:
    """What the service would call it; of a URL that left the list, the shown address has the path as well."""
    known = listed.get(upload.identity)
    return known.url.video_name if known else MediaUrl.parse(upload.uri).video_name


def _waited_enough(pipeline: Pipeline, upload: UrlUpload) -> bool:
    """Whether a fetch that is not in the library has had the time to turn up there."""
    if upload.attempted_at is None:
        return True
    waited = (pipeline.now() - upload.attempted_at).total_seconds()
    return waited >= pipeline.settings.api.lost_answer_wait_seconds
