"""A schedule for each query set that has one in its file: `schedule:` says when the set is asked.

Sensors, conditions and the daily schedule leave such a set alone (`PendingWork.unscheduled`), so that it is asked when
its file says and at no other time. Archive and tables follow by their conditions, or with the daily schedule;
`visualsearch run` asks every set, since a person asked for that.
"""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Iterable

import dagster as dg

from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.partitions import contiguous
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG, days_under_way, partition_tags
from visualsearch_pipeline.orchestration.steps import StepRunner
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pending import pending_work
from visualsearch_pipeline.queries import BrokenQuerySet, QuerySet
from visualsearch_pipeline.queries.schedules import QuerySchedule


def query_set_schedules(
    runner: StepRunner, keys: AssetKeys, query_sets: Iterable[QuerySet | BrokenQuerySet]
) -> list[dg.ScheduleDefinition]:
    """The schedules of the sets that have one, on by default: whoever writes one into a file wants it kept.

    A change of it counts once the definitions are loaded again.
    """
    return [
        _schedule(runner, keys, query_set.name, query_set.schedule)
        for query_set in query_sets
        if isinstance(query_set, QuerySet) and query_set.schedule is not None
    ]


def _schedule(runner: StepRunner, keys: AssetKeys, query_set: str, when: QuerySchedule) -> dg.ScheduleDefinition:
    key = keys.hits(query_set)

    @dg.schedule(
        name=keys.name(f"{query_set}_schedule"),
        cron_schedule=when.cron,
        execution_timezone=when.timezone,
        target=dg.AssetSelection.assets(key),
        required_resource_keys={runner.resource_key},
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Asks the query set {query_set} about the days with something left to ask, as its file says.",
    )
    def ask(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        try:
            with runner.pipeline(runner.api_of(context.resources), run_id=f"schedule:{query_set}") as pipeline:
                pending = pending_work(pipeline).hits.get(query_set, ())
        except (PipelineError, LedgerError) as error:
            raise dg.Failure(description=str(error)) from error
        busy = days_under_way(context.instance, [key]) if pending else frozenset()
        days = [day for day in pending if day not in busy]
        if not days:
            return dg.SkipReason(f"{len(pending)} days with something to ask, {len(busy)} being asked already")
        scheduled = context.scheduled_execution_time.isoformat()
        return [
            dg.RunRequest(
                run_key=f"{query_set}:{scheduled}:{stretch.first}",
                tags={**partition_tags(stretch), REASON_TAG: f"schedule of {query_set}"},
            )
            for stretch in contiguous(days)
        ]

    return ask
