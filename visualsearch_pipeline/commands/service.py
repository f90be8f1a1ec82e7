"""A pipeline with the client that the settings describe, for commands that run no Dagster step."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from visualsearch_pipeline.settings import read_api_key
from visualsearch_pipeline.terminal import TerminalProgress

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.pipeline.pipeline import Pipeline
    from visualsearch_pipeline.settings import Settings


def open_pipeline(settings: Settings, *, console: Console) -> AbstractContextManager[Pipeline]:
    """Open the pipeline, with progress and waits for the rate limit on `console`.

    Raises:
        SettingsError: there is no API key.
        LedgerError: the ledger cannot be opened.
    """
    from visualsearch_pipeline.orchestration import VisualSearchResource
    from visualsearch_pipeline.orchestration.steps import StepRunner

    # The key is given here: outside of a run nobody reads it from the environment for the resource.
    resource = VisualSearchResource.from_settings(settings).model_copy(update={"api_key": read_api_key()})
    return StepRunner(settings, TerminalProgress(console)).pipeline(resource, run_id="command line")
