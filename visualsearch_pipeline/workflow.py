"""What `visualsearch run` and `visualsearch status` do behind their options."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from rich.console import Console

from visualsearch_pipeline.api import FolderScope, UniqueIdScope, VisualSearchClient, VisualSearchError
from visualsearch_pipeline.ledger import LedgerError
from visualsearch_pipeline.media import MediaError
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.progress import Progress
from visualsearch_pipeline.pipeline.scope_check import check_scope
from visualsearch_pipeline.pipeline.status import Status, read_status
from visualsearch_pipeline.report.errors import ReportError
from visualsearch_pipeline.terminal import TerminalProgress
from visualsearch_pipeline.warehouse import WarehouseError

if TYPE_CHECKING:
    from visualsearch_pipeline.api import OnCall
    from visualsearch_pipeline.settings import Settings

EXPECTED_ERRORS: Final = (LedgerError, MediaError, PipelineError, ReportError, VisualSearchError, WarehouseError)
"""Errors of the layers below Dagster that people can do something about; their messages say what."""


def run_pending(settings: Settings, *, console: Console, wait: bool, timeout_seconds: float | None) -> Status:
    """Do what is pending, with progress on `console`. Raises as `PendingRunner.run`."""
    # Late, because it brings in Dagster: asking for the status shall not wait for that.
    from visualsearch_pipeline.orchestration.execution import PendingRunner, command_line_instance

    with command_line_instance(settings) as instance, _beside_dagster(console) as own_console:
        progress = TerminalProgress(own_console)
        runner = PendingRunner(
            settings, instance, progress, before_first_upload=partial(_tell_of_a_wrong_scope, settings, progress)
        )
        return runner.run(wait=wait, timeout_seconds=timeout_seconds)


def current_status(settings: Settings) -> Status:
    """Where everything stands; makes no call, and needs no key.

    Raises:
        LedgerError: the ledger cannot be opened.
    """
    with Pipeline(settings, open_client=_no_client, run_id="status") as pipeline:
        return read_status(pipeline)


def _tell_of_a_wrong_scope(settings: Settings, progress: Progress) -> None:
    """Before the first upload of a project, say if the account's videos lie in another scope: sending costs money.

    It says so and goes on, since a new namespace is a fine thing to begin with.
    """
    from visualsearch_pipeline.commands.service import client_opener

    wanted = settings.api.scope
    scope = FolderScope(wanted.folder_id) if wanted.folder_id is not None else UniqueIdScope(wanted.unique_id or "")
    try:
        report = check_scope(scope, open_client=client_opener(settings))
    except VisualSearchError:
        return  # Whatever is wrong with the service, the run tells.
    if report.looks_wrong:
        progress.note(f"{report} `visualsearch doctor` tells more.")


@contextmanager
def _beside_dagster(console: Console) -> Iterator[Console]:
    """A console that writes where `console` does now.

    While a step runs, Dagster points the process's standard error to a pipe that it copies into the run's log. What
    goes through it is on no terminal, and a progress bar has no place in a log.
    """
    try:
        descriptor = os.dup(console.file.fileno())
    except io.UnsupportedOperation:
        yield console
        return
    with os.fdopen(descriptor, "w", encoding=console.encoding, errors="replace") as file:
        yield Console(file=file)


def _no_client(_: OnCall) -> VisualSearchClient:
    raise AssertionError("the status is read from the ledger alone")
