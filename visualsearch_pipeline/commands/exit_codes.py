"""The exit codes, and the sentence about them below every command's help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from visualsearch_pipeline.pipeline.status import Status

ALL_DONE: Final = 0
ERROR: Final = 1
USAGE: Final = 2
DONE_WITH_FAILURES: Final = 3
STILL_PENDING: Final = 4
STOPPED_BY_BUDGET: Final = 5
INTERRUPTED: Final = 130
OUTPUT_CLOSED: Final = 141

EXIT_CODES: Final = (
    "Exit codes: 0 all done, 1 error, 2 usage or settings, 3 done with failed items, 4 still pending, "
    "5 stopped by the budget."
)
PLAIN_EXIT_CODES: Final = "Exit codes: 0 done, 1 error, 2 usage or settings."


def exit_code(status: Status) -> int:
    """The exit code that says how things stand."""
    if status.budget_stops:
        return STOPPED_BY_BUDGET
    if not status.is_done:
        return STILL_PENDING
    return DONE_WITH_FAILURES if status.has_failures else ALL_DONE
