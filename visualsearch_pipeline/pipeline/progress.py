"""How a long step tells the person who waits where it stands."""

from __future__ import annotations

import logging
import time
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

    def waiting(self, message: str, *, subject: str) -> None:
        """Say what is waited for, and for how long. What was said about the same subject before is out of date.

        It may be called every few seconds; what cannot be taken back is said seldom.
        """
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


class Seldom:
    """Keeps lines that would repeat themselves every few seconds down to one in a while.

    Args:
        every_seconds: how long a while is.
        clock: seconds that only grow.
    """

    def __init__(self, *, every_seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_seconds = every_seconds
        self._clock = clock
        self._told_at: dict[str, float] = {}

    def is_due(self, subject: str) -> bool:
        """Whether to say something about a subject now; if so, it counts as said."""
        now = self._clock()
        if now - self._told_at.get(subject, -self._every_seconds) < self._every_seconds:
            return False
        self._told_at[subject] = now
        return True


class LoggedProgress:
    """Progress as log lines: the default, and what a Dagster run shows.

    Args:
        logger: where the lines go; default: this module's logger.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(__name__)
        self._waits = Seldom()

    def task(self, description: str, *, total: int | None, unit: str = "items") -> AbstractContextManager[Task]:
        """Log how much there is to do."""
        return self._logged(description, total, unit)

    def note(self, message: str) -> None:
        """Log a message."""
        self._logger.info("%s", message)

    def waiting(self, message: str, *, subject: str) -> None:
        """Log it once in a while."""
        if self._waits.is_due(subject):
            self._logger.info("%s", message)

    @contextmanager
    def _logged(self, description: str, total: int | None, unit: str) -> Iterator[Task]:
        if total:
            self._logger.info("%s: %d %s", description, total, unit)
        yield _Silent()


class _Silent:
    def advance(self, amount: int = 1) -> None:
        pass
