"""How a long step tells the person who waits where it stands."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of work that moves forward."""

    def advance(self, amount: int = 1) -> None:
        """Say that `amount` more is done."""
        ...


class Progress(Protocol):
    """Where steps report to."""

    def task(self, description: str, *, total: int | None, unit: str = "items") -> AbstractContextManager[Task]:
        """Begin a piece of work; used as a context manager."""
        ...

    def note(self, message: str) -> None:
        """Say something once."""
        ...


def increments(task: Task) -> Callable[[int], None]:
    """Advance `task` by reports of how much is done in all, as transfers and hashing give them.

    A report smaller than the one before begins anew, as when a transfer is repeated.
    """
    done = 0

    def report(total: int) -> None:
        nonlocal done
        if total > done:
            task.advance(total - done)
        done = total

    return report


class LoggedProgress:
    """Progress as log lines: the default, and what a Dagster run shows.

    Args:
        logger: where the lines go; default: this module's logger.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(__name__)

    def task(self, description: str, *, total: int | None, unit: str = "items") -> AbstractContextManager[Task]:
        """Log how much there is to do."""
        return self._logged(description, total, unit)

    def note(self, message: str) -> None:
        """Log a message."""
        self._logger.info("%s", message)

    @contextmanager
    def _logged(self, description: str, total: int | None, unit: str) -> Iterator[Task]:
        if total:
            self._logger.info("%s: %d %s", description, total, unit)
        yield _Silent()


class _Silent:
    def advance(self, amount: int = 1) -> None:
        pass
