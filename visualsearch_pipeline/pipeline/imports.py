"""Importing from social platforms: each import of each day started once, and followed until it has brought its videos.

The service gives no list of tasks and takes no key against repetition (contract §2.4, §2.5). So an import whose answer
was lost may run under a name that nobody told us. It is never started again by itself: it is *undecided*, a failure
that says what speaks for either side, and `visualsearch imports` carries out what a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from visualsearch_pipeline.api import (
    BadResponse,
    InvalidInput,
    InvalidRequest,
    OutcomeUnknown,
    Video,
    VisualSearchError,
)
from visualsearch_pipeline.ledger import ImportedVideo, ImportState, ImportTask, LeaseOwner
from visualsearch_pipeline.media.imports_file import ImportEntry
from visualsearch_pipeline.media.media_url import post_address
from visualsearch_pipeline.pipeline.errors import BudgetExceeded
from visualsearch_pipeline.pipeline.import_source import entries_by_id
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox
from visualsearch_pipeline.pipeline.repeating import library_since
from visualsearch_pipeline.pipeline.stopping import stopping_error

_PUBLIC_PREFIX: Final = "PI-"
"""What ids of the public library begin with (contract §1.6)."""

_OPERATIONS: Final = {"creator": "scraper", "hashtags": "scraper_tag", "posts": "scraper_url"}
_SHOWN_ENTRIES: Final = 5


@dataclass(frozen=True)
class ImportReport:
    """What became of the imports that were due or under way.

    `videos` are those that were not known before; `undecided` imports need a person.
    """

    started: int
    failed: int
    undecided: int
    running: int
    finished: int
    stuck: int
    videos: int


def run_imports(pipeline: Pipeline, *, days: Sequence[date] | None = None) -> ImportReport:
    """Start what is due on `days` (all days if None), and ask once what each running import has brought.

    Private videos become videos of the import's day, and everything else goes on with them as with any; public ones
    are recorded.

    Raises:
        ServiceRefuses: the service refuses every call (key, credits, permission).
        ServiceUnreachable: no connection can be made.
        BudgetExceeded: the next import would pass a budget.
    """
    imports = pipeline.ledger.imports
    videos = sense_imports(pipeline, days=days)
    time_box = pipeline.time_box()
    entries = entries_by_id(pipeline)
    owner = LeaseOwner.current()
    states = [
        _start(pipeline, task, entries.get(task.entry_id), owner=owner)
        for task in imports.in_state(ImportState.PENDING, ImportState.STARTING, days=days)
        if not time_box.is_over
    ]
    by_state = {state: len(imports.in_state(state, days=days)) for state in ImportState}
    return ImportReport(
        started=states.count(ImportState.RUNNING),
        failed=states.count(ImportState.PENDING) + states.count(ImportState.REFUSED),
        undecided=by_state[ImportState.UNDECIDED],
        running=by_state[ImportState.RUNNING],
        finished=by_state[ImportState.FINISHED],
        stuck=by_state[ImportState.STUCK],
        videos=videos,
    )


def operation_of(kind: str, *, library: str) -> str:
    """The service's operation for a kind of import: `scraper`, `scraper_tag_public` and so on (contract §2.4)."""
    return _OPERATIONS[kind] + ("_public" if library == "public" else "")


def sense_imports(pipeline: Pipeline, *, days: Sequence[date] | None = None, time_box: TimeBox | None = None) -> int:
    """Ask once what each running import has brought, the longest unasked first. Starts nothing.

    Args:
        pipeline: The run.
        days: Of which days; all if None.
        time_box: Until when; default: the step's time.

    Returns:
        How many videos are new.

    Raises:
        ServiceRefuses: the service refuses every call.
        ServiceUnreachable: no connection can be made.
    """
    time_box = time_box or pipeline.time_box()
    return sum(_sense(pipeline, task) for task in pipeline.ledger.imports.open(days=days) if not time_box.is_over)


def _start(pipeline: Pipeline, queued: ImportTask, entry: ImportEntry | None, *, owner: LeaseOwner) -> ImportState:
    """Lease, intent, call, result. Returns the state it is left in; STARTING if another process holds it."""
    imports = pipeline.ledger.imports
    task = imports.take(queued.entry_id, queued.day, owner=owner, now=pipeline.now())
    if task is None:
        return ImportState.STARTING
    if task.state is ImportState.STARTING:
        # Its process died between the intent and the answer.
        return _leave_undecided(pipeline, task, why="the process that started it ended before the answer came")
    if entry is None or entry.definition != task.definition:
        # Taken out of the file, or changed since it was queued: the next look at the file queues what it says now.
        imports.release(task, state=ImportState.PENDING)
        return ImportState.STARTING
    try:
        with pipeline.spending.reserving(f"The import {task.subject}", cost_usd=task.estimated_usd):
            return _call(pipeline, task, entry)
    except BudgetExceeded:
        imports.release(task, state=ImportState.PENDING)
        raise


def _call(pipeline: Pipeline, task: ImportTask, entry: ImportEntry) -> ImportState:
    imports = pipeline.ledger.imports
    _ = pipeline.client, pipeline.callback_url  # Without key and secret nothing is begun.
    operation = operation_of(entry.kind, library=entry.into)
    pipeline.spending.expect_call(operation, cost_usd=task.estimated_usd)
    imports.record_intent(task, at=pipeline.now())
    try:
        task_id = _ask(pipeline, entry)
    except VisualSearchError as error:
        return _keep_failure(pipeline, task, error)
    # Stopped from outside, it stays as it is: the next run finds the intent and no answer.
    imports.record_started(task, task_id=task_id, at=pipeline.now())
    return ImportState.RUNNING


def _ask(pipeline: Pipeline, entry: ImportEntry) -> str:
    client, callback_url, into_public = pipeline.client, pipeline.callback_url, entry.into == "public"
    if entry.creator is not None:
        return client.import_creator(
            entry.creator, count=entry.posts_each, callback=callback_url, into_public=into_public
        )
    if entry.hashtags is not None:
        return client.import_hashtags(
            entry.hashtags, count_per_tag=entry.posts_each, callback=callback_url, into_public=into_public
        )
    return client.import_posts(
        entry.posts or (), quality=entry.video_quality, callback=callback_url, into_public=into_public
    )


def _keep_failure(pipeline: Pipeline, task: ImportTask, error: VisualSearchError) -> ImportState:
    imports = pipeline.ledger.imports
    if isinstance(error, OutcomeUnknown | BadResponse):
        return _leave_undecided(pipeline, task, why=str(error))
    refused = isinstance(error, InvalidInput | InvalidRequest)
    state = ImportState.REFUSED if refused else ImportState.PENDING
    stops = stopping_error(pipeline, error)
    if stops is not None:
        imports.release(task, state=ImportState.PENDING)
        raise stops from error
    remedy = " Change the entry, and it is asked for again." if refused else ""
    imports.record_failed(
        task, state=state, reason=f"{task.asks}: {error}{remedy}", retryable=not refused, at=pipeline.now()
    )
    return state


def _leave_undecided(pipeline: Pipeline, task: ImportTask, *, why: str) -> ImportState:
    """Keep an import whose answer was lost, with all that can be found out about its fate."""
    traces = _traces(pipeline, task, task.intended_at or pipeline.now())
    reason = (
        f"{task.asks}: it may run or not, since {why.rstrip('.')}. The service lists no tasks, so it is not started "
        f"again by itself: that may be paid for twice (about ${task.estimated_usd:.2f}). {traces} "
        f"Decide with `visualsearch imports resolve {task.entry_id} {task.day}`: --task-id ID, --again or --drop."
    )
    pipeline.ledger.imports.record_failed(
        task, state=ImportState.UNDECIDED, reason=reason, retryable=False, at=pipeline.now()
    )
    return ImportState.UNDECIDED


def _traces(pipeline: Pipeline, task: ImportTask, since: datetime) -> str:
    """What came into the private library since the call and is nobody's; in words."""
    if task.library == "public":
        return "The public library does not tell who brought a video into it."
    try:
        listed = library_since(pipeline, since)
    except VisualSearchError as error:
        return f"The library could not be looked into for traces of it: {error}"
    claimed = pipeline.ledger.url_uploads.claimed_video_nos()
    loose = [video for video in listed if video.video_no not in claimed and not video.tags and _is_after(video, since)]
    if not loose:
        return f"Nothing has come into the library since {since:%Y-%m-%d %H:%M} that could be from it."
    shown = ", ".join(video.video_no for video in loose[:_SHOWN_ENTRIES])
    return f"{len(loose)} entries that came into the library since may be from it: {shown}."


def _is_after(video: Video, moment: datetime) -> bool:
    return video.created_at is None or video.created_at >= moment


def _sense(pipeline: Pipeline, task: ImportTask) -> int:
    """Ask once what an import has brought so far, and judge whether that is all.

    Returns:
        How many videos are new.
    """
    imports = pipeline.ledger.imports
    if task.task_id is None:
        return 0
    try:
        found = pipeline.client.get_task_videos(task.task_id)
    except VisualSearchError as error:
        stops = stopping_error(pipeline, error)
        if stops is not None:
            raise stops from error
        imports.record_failed(task, state=task.state, reason=f"{task.asks}: {error}", retryable=True, at=pipeline.now())
        return 0
    said = {video.video_no: video for video in found.videos}
    brought = [_imported(task, video_no, said.get(video_no)) for video_no in found.video_nos]
    new = imports.record_videos(task, brought, at=pipeline.now())
    _judge(pipeline, imports.get(task.entry_id, task.day), brought=len(brought))
    return new


def _judge(pipeline: Pipeline, task: ImportTask, *, brought: int) -> None:
    """Finished, stuck, or still at it: an empty answer is no error, and a partial one may grow (contract §2.5)."""
    imports, indexing, now = pipeline.ledger.imports, pipeline.settings.indexing, pipeline.now()
    if brought >= task.expected_videos:
        imports.record_finished(task, at=now)
    elif brought and (now - (task.grown_at or now)).total_seconds() >= indexing.import_settle_seconds:
        imports.record_finished(task, at=now, reason=f"brought {brought} of {task.expected_videos}, and then no more")
    elif not brought:
        age_seconds = (now - (task.started_at or now)).total_seconds()
        if age_seconds > indexing.import_stuck_after_seconds:
            reason = f"{task.asks}: task {task.task_id} has brought nothing in {age_seconds / 3600:.1f} h"
            imports.record_failed(task, state=ImportState.STUCK, reason=reason, retryable=True, at=now)
    elif task.state is ImportState.STUCK:
        imports.record_recovered(task, at=now)


def _imported(task: ImportTask, video_no: str, video: Video | None) -> ImportedVideo:
    library = "public" if task.library == "public" or video_no.startswith(_PUBLIC_PREFIX) else "private"
    return ImportedVideo(
        video_no=video_no,
        library=library,
        video_name=(video.video_name or None) if video else None,
        post_url=post_address(video.video_url) if video and video.video_url else None,
    )
