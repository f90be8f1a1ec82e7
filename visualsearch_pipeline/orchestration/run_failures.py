"""Telling of runs that failed while nobody looked."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

import json
import os
from collections.abc import Collection
from datetime import UTC, datetime

import dagster as dg

from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.run_tags import COMMAND_LINE, REASON_TAG, partition_tag_values
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.alert_channels import (
    Channel,
    CommandChannel,
    NotDelivered,
    Parcel,
    WebhookChannel,
)
from visualsearch_pipeline.settings import Settings


def run_failures_sensor(runner: StepRunner, keys: AssetKeys, *, assets: Collection[dg.AssetKey]) -> dg.SensorDefinition:
    """The sensor `run_failures`: says which run failed and why, in its log and, if `alerts.run_failures`, to people.

    A run of the command line is left out: who started it has been told. What is told of a run has its id as delivery
    id, and is sent once; a delivery that fails is retried within `alerts.deadline_seconds`, and then fails the tick.
    """
    ours = frozenset(assets)
    jobs = {keys.name("daily"), keys.name("library_check")}

    @dg.run_failure_sensor(
        name=keys.name("run_failures"),
        minimum_interval_seconds=runner.settings.sensor_seconds,
        description="Says which run failed and why; to people too, if `alerts.run_failures` is set.",
    )
    def run_failures(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        is_ours = bool(ours.intersection(run.asset_selection or ())) or run.job_name in jobs
        if not is_ours or run.tags.get(REASON_TAG) == COMMAND_LINE:
            return
        reasons = _reasons(context)
        context.log.error("run %s failed: %s", run.run_id, "; ".join(reasons))
        channel = _channel(runner.settings)
        if channel is None:
            return
        first_day, last_day = partition_tag_values(run.tags)
        body = {
            "kind": "run_failed",
            "run_id": run.run_id,
            "job": run.job_name,
            "assets": sorted(key.to_user_string() for key in run.asset_selection or ()),
            "first_day": first_day,
            "last_day": last_day,
            "why_it_ran": run.tags.get(REASON_TAG),
            "reasons": reasons,
        }
        parcel = Parcel(delivery_id=f"run-{run.run_id}", body=json.dumps(body), sent_at=datetime.now(UTC))
        try:
            channel.deliver(parcel)
        except NotDelivered as error:
            raise dg.Failure(description=f"the failure of run {run.run_id} could not be told: {error}") from error
        context.log.info("told to %s", channel.name)

    return run_failures


def _reasons(context: dg.RunFailureSensorContext) -> list[str]:
    """The failed steps' own words, else Dagster's."""
    reasons = []
    for event in context.get_step_failure_events():
        said = event.step_failure_data.user_failure_data
        reasons.append((said.description if said else None) or event.message or f"{event.step_key} failed")
    return reasons or [context.failure_event.message or "it failed before its first step"]


def _channel(settings: Settings) -> Channel | None:
    alerts = settings.alerts
    if not alerts.run_failures:
        return None
    if alerts.webhook is not None:
        return WebhookChannel(alerts.webhook, os.environ, alerts.deadline_seconds)
    return CommandChannel(alerts.command, settings.queries, os.environ, alerts.deadline_seconds)
