"""What a person decides about an import whose fate is open, or that was refused or is stuck."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal, TypeAlias

from visualsearch_pipeline.ledger import ImportState, ImportTask
from visualsearch_pipeline.pipeline.errors import PipelineError
from visualsearch_pipeline.pipeline.imports import operation_of
from visualsearch_pipeline.pipeline.pipeline import Pipeline

Decision: TypeAlias = Literal["again", "drop"]

_OPEN_TO_DECISIONS: Final = (ImportState.UNDECIDED, ImportState.REFUSED, ImportState.STUCK)


class UndecidableImport(PipelineError):  # noqa: N818  says what it is, as in `pipeline/errors.py`
    """There is no such import, or nothing about it to decide."""


def follow_task(pipeline: Pipeline, entry_id: str, day: date, *, task_id: str) -> ImportTask:
    """Take a task of the service's, found in its console, for the import's, and follow it from now on.

    It is billed: that it runs says that the call took effect.

    Raises:
        UndecidableImport: there is nothing to decide about this import.
    """
    task = _decidable(pipeline, entry_id, day)
    _decide(pipeline, task, state=ImportState.RUNNING, task_id=task_id.strip())
    if task.state is ImportState.UNDECIDED:
        pipeline.spending.bill_found_call(
            operation_of(task.kind, library=task.library),
            item=task.subject,
            cost_usd=task.estimated_usd,
            at=task.intended_at or pipeline.now(),
        )
    return pipeline.ledger.imports.get(entry_id, day)


def decide(pipeline: Pipeline, entry_id: str, day: date, decision: Decision) -> ImportTask:
    """Start an import again, though it may run already and then is paid for twice; or give it up.

    Raises:
        UndecidableImport: there is nothing to decide about this import.
    """
    task = _decidable(pipeline, entry_id, day)
    _decide(pipeline, task, state=ImportState.PENDING if decision == "again" else ImportState.REFUSED)
    return pipeline.ledger.imports.get(entry_id, day)


def _decidable(pipeline: Pipeline, entry_id: str, day: date) -> ImportTask:
    try:
        task = pipeline.ledger.imports.get(entry_id, day)
    except KeyError:
        raise UndecidableImport(
            f"there is no import {entry_id!r} of {day}; `visualsearch imports list` shows those that there are"
        ) from None
    if task.state not in _OPEN_TO_DECISIONS:
        raise UndecidableImport(f"the import {entry_id!r} of {day} is {task.state.value}: there is nothing to decide")
    return task


def _decide(pipeline: Pipeline, task: ImportTask, *, state: ImportState, task_id: str | None = None) -> None:
    if not pipeline.ledger.imports.decide(task, state=state, task_id=task_id, at=pipeline.now()):
        raise UndecidableImport(f"the import {task.subject} has changed meanwhile; look again and decide again")
