"""The net under the sensors: once a day, everything that is pending is asked for again."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Sequence

import dagster as dg

from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.orchestration.sensors import REASON_TAG
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pending import pending_work


def daily_schedule(runner: StepRunner, keys: AssetKeys, *, hits: Sequence[dg.AssetKey]) -> dg.ScheduleDefinition:
    """The schedule `daily`: at 03:00 UTC, one run per day with anything left to do."""
    selection = dg.AssetSelection.assets(
        keys.media,
        keys.uploads,
        keys.videos,
        keys.transcripts,
        keys.captions,
        keys.archive,
        keys.warehouse,
        *hits,
    )

    @dg.schedule(
        name="_".join([*keys.prefix, "daily"]),
        cron_schedule="0 3 * * *",
        execution_timezone="UTC",
        target=selection,
        description="Once a day, one run for each day with anything left to do, whatever the sensors did.",
    )
    def daily(
        context: dg.ScheduleEvaluationContext, visual_search: VisualSearchResource
    ) -> list[dg.RunRequest] | dg.SkipReason:
        try:
            with runner.pipeline(visual_search, run_id="schedule:daily") as pipeline:
                look_at_source(pipeline)
                days = pending_work(pipeline).to_do
        except (PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error)) from error
        if not days:
            return dg.SkipReason("nothing is left to do")
        scheduled = context.scheduled_execution_time.date().isoformat()
        return [
            dg.RunRequest(
                run_key=f"daily:{scheduled}:{day.isoformat()}",
                partition_key=day.isoformat(),
                tags={REASON_TAG: "daily schedule"},
            )
            for day in days
        ]

    return daily
