"""Where a rate limit can be shared: in a file, or in a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from visualsearch_pipeline.api import LimiterState, OnWait, RateLimits, SharedRateLimiter
from visualsearch_pipeline.api.postgresql_limiter_state import PostgresqlLimiterState
from visualsearch_pipeline.api.sqlite_limiter_state import SqliteLimiterState


@dataclass
class VirtualClock:
    """Time that passes only where somebody sleeps."""

    now: float = 1_800_000_000.0
    sleeps: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@dataclass(frozen=True)
class Place:
    """The path of a file, or the URL of a PostgreSQL database; a word, so that other processes can be told."""

    address: str

    def state(self, clock: Callable[[], float] | None = None) -> LimiterState:
        """The state there; with its own clock, if none is given."""
        if self.address.startswith("postgresql:"):
            return PostgresqlLimiterState(self.address, clock=clock)
        return SqliteLimiterState(Path(self.address), **({} if clock is None else {"clock": clock}))

    def limiter(
        self,
        clock: VirtualClock,
        limits: RateLimits | None = None,
        *,
        account: str = "a",
        on_wait: OnWait | None = None,
    ) -> SharedRateLimiter:
        """A limiter to which no time passes but the clock's."""
        return SharedRateLimiter(
            self.state(clock.read),
            limits or RateLimits.documented(),
            account=account,
            on_wait=on_wait,
            clock=clock.read,
            sleep=clock.sleep,
        )


def most_in_any_window(moments: list[float], seconds: float) -> int:
    """How many of `moments` lie in the fullest stretch of so many seconds."""
    moments = sorted(moments)
    return max(sum(1 for other in moments[index:] if other < moment + seconds) for index, moment in enumerate(moments))
