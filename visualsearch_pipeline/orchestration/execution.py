"""Running what is pending through Dagster in this process: what `visualsearch run` does.

A pass materializes, in this order, the days with media to look into or to send, the days with videos being indexed, the
days with videos to ask about, and the published tables. Each day range is one Dagster run, recorded like any other.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import dagster as dg

from visualsearch_pipeline.ledger.schema import videos
from visualsearch_pipeline.orchestration.build import build_visual_search_defs
from visualsearch_pipeline.orchestration.day_asset import BAD_DAYS, op_name
from visualsearch_pipeline.orchestration.keys import AssetKeys
from visualsearch_pipeline.orchestration.partitions import contiguous
from visualsearch_pipeline.orchestration.resource import VisualSearchResource
from visualsearch_pipeline.orchestration.run_tags import COMMAND_LINE, HOST_TAG, REASON_TAG, partition_tags
from visualsearch_pipeline.orchestration.steps import STOPPED_BY_BUDGET, ExecuteStep, StepRunner
from visualsearch_pipeline.pipeline.image_source import look_at_images
from visualsearch_pipeline.pipeline.ingest import look_at_source
from visualsearch_pipeline.pipeline.pending import PendingWork, pending_work
from visualsearch_pipeline.pipeline.pipeline import Pipeline
from visualsearch_pipeline.pipeline.progress import Progress
from visualsearch_pipeline.pipeline.status import Status, read_status
from visualsearch_pipeline.settings import Settings, read_api_key, read_callback_url

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_PAUSE_GROWTH: Final = 1.5
_FRUITLESS_PASSES: Final = 3
"""How often what fails is tried again when nothing else moves, before it counts as failed."""


class RunFailed(Exception):  # noqa: N818  says what happened, as in `visualsearch_pipeline.api.errors`
    """A Dagster run failed as a whole. The message is the failed step's own."""


@dataclass(frozen=True)
class PendingRunner:
    """Runs everything pending of one pipeline.

    Args:
        settings: the settings.
        instance: the Dagster instance that records the runs.
        progress: where steps report.
        keys: the names of the assets, where they have a prefix.
        reason: why the runs exist, for their tag.
        execute: is done around each step instead of the step alone.
        before_first_upload: called before a project sends anything for the first time.
        leaves_scheduled_sets: whether query sets with a schedule of their own are left to it.
    """

    settings: Settings
    instance: dg.DagsterInstance
    progress: Progress
    keys: AssetKeys = field(default_factory=AssetKeys)
    reason: str = COMMAND_LINE
    execute: ExecuteStep | None = None
    leaves_scheduled_sets: bool = False
    before_first_upload: Callable[[], None] | None = None

    def run(self, *, wait: bool, timeout_seconds: float | None = None) -> Status:
        """Do what is pending, once, or until nothing is left to do or to wait for.

        Args:
            wait: go on until everything is indexed, searched, archived and published.
            timeout_seconds: with `wait`, when to stop waiting; None never does.

        Raises:
            SettingsError: there is no API key.
            RunFailed: a run failed as a whole.
            PipelineError: the source cannot be listed.
            LedgerError: the ledger cannot be opened.

        What a budget stops is left queued, all that fits is done, and the tables are published: see
        `Status.budget_stops`. The whole command counts as one run.
        """
        read_api_key()
        read_callback_url(self.settings)
        work = _Command(StepRunner(self.settings, self.progress, shares_budget=True, execute=self.execute))
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = _FIRST_PAUSE_SECONDS
        fruitless = 0
        before: object = None
        while True:
            status = self._pass(work)
            after = _mark(status)
            moved = after != before
            before = after
            fruitless = 0 if moved else fruitless + 1
            enough = 1 if work.refused else _FRUITLESS_PASSES
            only_failures_left = not status.waiting and fruitless >= enough
            if not wait or status.is_done or only_failures_left:
                return status
            if until is not None and time.monotonic() + pause > until:
                return status
            pause = _FIRST_PAUSE_SECONDS if moved else min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
            if status.waiting:
                self.progress.note(f"waiting for {status.waiting} being written, sent or indexed")
            time.sleep(pause)

    def _pass(self, command: _Command) -> Status:
        definitions = build_visual_search_defs(self.settings, prefix=self.keys.prefix, runner=command.runner)
        keys = self.keys
        with self._pipeline() as pipeline:
            look_at_source(pipeline)
            look_at_images(pipeline)
            work = pending_work(pipeline)
        # A run per step: a bad day stops what follows in its run, and its good files are to go on.
        self._materialize(command, definitions, [keys.media], days=work.media)
        to_send = self._pending().uploads
        if to_send and self.before_first_upload is not None and self._has_sent_nothing():
            self.before_first_upload()
        self._materialize(command, definitions, [keys.uploads], days=to_send)
        self._materialize(command, definitions, [keys.imports], days=self._pending().imports)
        self._materialize(command, definitions, [keys.images], days=self._pending().images)
        self._materialize(command, definitions, [keys.videos], days=self._pending().videos)
        work = self._pending()
        results = [
            *(keys.hits(name) for name, days in work.hits.items() if days),
            *([keys.transcripts] if work.transcripts else []),
            *([keys.captions] if work.captions else []),
        ]
        self._materialize(command, definitions, results, days=sorted({*_asked_days(work)}))
        self._materialize(command, definitions, [keys.archive], days=self._pending().archive)
        self._materialize(command, definitions, [keys.warehouse], days=None)
        with self._pipeline() as pipeline:
            return read_status(pipeline)

    def _has_sent_nothing(self) -> bool:
        with self._pipeline() as pipeline:
            return not pipeline.ledger.count_by(videos.c.origin)

    def _pending(self) -> PendingWork:
        with self._pipeline() as pipeline:
            work = pending_work(pipeline)
        return work.unscheduled if self.leaves_scheduled_sets else work

    def _pipeline(self) -> AbstractContextManager[Pipeline]:
        runner = StepRunner(self.settings, self.progress)
        return runner.pipeline(VisualSearchResource.from_settings(self.settings), run_id="command line")

    def _materialize(
        self,
        command: _Command,
        definitions: dg.Definitions,
        selection: Sequence[dg.AssetKey],
        *,
        days: Sequence[date] | None,
    ) -> None:
        all_tags = [{}] if days is None else [partition_tags(days_together) for days_together in contiguous(days)]
        for tags in all_tags:
            allowed = [key for key in selection if key not in command.refused]
            if allowed:
                self._execute(command, definitions, allowed, tags=tags)

    def _execute(
        self,
        command: _Command,
        definitions: dg.Definitions,
        selection: Sequence[dg.AssetKey],
        *,
        tags: Mapping[str, str],
    ) -> None:
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=self.instance,
            asset_selection=list(selection),
            # Where its process is, for the run launcher to look whether it still is.
            tags={**tags, REASON_TAG: self.reason, HOST_TAG: socket.gethostname()},
            # The terminal shows the steps' progress; the run's own log is in the instance, for the UI.
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        if _was_interrupted(result):
            raise KeyboardInterrupt
        stopped = _stopped_by_budget(result)
        command.refused.update(key for key in selection if op_name(key) in stopped)
        failed = {str(event.step_key) for event in _failed(result)}
        only_items = _failed_on_items(result)
        if not result.success and (failed - stopped - only_items or not failed):
            raise RunFailed(_reason(result))


@dataclass(frozen=True)
class _Command:
    """What the passes of one command share.

    Attributes:
        runner: Opens the steps; all runs of a command are one run to `budget.per_run_usd`.
        refused: Assets that a budget stopped. They are not asked for again: nothing gets cheaper while we wait.
    """

    runner: StepRunner
    refused: set[dg.AssetKey] = field(default_factory=set)


def command_line_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that records the command line's runs: `DAGSTER_HOME` if it is set, else one in the state folder.

    The folder is made with this package's `dagster.yaml` if it has none, so that `dagster dev` with the same
    `DAGSTER_HOME` shows the runs.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or settings.state / "dagster")
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text((Path(__file__).parent / "dagster.yaml").read_text())
    return dg.DagsterInstance.from_config(str(home))


def _asked_days(work: PendingWork) -> set[date]:
    return {*work.transcripts, *work.captions, *(day for days in work.hits.values() for day in days)}


def _mark(status: Status) -> object:
    """What changes when a pass has moved anything."""
    return (
        status.items,
        status.uploads,
        status.urls,
        status.imports,
        status.videos,
        status.archive,
        status.images,
        status.image_pairs,
        status.public_answers,
        status.pairs_covered,
        status.transcripts,
        status.captions,
    )


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether Ctrl-C came while a step ran: Dagster keeps it to itself and lets the step fail."""
    name = dg.DagsterExecutionInterruptedError.__name__
    errors = [event.step_failure_data.error for event in _failed(result)]
    return any(error is not None and error.cls_name == name for error in errors)


def _failed(result: dg.ExecuteInProcessResult) -> list[dg.DagsterEvent]:
    return [event for event in result.all_events if event.is_step_failure]


def _stopped_by_budget(result: dg.ExecuteInProcessResult) -> set[str]:
    """The keys of the steps that a budget refused a call."""
    return {
        str(event.step_key)
        for event in _failed(result)
        if (said := event.step_failure_data.user_failure_data) and STOPPED_BY_BUDGET in said.metadata
    }


def _failed_on_items(result: dg.ExecuteInProcessResult) -> set[str]:
    """The keys of the steps that did their work and name days with failed items: those are in the status."""
    return {
        str(event.step_key)
        for event in _failed(result)
        if (said := event.step_failure_data.user_failure_data) and BAD_DAYS in said.metadata
    }


def _reason(result: dg.ExecuteInProcessResult) -> str:
    reasons = [_failure_message(event) for event in _failed(result)]
    return "\n".join(dict.fromkeys(reasons)) or "the run failed before its first step; see the Dagster UI"


def _failure_message(event: dg.DagsterEvent) -> str:
    """A step's own words, else what was raised in it: Dagster's message around that says only which step it was."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else str(event.message)
