"""The sensors `new_media` and `indexing`: waiting is their work, so that no run sleeps.

`pipeline/pending.py` says what is left to do, `requests.py` whether to ask for it now. What follows from indexed videos
is asked for by the conditions in `automation.py`, which also says who asks for what.
"""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

import dagster as dg

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.cursors import SensorCursor, read_cursor
from visualsearch_pipeline.orchestration.day_work import listing_work, media_work, result_work, upload_work
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.requests import (
    RETRY_SECONDS,
    DayWork,
    Decision,
    decide,
    retry_seconds_of,
    run_requests,
)
from visualsearch_pipeline.orchestration.run_tags import days_under_way
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.index import poll
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.pipeline import Pipeline, TimeBox

__all__ = ["RETRY_SECONDS", "indexing_sensor", "new_media_sensor"]

_LISTING_SECONDS: Final = 25.0
_POLL_SECONDS: Final = 30.0
"""Dagster gives a tick 60 s, and keeps neither cursor nor requests of one that takes longer."""


_TOO_LONG_TO_LIST: Final = "linked folders in a source that takes longer to list than a tick has"


def new_media_sensor(runner: StepRunner, keys: AssetKeys) -> dg.SensorDefinition:
    """The sensor `new_media`: lists the source and requests the days with something to look into or to send.

    `media` and `uploads` are runs of their own: a file that cannot be uploaded fails its day of `media`, and is not to
    keep the day's other files from being sent. A source that a tick cannot list to its end is listed piece by piece:
    the cursor holds where the next tick goes on. Linked folders of such a source are listed by a run of today's
    `media`, which has the time.
    """
    name = keys.name("new_media")

    @dg.sensor(
        name=name,
        required_resource_keys={runner.resource_key},
        asset_selection=dg.AssetSelection.assets(keys.media, keys.uploads),
        minimum_interval_seconds=runner.settings.sensor_seconds,
        description="Lists the source. Requests the days with files to look into or contents to upload.",
    )
    def new_media(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = read_cursor(context.cursor, sensor=name)
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="sensor:new_media") as pipeline:
                source = look_at_source(pipeline, after=cursor.position, time_box=TimeBox.of(_LISTING_SECONDS))
                work = pending_work(pipeline)
                tick = _Tick(context, pipeline, cursor)
                tick.request("listing", listing_work(source, pipeline), assets=[keys.media], reason=_TOO_LONG_TO_LIST)
                tick.request("media", media_work(pipeline, work), assets=[keys.media], reason="new media")
                tick.request("uploads", upload_work(pipeline, work), assets=[keys.uploads], reason="contents to upload")
        except (PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error)) from error
        part = "" if source.is_whole else f" in the part listed now, {_part(cursor.position, source.position)}"
        return tick.result(
            f"{source.files} files{part}, {source.new} new, {source.settling} still being written; {source.urls} URLs",
            position=source.position,
        )

    return new_media


def _part(after: str | None, position: str | None) -> str:
    """Which part of the source a tick has listed, in words."""
    return f"from {after or 'the beginning'} to {position or 'the end'}"


def indexing_sensor(runner: StepRunner, keys: AssetKeys, *, followers: Collection[dg.AssetKey]) -> dg.SensorDefinition:
    """The sensor `indexing`: polls what is being indexed; requests `videos` of the days with something to ask or fetch.

    What follows from `videos` is asked for by conditions, once `videos` is materialized.

    Args:
        runner: opens the pipeline.
        keys: the names of the assets.
        followers: what follows from `videos`. While one of these has a run for a day, the day is left alone.
    """
    name = keys.name("indexing")

    @dg.sensor(
        name=name,
        required_resource_keys={runner.resource_key},
        asset_selection=dg.AssetSelection.assets(keys.videos),
        minimum_interval_seconds=runner.settings.sensor_seconds,
        description=(
            "Polls the videos being indexed. Requests the days with videos to search, transcribe or archive, and those "
            "with a video that failed, got stuck or went missing."
        ),
    )
    def indexing(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = read_cursor(context.cursor, sensor=name)
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="sensor:indexing") as pipeline:
                report = poll(pipeline, time_box=TimeBox.of(_POLL_SECONDS))
                work = result_work(pipeline, pending_work(pipeline).unscheduled, news=report.news_days)
                tick = _Tick(context, pipeline, cursor)
                tick.request("videos", work, assets=[keys.videos], busy_with=followers, reason="videos to ask about")
        except (PipelineError, LedgerError, VisualSearchError) as error:
            raise dg.Failure(description=str(error)) from error
        return tick.result(
            f"{report.indexing} videos being indexed, {report.stuck} stuck, {report.missing} missing; "
            f"{report.asked} asked about now, {report.not_due} not yet due"
        )

    return indexing


class _Tick:
    """The requests and the cursor of one tick, collected lane by lane."""

    def __init__(self, context: dg.SensorEvaluationContext, pipeline: Pipeline, cursor: SensorCursor) -> None:
        self._context = context
        self._now = pipeline.now()
        self._retry_seconds = retry_seconds_of(pipeline.settings.sensor_seconds)
        self._cursor = cursor
        self._decisions: dict[str, Decision] = {}
        self._requests: list[dg.RunRequest] = []

    def request(
        self,
        lane: str,
        pending: Mapping[date, DayWork],
        *,
        assets: Sequence[dg.AssetKey],
        reason: str,
        busy_with: Iterable[dg.AssetKey] = (),
    ) -> None:
        """Request what is due of a lane.

        Args:
            lane: what the work is called in the cursor.
            pending: what is left to do, by day.
            assets: what to materialize.
            reason: why, for the runs' tag.
            busy_with: further assets; a day with a run of one of them is left alone.
        """
        decision = decide(
            pending,
            asked=self._cursor.asked.get(lane, {}),
            under_way=days_under_way(self._context.instance, [*assets, *busy_with]) if pending else frozenset(),
            now=self._now,
            retry_seconds=self._retry_seconds,
        )
        self._decisions[lane] = decision
        self._requests += run_requests(
            decision, assets=assets, lane=lane, reason=reason, now=self._now, retry_seconds=self._retry_seconds
        )

    def result(self, seen: str, *, position: str | None = None) -> dg.SensorResult:
        """What the tick gives back; `seen` says what it saw, in numbers, `position` where the next goes on."""
        cursor = SensorCursor(
            looked_at=self._now,
            asked={lane: decision.asked for lane, decision in self._decisions.items() if decision.asked},
            position=position,
        ).model_dump_json()
        if self._requests:
            return dg.SensorResult(run_requests=self._requests, cursor=cursor)
        counts = [(decision.under_way, decision.later) for decision in self._decisions.values()]
        under_way, later = (sum(numbers) for numbers in zip(*counts, strict=True))
        left = f"{under_way} days under way, {later} asked for already and tried again later"
        return dg.SensorResult(skip_reason=f"{seen}; nothing new to ask for ({left}).", cursor=cursor)
