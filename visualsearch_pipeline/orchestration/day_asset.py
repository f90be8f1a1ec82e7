"""The frame of every asset that is partitioned by day: open the pipeline, run the step, judge the days, tell the UI.

An asset of this package is a spec, a function that does the work of some days, and a few words about how it runs:

    def _archive(step: DayStep[MaxItems]) -> StepOutcome:
        report = archive(step.pipeline, days=step.days)
        return StepOutcome(metadata=counts_of(report), left=...)

    day_asset(runner, spec, _archive, config=MaxItems, backfill_policy=IN_PIECES, failure_steps=("archive",))

**When a day is bad.** After the step has done all it can for all its days, a day with an unresolved failure of the
step's own (a file that cannot be uploaded, a download that is not whole) is bad. Good days are materialized, each with
its own event; then the step fails and names the bad days with their items and reasons, so that Dagster's "failed and
missing only" runs just those again. Work that is merely left over, because the step's time is up or the service is not
done, makes no day bad: the check `all_items_terminal` warns, and the sensors ask for the rest.
"""

# Annotations are not deferred in this module: Dagster reads those of the functions it decorates.

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Generic, TypeVar, cast

import dagster as dg

from visualsearch_pipeline.ledger import Failure
from visualsearch_pipeline.orchestration import checks
from visualsearch_pipeline.orchestration.bill import bill_metadata, bill_since
from visualsearch_pipeline.orchestration.metadata import FAILED_ITEMS, Metadata, failed_items, failures_by_day
from visualsearch_pipeline.orchestration.partitions import daily_partitions, days_of
from visualsearch_pipeline.orchestration.run_config import DayConfig
from visualsearch_pipeline.orchestration.steps import StepEvent, StepRunner
from visualsearch_pipeline.pipeline.pipeline import Pipeline

AT_ONCE: Final = dg.BackfillPolicy.single_run()
"""For steps that cost little: a backfill is one run."""

IN_PIECES: Final = dg.BackfillPolicy.multi_run(max_partitions_per_run=7)
"""For transfers, which the service lets through one by one: a backfill is a run per week, each with its own outcome."""

ASKED_TOGETHER: Final = dg.BackfillPolicy.multi_run(max_partitions_per_run=366)
"""For searches, where many days cost no more calls than one: a backfill of up to a year is one run.

That it differs from the other two is of use: Dagster runs assets of one policy together, and a bad day upstream would
stop what follows for every day of the range. With another policy what follows has a run of its own, over the good days
(`_should_backfill...` in `dagster/_core/execution/asset_backfill.py`: "different backfill policies").
"""

BAD_DAYS: Final = "bad_days"
"""In a failure's metadata: the days that were not materialized. Their items failed, and the step as such did not."""

ConfigT = TypeVar("ConfigT", bound=DayConfig)


@dataclass(frozen=True)
class DayStep(Generic[ConfigT]):
    """What a step's function is given.

    Attributes:
        pipeline: The pipeline of this run, opened.
        days: The partitions of this run, oldest first.
        config: What the launchpad or the backfill dialog was told.
    """

    pipeline: Pipeline
    days: tuple[date, ...]
    config: ConfigT


@dataclass(frozen=True)
class StepOutcome:
    """What a step's function gives back.

    Attributes:
        metadata: What holds for the run as a whole, such as counts.
        by_day: What each day has, such as its row count. Days left out have nothing of their own.
        left: How many items of these days are neither done nor failed.
        failures: Failures besides those that the ledger keeps under the asset's `failure_steps`.
        warnings: What is shown with them, and makes no day bad.
        check_results: The judgement of the asset's own checks.
    """

    metadata: Metadata = field(default_factory=dict)
    by_day: Mapping[date, Metadata] = field(default_factory=dict)
    left: int = 0
    failures: Sequence[Failure] = ()
    warnings: Sequence[Failure] = ()
    check_results: Sequence[dg.AssetCheckResult] = ()


def day_asset(
    runner: StepRunner,
    spec: dg.AssetSpec,
    step: Callable[[DayStep[ConfigT]], StepOutcome],
    *,
    config: type[ConfigT],
    backfill_policy: dg.BackfillPolicy = AT_ONCE,
    pool: str | None = None,
    is_exclusive: bool = False,
    check_specs: Sequence[dg.AssetCheckSpec] = (),
    failure_steps: Sequence[str] = (),
) -> dg.AssetsDefinition:
    """An asset with a partition per day.

    Args:
        runner: opens the pipeline.
        spec: key, dependencies, description and so on.
        step: does the work of some days; called once per run. What it raises of the package's own errors fails the run
            with its message.
        config: what a person may choose for a run; a subclass of `DayConfig`.
        backfill_policy: how many days a backfill puts into a run.
        pool: runs that use it wait for each other.
        is_exclusive: one run at a time does the work, whoever asked for it: what is paid for item by item, and has no
            lease, must not be paid for twice. Pools hold back only what the daemon starts.
        check_specs: the asset's checks besides `all_items_terminal`. A blocking one that fails as an error
            materializes nothing.
        failure_steps: under which steps the ledger keeps what fails here. An unresolved one makes its day bad.
    """
    key = spec.key
    all_checks = [checks.all_items_terminal(key), *check_specs]

    # As a value, since type checkers know no annotation that is an argument.
    config_class: Any = config

    @dg.multi_asset(
        name=op_name(key),
        specs=[spec],
        partitions_def=daily_partitions(runner.settings),
        backfill_policy=backfill_policy,
        check_specs=all_checks,
        pool=pool,
        required_resource_keys={runner.resource_key},
    )
    def compute(context: dg.AssetExecutionContext, config: config_class) -> Iterator[dg.MaterializeResult[object]]:
        # Check results come too; Dagster takes no union of the two where an op has several outputs.
        yield from cast("Iterator[dg.MaterializeResult[object]]", runner.run(context, events(context, config)))

    def events(context: dg.AssetExecutionContext, config: ConfigT) -> Iterator[StepEvent]:
        days = days_of(context.partition_keys)
        with runner.open(context, step_seconds=config.step_seconds) as pipeline:
            began_at = pipeline.now()
            with pipeline.locked(f"step-{op_name(key)}") if is_exclusive else nullcontext():
                outcome = step(DayStep(pipeline, days, config))
            failures = _of_days([*_unresolved(pipeline, failure_steps), *outcome.failures], days)
            bill = bill_since(pipeline, began_at)
        bad = failures_by_day(failures, days=days)
        shown = [*failures, *_of_days(outcome.warnings, days)]
        results = [
            checks.judge_all_items_terminal(key, failed=shown, left=outcome.left),
            *outcome.check_results,
        ]
        # What went wrong comes first: the UI shows the top of a long list.
        metadata = {
            **failed_items(shown),
            "left": dg.MetadataValue.int(outcome.left),
            **outcome.metadata,
            **bill_metadata(bill),
        }
        blocked = [result for result in results if _blocks(result, all_checks)]
        if not bad and not blocked:
            for day, of_day in outcome.by_day.items():
                context.add_asset_metadata(of_day, asset_key=key, partition_key=day.isoformat())
            yield dg.MaterializeResult(asset_key=key, metadata=metadata, check_results=results)
            return
        good_days = [] if blocked else [day for day in days if day not in bad]
        for day in good_days:
            # Not a result: that would be an event for every day of the run. What failed on other days is not its own.
            of_day = {name: value for name, value in metadata.items() if name != FAILED_ITEMS}
            of_day |= failed_items(_of_days(outcome.warnings, [day])) | outcome.by_day.get(day, {})
            context.log_event(dg.AssetMaterialization(key, partition=day.isoformat(), metadata=of_day))
        yield from results
        raise _failure(key, days, bad, blocked, metadata=metadata)

    return compute


def op_name(key: dg.AssetKey) -> str:
    """The name of an asset's op, as run config calls it: unique in a project, as the key is."""
    return "__".join(key.path)


def _unresolved(pipeline: Pipeline, steps: Sequence[str]) -> list[Failure]:
    return [failure for step in steps for failure in pipeline.ledger.failures.unresolved(step=step)]


def _of_days(failures: Sequence[Failure], days: Sequence[date]) -> list[Failure]:
    wanted = {*days, None}
    return [failure for failure in failures if failure.day in wanted]


def _blocks(result: dg.AssetCheckResult, specs: Sequence[dg.AssetCheckSpec]) -> bool:
    blocking = {spec.name for spec in specs if spec.blocking}
    return not result.passed and result.severity is dg.AssetCheckSeverity.ERROR and result.check_name in blocking


def _failure(
    key: dg.AssetKey,
    days: Sequence[date],
    bad: Mapping[date, Sequence[Failure]],
    blocked: Sequence[dg.AssetCheckResult],
    *,
    metadata: Metadata,
) -> dg.Failure:
    """What the run says when it fails: which days, how many items, and what to do."""
    name = key.to_user_string()
    if blocked:
        names = ", ".join(f"`{result.check_name}`" for result in blocked)
        return dg.Failure(
            description=f"{name}: nothing is materialized, since {names} does not hold; see the check's own metadata.",
            metadata=metadata,
            allow_retries=False,
        )
    worst = [
        f"{day} ({len(failures)} failed: {failures[0].subject}: {failures[0].reason})" for day, failures in bad.items()
    ]
    shown = "; ".join(worst[:_DAYS_NAMED])
    more = f"; and {len(worst) - _DAYS_NAMED} more" if len(worst) > _DAYS_NAMED else ""
    return dg.Failure(
        description=(
            f"{name}: {len(bad)} of {len(days)} days not materialized: {shown}{more}. Everything else of these days is "
            "done, and stays done. Mend what `failed_items` lists, then materialize `failed and missing` only."
        ),
        metadata={**metadata, BAD_DAYS: dg.MetadataValue.json([day.isoformat() for day in bad])},
        allow_retries=False,
    )


_DAYS_NAMED: Final = 5
