"""From a Dagster step to the pipeline's functions and back: open, run, tell, fail in words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import dagster as dg

from visualsearch_pipeline.api import VisualSearchError
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.progress import LoggedProgress, Progress
from visualsearch_pipeline.settings import Settings
from visualsearch_pipeline.warehouse import WarehouseError


@dataclass(frozen=True)
class StepRunner:
    """Opens the pipeline for a step.

    Args:
        settings: the settings the definitions were built from.
        progress: where steps report instead of the run's log, for a terminal.
    """

    settings: Settings
    progress: Progress | None = None

    @contextmanager
    def open(self, context: dg.AssetExecutionContext, visual_search: VisualSearchResource) -> Iterator[Pipeline]:
        """The pipeline of this run.

        Raises:
            dagster.Failure: with a message for people, when what is raised within concerns the whole step.
        """
        try:
            with self.pipeline(visual_search, run_id=context.run.run_id, logger=context.log) as pipeline:
                yield pipeline
        except (PipelineError, LedgerError, WarehouseError, VisualSearchError) as error:
            # What was done before is committed item by item; a new run goes on from there.
            raise dg.Failure(description=str(error), allow_retries=False) from error

    def pipeline(
        self, visual_search: VisualSearchResource, *, run_id: str, logger: logging.Logger | None = None
    ) -> AbstractContextManager[Pipeline]:
        """The pipeline outside of a step, as in a sensor."""
        return Pipeline(
            self.settings,
            open_client=lambda on_call: visual_search.get_client(on_call=on_call),
            run_id=run_id,
            progress=self.progress or LoggedProgress(logger),
        )
