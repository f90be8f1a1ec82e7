"""Waiting is a sensor's work: no run sleeps. `pipeline/pending.py` decides what is to do; here it is asked for."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final

import dagster as dg

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import ItemState, LedgerError
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pending import PendingWork, pending_work
from visualsearch_pipeline.pipeline.pipeline import Pipeline

RETRY_SECONDS: Final = 900
"""How long the same work is not asked for again: a run key is remembered for ever, a failed run's included."""

_UNFINISHED: Final = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_LANE_TAG: Final = "visualsearch/lane"


def new_media_sensor(runner: StepRunner, keys: AssetKeys) -> dg.SensorDefinition:
    """The sensor `new_media`: lists the source and requests the days with something to look into or to send."""
    selection = dg.AssetSelection.assets(keys.media, keys.uploads, keys.videos)

    @dg.sensor(
        name=keys.name("new_media"),
        required_resource_keys={runner.resource_key},
        asset_selection=selection,
        minimum_interval_seconds=30,
        description="Lists the source. Requests the days with files to look into or contents to upload.",
    )
    def new_media(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="sensor:new_media") as pipeline:
                source = look_at_source(pipeline)
                work = pending_work(pipeline)
                requests = list(_requests(context, pipeline, lane="media", days=_media_days(work), work=work))
        except (PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error)) from error
        cursor = json.dumps({"version": 1, "files": source.files, "looked_at": datetime.now(UTC).isoformat()})
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        return dg.SensorResult(
            skip_reason=(
                f"{source.files} files, {source.new} new, {source.settling} still being written; "
                f"nothing to look into or to send that was not asked for in the last {RETRY_SECONDS // 60} minutes."
            ),
            cursor=cursor,
        )

    return new_media


def indexing_sensor(runner: StepRunner, keys: AssetKeys, *, hits: Sequence[dg.AssetKey]) -> dg.SensorDefinition:
    """The sensor `indexing`: polls what is being indexed and requests the days with videos to ask about."""
    selection = dg.AssetSelection.assets(
        keys.videos, keys.transcripts, keys.captions, keys.archive, keys.warehouse, *hits
    )

    @dg.sensor(
        name=keys.name("indexing"),
        required_resource_keys={runner.resource_key},
        asset_selection=selection,
        minimum_interval_seconds=30,
        description="Polls the videos being indexed. Requests the days with videos to search, transcribe or archive.",
    )
    def indexing(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="sensor:indexing") as pipeline:
                report = poll(pipeline)
                work = pending_work(pipeline)
                days = sorted({*work.after_indexing, *report.finished_days})
                requests = list(_requests(context, pipeline, lane="results", days=days, work=work))
        except (PipelineError, LedgerError, VisualSearchError) as error:
            raise dg.Failure(description=str(error)) from error
        cursor = json.dumps({"version": 1, "polled_at": datetime.now(UTC).isoformat()})
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        return dg.SensorResult(
            skip_reason=(
                f"{report.indexing} videos being indexed, {report.stuck} stuck, {report.missing} missing; "
                f"nothing to ask about that was not asked for in the last {RETRY_SECONDS // 60} minutes."
            ),
            cursor=cursor,
        )

    return indexing


def _media_days(work: PendingWork) -> Iterable[date]:
    return sorted({*work.media, *work.uploads})


def _requests(
    context: dg.SensorEvaluationContext, pipeline: Pipeline, *, lane: str, days: Iterable[date], work: PendingWork
) -> Iterable[dg.RunRequest]:
    """One run per day whose work changed since it was last asked for, or was asked for long enough ago."""
    busy = _days_under_way(context, lane)
    for day in days:
        if day in busy:
            continue
        window = int(pipeline.now().timestamp()) // RETRY_SECONDS
        mark = hashlib.sha256(_state(pipeline, day, work, lane=lane).encode()).hexdigest()[:16]
        yield dg.RunRequest(
            run_key=f"{lane}:{day.isoformat()}:{mark}:{window}",
            partition_key=day.isoformat(),
            tags={_LANE_TAG: lane, REASON_TAG: "new media" if lane == "media" else "videos became ready"},
        )


def _state(pipeline: Pipeline, day: date, work: PendingWork, *, lane: str) -> str:
    """What is to be done on a day, in a form that differs when the work does."""
    ledger = pipeline.ledger
    if lane == "media":
        items = [
            (item.uri, item.size_bytes, item.modified_at) for item in ledger.items.in_state(ItemState.FOUND, days=[day])
        ]
        return repr((items, [upload.sha256 for upload in ledger.uploads.open(days=[day])]))
    sets = [name for name, days in work.hits.items() if day in days]
    ready = [video.video_no for video in ledger.videos.ready(days=[day])]
    return repr((sets, day in work.transcripts, day in work.captions, day in work.archive, ready))


def _days_under_way(context: dg.SensorEvaluationContext, lane: str) -> set[date]:
    runs = context.instance.get_run_records(dg.RunsFilter(statuses=list(_UNFINISHED), tags={_LANE_TAG: lane}))
    keys = (record.dagster_run.tags.get("dagster/partition") for record in runs)
    return {date.fromisoformat(key) for key in keys if key}
