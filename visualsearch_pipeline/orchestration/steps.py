"""From a Dagster step to the pipeline's functions and back: open, run, tell, fail in words."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import dagster as dg

from visualsearch_pipeline.api import OperationFamily, VisualSearchError
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.progress import LoggedProgress, Progress
from visualsearch_pipeline.settings import Settings
from visualsearch_pipeline.warehouse import WarehouseError

_TOLD_WAIT_SECONDS: Final = 3.0
_TOLD_EVERY_SECONDS: Final = 30.0


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
        progress = self.progress or LoggedProgress(logger)
        waits = _Waits(progress)
        return Pipeline(
            self.settings,
            open_client=lambda on_call: visual_search.get_client(on_call=on_call, on_wait=waits.tell),
            run_id=run_id,
            progress=progress,
        )


class _Waits:
    """Tells that the rate limit holds calls back, where it is long enough to wonder, and not all the time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._told_at: dict[OperationFamily, float] = {}

    def tell(self, family: OperationFamily, seconds: float) -> None:
        now = time.monotonic()
        if seconds < _TOLD_WAIT_SECONDS or now - self._told_at.get(family, -_TOLD_EVERY_SECONDS) < _TOLD_EVERY_SECONDS:
            return
        self._told_at[family] = now
        self._progress.note(f"the rate limit lets the next {family.value} call start in {seconds:.0f} s")
