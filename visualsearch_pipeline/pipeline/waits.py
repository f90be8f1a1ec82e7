"""Telling where a step stands while the rate limit holds it back: `upload 12/300, next start in 41 s, about 4 h`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from visualsearch_pipeline.api import OperationFamily, Rate
from visualsearch_pipeline.pipeline.durations import in_words
from visualsearch_pipeline.pipeline.forecast import limit_seconds
from visualsearch_pipeline.pipeline.progress import Progress

_TOLD_WAIT_SECONDS: Final = 3.0
"""A shorter wait is nothing to wonder about."""


class WaitGivenUp(Exception):  # noqa: N818  says what happened
    """The work was stopped before its call was made in full: the limit held it back, or bytes were left to send."""


class Starts:
    """How many calls of a piece of work have started, of how many. Safe to use from several threads."""

    def __init__(self, *, total: int) -> None:
        self.total = total
        self._started = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._aborted = threading.Event()

    @property
    def is_stopped(self) -> bool:
        """Whether no more calls should be started."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Start no more calls; those that wait for the rate limit give up."""
        self._stopped.set()

    def abort(self) -> None:
        """Likewise, and let those break off that still have bytes to send."""
        self._aborted.set()
        self._stopped.set()

    def check(self) -> None:
        """To be called while bytes move.

        Raises:
            WaitGivenUp: the work was aborted meanwhile.
        """
        if self._aborted.is_set():
            raise WaitGivenUp("the call was broken off")

    @property
    def started(self) -> int:
        """How many have started."""
        return self._started

    def note_start(self) -> None:
        """Say that one more has started."""
        with self._lock:
            self._started += 1


@dataclass(frozen=True)
class _Work:
    what: str
    starts: Starts
    rate: Rate | None


class Waits:
    """Receives the waits for the rate limit and tells them to whoever follows the progress.

    Args:
        progress: where they are told.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._work: dict[OperationFamily, _Work] = {}

    @contextmanager
    def counting(self, family: OperationFamily, *, what: str, total: int, rate: Rate | None) -> Iterator[Starts]:
        """Let the waits of a family be told with how many of `total` calls have started, and how long the rest takes.

        Args:
            family: The family.
            what: What one call is: `upload`.
            total: How many there are.
            rate: The limit in force.
        """
        starts = Starts(total=total)
        self._work[family] = _Work(what, starts, rate)
        try:
            yield starts
        finally:
            del self._work[family]

    def tell(self, family: OperationFamily, seconds: float) -> None:
        """Tell that the next call of a family may start in so many seconds. May be called as often as one likes.

        Raises:
            WaitGivenUp: the work was stopped meanwhile.
        """
        work = self._work.get(family)
        if work is not None and work.starts.is_stopped:
            raise WaitGivenUp(f"the {work.what} was not started")
        if seconds >= _TOLD_WAIT_SECONDS:
            self._progress.waiting(self._message(family, seconds), subject=family.value)

    def _message(self, family: OperationFamily, seconds: float) -> str:
        work = self._work.get(family)
        if work is None:
            return f"the rate limit lets the next {family.value} call start in {in_words(seconds)}"
        left = max(1, work.starts.total - work.starts.started)
        rest = seconds + limit_seconds(left, work.rate)
        return (
            f"{work.what} {work.starts.started}/{work.starts.total}, next start in {in_words(seconds)}, "
            f"about {in_words(rest)}"
        )
