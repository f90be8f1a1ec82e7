"""One rate limit per account over all threads and processes that share its state: a file, or a database."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from visualsearch_pipeline.api.limiter_state import LimiterState, Pause
from visualsearch_pipeline.api.operations import OperationFamily
from visualsearch_pipeline.api.rate_limits import Rate, RateLimits
from visualsearch_pipeline.api.sqlite_limiter_state import SqliteLimiterState

logger = logging.getLogger(__name__)

OnWait: TypeAlias = Callable[[OperationFamily, float], None]
"""Receives how many seconds a request of this family has still to wait, every five seconds while it does. What it
raises ends the wait: that is how a run that is cancelled gives up its turn."""

_REPORT_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 1.0
_MAX_BACKOFF_SECONDS: Final = 32.0
_MAX_PAUSE_SECONDS: Final = 300.0
"""A longer pause is not believed: a strange `Retry-After`, or a clock that was set back."""

_NOTABLE_DELAY_SECONDS: Final = 0.003
"""Between taking a place and leaving; the margin covers less."""


@dataclass(frozen=True)
class _Place:
    """An entry of the log."""

    name: str
    taken_at: float
    """By the limiter's own clock."""


class SharedRateLimiter:
    """A `RateLimiter` whose state all processes of one account share.

    A rate-limit answer makes everybody pause: 1, 2, 4 … 32 s while refusals go on (contract §1.5), or as long as the
    service asked. The first answer that is none, to a request made after a pause, ends the doubling.

    Args:
        state: Where it is shared. A path is that of a `SqliteLimiterState`, for the processes of one machine; those of
            several share a `PostgresqlLimiterState`.
        limits: Rates per operation family.
        account: Whose limits these are, see `account_id`; never the key itself.
        on_wait: Is told about waits, at their beginning and every five seconds.
        clock: Seconds since the epoch; of a file, the same for all processes.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        state: LimiterState | Path,
        limits: RateLimits,
        *,
        account: str,
        on_wait: OnWait | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._state = SqliteLimiterState(state, clock=clock) if isinstance(state, Path) else state
        self._limits = limits
        # Part of a table's name: whatever the caller calls the account.
        self._account_digest = hashlib.sha256(account.encode()).hexdigest()[:16]
        self._on_wait = on_wait
        self._clock = clock
        self._sleep = sleep
        self._turns = {family: threading.Lock() for family in OperationFamily}
        self._last_place = threading.local()
        self._may_be_pausing: set[OperationFamily] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def acquire(self, family: OperationFamily) -> float:
        """Wait until a request of this family may start, and take its place. Returns the seconds waited."""
        rate = self._limits.rate(family)
        if rate is None:
            return 0.0
        began = self._clock()
        # One thread of a process competes at a time; the others queue behind it instead of waking in a herd.
        with self._turns[family]:
            while (wait_seconds := self._try_to_take(family, rate)) > 0:
                self._wait(family, wait_seconds)
        return max(0.0, self._clock() - began)

    def departed(self, family: OperationFamily) -> None:
        """Move the place that this thread took last to the present, so that the next one keeps its distance."""
        place: _Place | None = self._last_place.__dict__.pop(family.value, None)
        if place is None or self._clock() - place.taken_at < _NOTABLE_DELAY_SECONDS:
            return
        with self._state.transaction(self._bucket(family)) as bucket:
            bucket.move(place.name, to_milliseconds=bucket.now_milliseconds())

    def unused(self, family: OperationFamily) -> None:
        """Give back the place that this thread took last, so that trying again need not wait for another."""
        place: _Place | None = self._last_place.__dict__.pop(family.value, None)
        if place is None:
            return
        with self._state.transaction(self._bucket(family)) as bucket:
            bucket.give_back(place.name)

    def refused(self, family: OperationFamily, *, retry_after_seconds: float | None) -> None:
        """Make all processes pause this family, longer with each refusal in a row."""
        if self._limits.rate(family) is None:
            return
        with self._state.transaction(self._bucket(family)) as bucket:
            now = bucket.now_milliseconds()
            before = bucket.pause() or Pause(until_milliseconds=0, refusals=0)
            if before.until_milliseconds > now and retry_after_seconds is None:
                # Sent before the pause began, by another thread or process: it is counted already.
                return
            backoff_seconds = min(_MAX_BACKOFF_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(before.refusals, 16))
            asked_seconds = backoff_seconds if retry_after_seconds is None else retry_after_seconds
            pause_seconds = min(_MAX_PAUSE_SECONDS, asked_seconds)
            until_milliseconds = max(before.until_milliseconds, now + int(pause_seconds * 1000))
            bucket.set_pause(Pause(until_milliseconds=until_milliseconds, refusals=before.refusals + 1))
        self._may_be_pausing.add(family)
        logger.warning("The service limits %s requests: pausing them for %.0f s", family.value, pause_seconds)

    def accepted(self, family: OperationFamily) -> None:
        """End the pause, if there was one."""
        if family not in self._may_be_pausing:
            return
        with self._state.transaction(self._bucket(family)) as bucket:
            pause = bucket.pause()
            if pause is not None and pause.until_milliseconds > bucket.now_milliseconds():
                # Sent before the pause began: its answer says nothing of the refusals since.
                return
            bucket.clear_pause()
        self._may_be_pausing.discard(family)

    def close(self) -> None:
        """Let go of the state; the next use opens it again, so that clients may share a limiter."""
        self._state.close()

    def _try_to_take(self, family: OperationFamily, rate: Rate) -> float:
        """Take a place now and return 0, or return the seconds until there may be one."""
        with self._state.transaction(self._bucket(family)) as bucket:
            now = bucket.now_milliseconds()
            if (pause := bucket.pause()) is not None:
                self._may_be_pausing.add(family)
                pause_seconds = (pause.until_milliseconds - now) / 1000
                if 0 < pause_seconds <= _MAX_PAUSE_SECONDS:
                    return pause_seconds
            name = secrets.token_hex(8)
            taken_at = self._clock()
            wait_milliseconds = bucket.take(name, rate=rate, now_milliseconds=now)
            if not wait_milliseconds:
                self._last_place.__dict__[family.value] = _Place(name=name, taken_at=taken_at)
            return wait_milliseconds / 1000

    def _wait(self, family: OperationFamily, seconds: float) -> None:
        deadline = self._clock() + seconds
        while (remaining := deadline - self._clock()) > 0:
            if self._on_wait is not None:
                self._on_wait(family, remaining)
            self._sleep(min(remaining, _REPORT_SECONDS))

    def _bucket(self, family: OperationFamily) -> str:
        return f"{family.value}_{self._account_digest}"
