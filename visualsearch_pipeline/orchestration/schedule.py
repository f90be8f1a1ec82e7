"""The net under the sensors: once a day, everything that is pending is done, whatever the sensors did."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

import dagster as dg

from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.pipeline.progress import LoggedProgress


def daily_schedule(runner: StepRunner, keys: AssetKeys) -> dg.ScheduleDefinition:
    """The schedule `daily`: at 03:00 UTC, one run of a job that does what `visualsearch run` does.

    The job materializes the pending days step by step, each step in a run of its own that shows like any other. So a
    bad day stops nothing but itself, and a step sees what the one before it has just done; a single run over all
    assets would end at the first bad item, and runs asked for side by side would not wait for each other.
    """
    name = keys.name("daily")

    @dg.op(name=f"{name}_pending_work", description="Materializes what is pending, step by step. Does not wait.")
    def do_pending_work(context: dg.OpExecutionContext) -> None:
        # The runner builds the definitions, which contain this schedule.
        from visualsearch_pipeline.orchestration.execution import PendingRunner, RunFailed

        pending = PendingRunner(
            runner.settings,
            context.instance,
            LoggedProgress(context.log),
            keys=keys,
            reason="daily schedule",
            execute=runner.execute,
            leaves_scheduled_sets=True,
        )
        try:
            status = pending.run(wait=False)
        except (RunFailed, PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        context.add_output_metadata(
            {
                "days_left": dg.MetadataValue.int(len(status.pending.to_do)),
                "waiting": dg.MetadataValue.int(status.waiting),
                "failed": dg.MetadataValue.int(len(status.failures)),
                "spent_usd": dg.MetadataValue.float(round(status.spent_usd, 6)),
            }
        )

    @dg.job(
        name=name,
        description="Does everything that is pending, as `visualsearch run` does.",
        executor_def=dg.in_process_executor,
    )
    def daily_job() -> None:
        do_pending_work()

    @dg.schedule(
        name=name,
        cron_schedule="0 3 * * *",
        execution_timezone="UTC",
        job=daily_job,
        required_resource_keys={runner.resource_key},
        description="Once a day, does everything that is pending, whatever the sensors did.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id="schedule:daily") as pipeline:
                look_at_source(pipeline)
                days = pending_work(pipeline).unscheduled.to_do
        except (PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error)) from error
        if not days:
            return dg.SkipReason("nothing is left to do")
        scheduled = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(
            run_key=f"daily:{scheduled}", tags={REASON_TAG: f"daily schedule: {len(days)} days with work"}
        )

    return daily
