"""`visualsearch prune`: what is old enough to go, and letting it go."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from visualsearch_pipeline.api import VisualSearchClient
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.pruning import prune
from visualsearch_pipeline.terminal import print_line, print_rows, size

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.api import OnCall
    from visualsearch_pipeline.settings import Settings


def prune_all(settings: Settings, *, dry_run: bool, console: Console) -> None:
    """Remove what is older than `retention` allows, from the ledger, the warehouse and Dagster's own records.

    Raises:
        LedgerError: the ledger cannot be read or written.
    """
    # Late, because they bring in Dagster.
    from visualsearch_pipeline.orchestration.execution import command_line_instance
    from visualsearch_pipeline.orchestration.pruning import prune_instance

    retention = settings.retention
    with Pipeline(settings, open_client=_no_client, run_id="prune") as pipeline:
        now = pipeline.now()
        ours = prune(pipeline, dry_run=dry_run)
    with command_line_instance(settings) as instance:
        dagster = prune_instance(
            instance,
            runs_before=now - timedelta(days=retention.runs_days),
            ticks_before=now - timedelta(days=retention.ticks_days),
            dry_run=dry_run,
        )
    kept = f"{dagster.kept_runs} more hold the last state of a day and stay" if dagster.kept_runs else ""
    print_rows(
        console,
        ("what", "older than", "would go" if dry_run else "removed", ""),
        (
            ("Dagster runs", f"{retention.runs_days} days", dagster.runs, kept),
            ("Dagster ticks", f"{retention.ticks_days} days", dagster.ticks, ""),
            ("calls", f"{retention.api_calls_days} days", ours.api_calls, "their sums per day stay"),
            ("alerts", f"{retention.alerts_days} days", ours.alerts, ""),
            ("snapshots", f"{settings.snapshot_days} days", ours.snapshots, f"at most {size(ours.snapshots_bytes)}"),
        ),
    )
    if dry_run:
        print_line(console, "nothing was removed; --yes removes it")


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("pruning asks nothing of the service")
