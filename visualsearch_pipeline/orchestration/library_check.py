"""Once a day the library is compared with the ledger, so that a video deleted behind our back is noticed."""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

import dagster as dg

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.agreement import agree
from visualsearch_pipeline.pipeline.errors import PipelineError


def library_check_schedule(runner: StepRunner, keys: AssetKeys) -> dg.ScheduleDefinition:
    """The schedule `library_check`: at 04:00 UTC, one run of the job that compares library and ledger.

    Listing a large library takes minutes under the rate limit: a job has them, a sensor has not. It changes nothing but
    what the ledger says of our own videos; `visualsearch reconcile` shows the same, and mends it on request.
    """
    name = keys.name("library_check")

    @dg.op(
        name=f"{name}_compare",
        required_resource_keys={runner.resource_key},
        description="Lists the library and compares it with the ledger. Costs nothing.",
    )
    def compare(context: dg.OpExecutionContext) -> None:
        try:
            api = runner.api_of(context.resources)
            with runner.pipeline(api, run_id=context.run_id, logger=context.log) as pipeline:
                report = agree(pipeline)
        except (PipelineError, LedgerError, VisualSearchError) as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        counts = {kind.value: dg.MetadataValue.int(count) for kind, count in report.counts.items()}
        context.add_output_metadata(
            {"listed": dg.MetadataValue.int(report.listed), "ours": dg.MetadataValue.int(report.ours), **counts}
        )
        for finding in report.left:
            context.log.warning("%s %s %s: %s", finding.kind.value, finding.video_no, finding.name, finding.detail)

    @dg.job(
        name=name,
        description="Compares library and ledger: missing, unknown, twice, failed or stuck.",
        executor_def=dg.in_process_executor,
    )
    def library_check() -> None:
        compare()

    return dg.ScheduleDefinition(
        name=name,
        cron_schedule="0 4 * * *",
        execution_timezone="UTC",
        job=library_check,
        tags={REASON_TAG: "daily comparison"},
        description="Once a day, notices what was deleted from the library or sent to it twice.",
    )
