"""The sensor `done_days`: has the days shown as done on which nothing is left to do.

Dagster shows a day without footage as missing, today until something of it comes, and a day that failed as failed, also
once the bad file was taken away: the ledger has nothing to do there, so that nobody asks for a run. One missing day
leaves an asset grey in the graph. This sensor asks for the runs that say so; they find nothing to do and cost nothing.
"""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import dagster as dg

from visualsearch_pipeline.ledger import ItemState, LedgerError
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.partitions import DayRange, contiguous, daily_partitions, days_of
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG, days_under_way, partition_tags
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.pipeline import Pipeline

_SECONDS_PER_SENSOR_SECOND: Final = 10
"""It looks a tenth as often as the other sensors: nothing waits for it."""

_REQUESTS_PER_TICK: Final = 10
_DAYS_PER_RUN: Final = 31
"""A run holds its places in the pools until it ends, and a year of every asset takes minutes to write down."""

_NO_BAD_DAY: Final = "videos"
"""The step whose failures make no day bad: see `videos_asset`."""


def done_days_sensor(runner: StepRunner, keys: AssetKeys, *, assets: Sequence[dg.AssetKey]) -> dg.SensorDefinition:
    """The sensor `done_days`.

    Args:
        runner: opens the pipeline.
        keys: the names of the assets.
        assets: those with a partition per day that anybody may ask for; not the query sets with a schedule.
    """
    name = keys.name("done_days")
    partitions = daily_partitions(runner.settings)

    @dg.sensor(
        name=name,
        required_resource_keys={runner.resource_key},
        asset_selection=dg.AssetSelection.assets(*assets),
        minimum_interval_seconds=_SECONDS_PER_SENSOR_SECOND * runner.settings.sensor_seconds,
        description="Requests days on which nothing is left to do, and which show as missing or failed all the same.",
    )
    def done_days(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="sensor:done_days") as pipeline:
                open_days = _open_days(pipeline)
                today = pipeline.now().date()
        except (PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error)) from error
        lacking = _lacking(context.instance, assets, partitions)
        under_way = days_under_way(context.instance, assets) if lacking else frozenset()
        stretches = _stretches(
            {day: lacks for day, lacks in lacking.items() if day not in open_days and day not in under_way}
        )
        if not stretches:
            return dg.SensorResult(
                skip_reason=(
                    f"{len(lacking)} days are not shown as done: {len(under_way & lacking.keys())} have a run, "
                    f"{len(open_days & lacking.keys())} have something left to do or failed."
                )
            )
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    # Should such a run fail, the next day is soon enough.
                    run_key=f"done:{days.first}:{days.last}:{_mark(lacks)}:{today}",
                    asset_selection=list(lacks),
                    tags={**partition_tags(days), REASON_TAG: "nothing is left to do on these days"},
                )
                for days, lacks in stretches[:_REQUESTS_PER_TICK]
            ]
        )

    return done_days


def _open_days(pipeline: Pipeline) -> frozenset[date]:
    """The days with work of any kind, with files still being written, or with something that failed for good."""
    ledger = pipeline.ledger
    return frozenset(
        {
            *pending_work(pipeline).unscheduled.to_do,
            *(item.day for item in ledger.items.in_state(ItemState.SETTLING)),
            *(
                failure.day
                for failure in ledger.failures.unresolved()
                if failure.day is not None and failure.step != _NO_BAD_DAY
            ),
        }
    )


def _lacking(
    instance: dg.DagsterInstance, assets: Sequence[dg.AssetKey], partitions: dg.DailyPartitionsDefinition
) -> dict[date, tuple[dg.AssetKey, ...]]:
    """Per day that is not shown as done everywhere, the assets that lack it, in the order of `assets`."""
    partition_keys = partitions.get_partition_keys()
    lacking: dict[date, tuple[dg.AssetKey, ...]] = {}
    for asset in assets:
        statuses = instance.get_status_by_partition(asset, partition_keys, partitions) or {}
        not_done = [key for key in partition_keys if statuses.get(key) is not dg.AssetPartitionStatus.MATERIALIZED]
        for day in days_of(not_done):
            lacking[day] = (*lacking.get(day, ()), asset)
    return lacking


def _stretches(
    lacking: Mapping[date, tuple[dg.AssetKey, ...]],
) -> list[tuple[DayRange, tuple[dg.AssetKey, ...]]]:
    """Days next to each other that lack the same assets, the newest first: those are looked at."""
    by_assets: dict[tuple[dg.AssetKey, ...], list[date]] = {}
    for day, assets in lacking.items():
        by_assets.setdefault(assets, []).append(day)
    stretches = [
        (month, assets)
        for assets, of_them in by_assets.items()
        for days in contiguous(of_them)
        for month in _months(days)
    ]
    return sorted(stretches, key=lambda stretch: stretch[0].last, reverse=True)


def _months(days: DayRange) -> Iterator[DayRange]:
    last = days.last
    while last >= days.first:
        first = max(days.first, last - timedelta(days=_DAYS_PER_RUN - 1))
        yield DayRange(first, last)
        last = first - timedelta(days=1)


def _mark(assets: Collection[dg.AssetKey]) -> str:
    names = " ".join(key.to_user_string() for key in assets)
    return hashlib.sha256(names.encode()).hexdigest()[:16]
