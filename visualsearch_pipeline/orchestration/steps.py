"""From a Dagster step to the pipeline's functions and back: open, run, tell, fail in words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

import dagster as dg

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.pipeline.errors import BudgetExceeded, PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.progress import LoggedProgress, Progress
from visualsearch_pipeline.pipeline.spending import BUDGET_STEP
from visualsearch_pipeline.pipeline.waits import Waits
from visualsearch_pipeline.settings import Settings, SettingsError
from visualsearch_pipeline.warehouse import WarehouseError

STOPPED_BY_BUDGET: Final = "stopped_by_budget"
"""In a failure's metadata: the name of the budget that refused a call."""


StepEvent: TypeAlias = dg.MaterializeResult[object] | dg.AssetCheckResult
"""What a step tells Dagster."""


class ExecuteStep(Protocol):
    """What is done around a step, such as `VisualSearchComponent.execute`."""

    def __call__(self, context: dg.AssetExecutionContext, step: Iterator[StepEvent]) -> Iterator[StepEvent]:
        """Iterate over the step, which does its work, and pass its events on."""
        ...


@dataclass(frozen=True)
class StepRunner:
    """Opens the pipeline for a step.

    Args:
        settings: the settings the definitions were built from.
        progress: where steps report instead of the run's log, for a terminal.
        budget_run_ids: with `shares_budget`, the runs so far.
        shares_budget: whether all runs that are opened here share `budget.per_run_usd`, as those of one command do.
        resource_key: under which key the code location has the API.
        execute: is done around each step instead of the step alone.
    """

    settings: Settings
    progress: Progress | None = None
    shares_budget: bool = False
    budget_run_ids: set[str] = field(default_factory=set)
    resource_key: str = "visual_search"
    execute: ExecuteStep | None = None

    def run(self, context: dg.AssetExecutionContext, step: Iterator[StepEvent]) -> Iterator[StepEvent]:
        """The events of a step, with what a user wants done around it."""
        return step if self.execute is None else self.execute(context, step)

    def api_of(self, resources: object) -> VisualSearchResource:
        """The API among a context's resources, which must ask for `resource_key`."""
        resource = getattr(resources, self.resource_key)
        if not isinstance(resource, VisualSearchResource):
            raise dg.DagsterInvalidDefinitionError(
                f"the resource {self.resource_key!r} must be a VisualSearchResource, not {type(resource).__name__}"
            )
        return resource

    @contextmanager
    def open(self, context: dg.AssetExecutionContext, *, step_seconds: float | None = None) -> Iterator[Pipeline]:
        """The pipeline of this run, with a time box of its own if given.

        Raises:
            dagster.Failure: with a message for people, when what is raised within concerns the whole step.
        """
        try:
            with (
                self.pipeline(
                    self.api_of(context.resources),
                    run_id=context.run.run_id,
                    logger=context.log,
                    step_seconds=step_seconds,
                ) as pipeline,
                _budget_stops_kept(pipeline, asset=_asset_of(context)),
            ):
                yield pipeline
        except (PipelineError, LedgerError, SettingsError, WarehouseError, VisualSearchError) as error:
            # What was done before is committed item by item; a new run goes on from there.
            raise dg.Failure(description=str(error), allow_retries=False) from error

    def pipeline(
        self,
        visual_search: VisualSearchResource,
        *,
        run_id: str,
        logger: logging.Logger | None = None,
        step_seconds: float | None = None,
    ) -> AbstractContextManager[Pipeline]:
        """The pipeline outside of a step, as in a sensor."""
        settings = (
            self.settings if step_seconds is None else self.settings.model_copy(update={"step_seconds": step_seconds})
        )
        progress = self.progress or LoggedProgress(logger)
        waits = Waits(progress)
        if self.shares_budget:
            self.budget_run_ids.add(run_id)
        return Pipeline(
            settings,
            open_client=lambda on_call: visual_search.get_client(on_call=on_call, on_wait=waits.tell),
            run_id=run_id,
            budget_run_ids=self.budget_run_ids if self.shares_budget else None,
            progress=progress,
            waits=waits,
        )


def _asset_of(context: dg.AssetExecutionContext) -> str:
    return "/".join(next(iter(context.selected_asset_keys)).path)


@contextmanager
def _budget_stops_kept(pipeline: Pipeline, *, asset: str) -> Iterator[None]:
    """Keep in the ledger that a budget stopped a step, and forget it once the step gets calls through again."""
    try:
        yield
    except BudgetExceeded as error:
        pipeline.ledger.failures.record(
            BUDGET_STEP, subject=asset, day=None, reason=str(error), retryable=True, at=pipeline.now()
        )
        raise dg.Failure(
            description=f"stopped by the budget: {error}",
            metadata={STOPPED_BY_BUDGET: dg.MetadataValue.text(f"budget.{error.budget}")},
            allow_retries=False,
        ) from error
    if pipeline.spending.has_admitted:
        pipeline.ledger.failures.resolve(subject=asset, at=pipeline.now(), steps=(BUDGET_STEP,))
