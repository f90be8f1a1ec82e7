# ruff: noqa: N818  names say what happened, as in `visualsearch_pipeline.api.errors`
"""What can stop a step. What fails on one item is kept in the ledger and stops nothing.

PipelineError
|- BudgetExceeded      the next call would pass a budget; it was not made
|- SourceProblem       the source as a whole cannot be read
|- StateProblem        the state folder or the archive cannot be written
|- ServiceRefuses      the service refuses every call: key, credits, permission
|- ServiceUnreachable  no connection to the service
"""

from __future__ import annotations


class PipelineError(Exception):
    """Base of what stops a step. The message says what was attempted and what to do."""


class BudgetExceeded(PipelineError):
    """The next call would spend more than the settings allow; it was not made.

    Attributes:
        budget: Which one, as the settings name it: `per_run_usd` or `per_day_usd`.
    """

    def __init__(self, message: str, *, budget: str) -> None:
        super().__init__(message)
        self.budget = budget


class SourceProblem(PipelineError):
    """The source as a whole cannot be read, so nothing is known about what is in it."""


class StateProblem(PipelineError):
    """A folder that a step writes to cannot be written. What was committed before stands."""


class ServiceRefuses(PipelineError):
    """The service refuses every call of this account; trying the next item would change nothing."""


class ServiceUnreachable(PipelineError):
    """The service cannot be reached at all; the items are left as they are."""
