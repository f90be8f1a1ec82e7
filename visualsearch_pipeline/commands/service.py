"""The service as the settings describe it, for commands that run no Dagster step."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from visualsearch_pipeline.settings import read_api_key
from visualsearch_pipeline.terminal import TerminalProgress

if TYPE_CHECKING:
    from rich.console import Console

    from visualsearch_pipeline.api import Scope, VisualSearchClient
    from visualsearch_pipeline.pipeline.pipeline import Pipeline
    from visualsearch_pipeline.pipeline.scope_check import OpenClient
    from visualsearch_pipeline.settings import Settings

_RETRY_SECONDS: Final = 5.0


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


def client_opener(settings: Settings) -> OpenClient:
    """Opens clients for any scope of the account, which give up soon: to look whether the settings are right.

    Raises:
        SettingsError: there is no API key.
    """
    from visualsearch_pipeline.orchestration import VisualSearchResource

    resource = VisualSearchResource.from_settings(settings)
    update: dict[str, object] = {
        "api_key": read_api_key(),
        "retry_seconds": min(resource.retry_seconds, _RETRY_SECONDS),
    }

    def open_client(scope: Scope) -> VisualSearchClient:
        from visualsearch_pipeline.api import FolderScope

        where: dict[str, object] = (
            {"folder_id": scope.folder_id, "unique_id": None}
            if isinstance(scope, FolderScope)
            else {"folder_id": None, "unique_id": scope.unique_id}
        )
        return resource.model_copy(update=update | where).get_client()

    return open_client
