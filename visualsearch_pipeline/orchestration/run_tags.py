"""The tags of runs: why a run exists, and which days it is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final

import dagster as dg

from visualsearch_pipeline.orchestration.partitions import DayRange

REASON_TAG: Final = "visualsearch/reason"
"""Why a run exists, in words."""

COMMAND_LINE: Final = "command line"
"""The reason of the runs of `visualsearch run`."""

HOST_TAG: Final = "visualsearch/host"
"""On which machine a run is executed that no code server started: those of the command line and the daily schedule."""

PARTITION_TAG: Final = "dagster/partition"
RANGE_START_TAG: Final = "dagster/asset_partition_range_start"
RANGE_END_TAG: Final = "dagster/asset_partition_range_end"

_UNFINISHED: Final = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def partition_tags(days: DayRange) -> dict[str, str]:
    """What tells Dagster which days a run is for."""
    if days.first == days.last:
        return {PARTITION_TAG: days.first.isoformat()}
    return {RANGE_START_TAG: days.first.isoformat(), RANGE_END_TAG: days.last.isoformat()}


def partition_tag_values(tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The first and the last day of a run, as its tags have them; None twice for a run that is for no days."""
    if PARTITION_TAG in tags:
        return tags[PARTITION_TAG], tags[PARTITION_TAG]
    return tags.get(RANGE_START_TAG), tags.get(RANGE_END_TAG)


def days_under_way(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey]) -> frozenset[date]:
    """The days for which a run of any of `assets` is queued or running, whoever asked for it."""
    wanted = frozenset(assets)
    days: set[date] = set()
    for record in instance.get_run_records(dg.RunsFilter(statuses=list(_UNFINISHED))):
        run = record.dagster_run
        if wanted.intersection(run.asset_selection or ()):
            days.update(_days_of(run.tags))
    return frozenset(days)


def _days_of(tags: Mapping[str, str]) -> Iterable[date]:
    first_key, last_key = partition_tag_values(tags)
    if first_key is None or last_key is None:
        return ()
    first, last = date.fromisoformat(first_key), date.fromisoformat(last_key)
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
