"""Removing old runs and ticks from a Dagster instance, and nothing that its UI still needs.

Dagster derives from the events of runs which days are materialized. So a run stays, however old, as long as it holds
the last materialization of an asset, or of one of its days; and so do runs that are not finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import dagster as dg

_FINISHED: Final = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_PAGE: Final = 500


@dataclass(frozen=True)
class InstancePruning:
    """What was removed from an instance, or would be.

    Attributes:
        runs: Finished runs that are old enough.
        kept_runs: Runs as old that stay, since the UI shows their materializations as the last ones.
        ticks: Ticks of sensors and schedules.
    """

    runs: int
    kept_runs: int
    ticks: int


def prune_instance(
    instance: dg.DagsterInstance, *, runs_before: datetime, ticks_before: datetime, dry_run: bool
) -> InstancePruning:
    """Remove what is older than two times.

    Args:
        instance: The instance.
        runs_before: Runs that were created before go.
        ticks_before: Likewise, ticks.
        dry_run: Count only.
    """
    needed = _runs_of_last_materializations(instance)
    old = list(_old_runs(instance, runs_before))
    removable = [run_id for run_id in old if run_id not in needed]
    if not dry_run:
        for run_id in removable:
            instance.delete_run(run_id)
            instance.compute_log_manager.delete_logs(prefix=[run_id])
    ticks = _prune_ticks(instance, ticks_before, dry_run=dry_run)
    return InstancePruning(runs=len(removable), kept_runs=len(old) - len(removable), ticks=ticks)


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    filters = dg.RunsFilter(statuses=list(_FINISHED), created_before=before)
    cursor: str | None = None
    while records := instance.get_run_records(filters, limit=_PAGE, cursor=cursor):
        yield from (record.dagster_run.run_id for record in records)
        cursor = records[-1].dagster_run.run_id


def _runs_of_last_materializations(instance: dg.DagsterInstance) -> frozenset[str]:
    """The runs whose materializations the UI shows as the last of an asset or of a day."""
    needed: set[str] = set()
    for key in instance.all_asset_keys():
        last = instance.fetch_materializations(key, limit=1).records
        by_day = instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        ids = sorted(by_day.values())
        for start in range(0, len(ids), _PAGE):
            chosen = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + _PAGE])
            last = [*last, *instance.fetch_materializations(chosen, limit=_PAGE).records]
        needed.update(record.run_id for record in last)
    return frozenset(needed)


def _prune_ticks(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool) -> int:
    ticks = 0
    for state in instance.all_instigator_state():
        origin_id, selector_id = state.instigator_origin_id, state.selector_id
        ticks += len(instance.get_ticks(origin_id, selector_id, before=before.timestamp()))
        if not dry_run:
            instance.purge_ticks(origin_id, selector_id, before.timestamp())
    return ticks
