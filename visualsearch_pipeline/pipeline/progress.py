"""How a long step tells the person who waits where it stands."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

logger = logging.getLogger(__name__)


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


class LoggedProgress:
    """Progress as log lines: the default, and what a Dagster run shows."""

    @contextmanager
    def _logged(self, description: str, total: int | None, unit: str) -> Iterator[Task]:
        if total:
            logger.info("%s: %d %s", description, total, unit)
        yield _Silent()

    def task(self, description: str, *, total: int | None, unit: str = "items") -> AbstractContextManager[Task]:
        """Log how much there is to do."""
        return self._logged(description, total, unit)

    def note(self, message: str) -> None:
        """Log a message."""
        logger.info("%s", message)


class _Silent:
    def advance(self, amount: int = 1) -> None:
        pass
