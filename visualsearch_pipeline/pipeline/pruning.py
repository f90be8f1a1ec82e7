"""Removing what is old from the ledger and the warehouse: single calls, alerts, snapshots. Nothing else is ever old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.warehouse.snapshots import prune_snapshots, removable_snapshots


@dataclass(frozen=True)
class Pruning:
    """What was removed, or would be.

    Attributes:
        api_calls: Single calls; their sums per day, operation and question stay, and the bill stays right.
        alerts: Deliveries that were made or given up.
        snapshots: Earlier publications.
        snapshots_bytes: What these take at most; blocks that they share with others are not freed.
    """

    api_calls: int
    alerts: int
    snapshots: int
    snapshots_bytes: int


def prune(pipeline: Pipeline, *, dry_run: bool) -> Pruning:
    """Remove what is older than `retention` in the settings allows.

    Args:
        pipeline: the run.
        dry_run: count only.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    settings, now = pipeline.settings, pipeline.now()
    retention = settings.retention
    calls_before = (now - timedelta(days=retention.api_calls_days)).date()
    totals = pipeline.ledger.call_totals
    calls = totals.old_calls(before=calls_before) if dry_run else totals.fold(before=calls_before)
    alerts = pipeline.ledger.alerts.prune(before=now - timedelta(days=retention.alerts_days), dry_run=dry_run)
    database, keep_days = settings.database_path, settings.snapshot_days
    snapshots = removable_snapshots(database, keep_days=keep_days, now=now)
    sizes = [snapshot.size_bytes for snapshot in snapshots]
    if not dry_run:
        with pipeline.locked("publish"):
            prune_snapshots(database, keep_days=keep_days, now=now)
    return Pruning(api_calls=calls, alerts=alerts, snapshots=len(snapshots), snapshots_bytes=sum(sizes))
