"""What a rate limiter remembers, wherever all who share an account can reach it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from visualsearch_pipeline.api.rate_limits import Rate

_MARGIN_SHARE: Final = 0.01
_MAX_MARGIN_SECONDS: Final = 0.25


@dataclass(frozen=True)
class Pause:
    """A time without requests, because the service refused some."""

    until_milliseconds: int
    """Since the epoch, by the state's own clock."""

    refusals: int
    """How many in a row."""


class LimiterTransaction(Protocol):
    """One look at a bucket, and what is changed in it: nobody else looks meanwhile, and all of it happens or nothing.

    A bucket is the log of the places that requests of one kind and account took.
    """

    def now_milliseconds(self) -> int:
        """The time since the epoch by the one clock that all places are measured with."""

    def pause(self) -> Pause | None:
        """The pause that was begun last and not ended."""

    def set_pause(self, pause: Pause) -> None:
        """Begin a pause, or prolong it."""

    def clear_pause(self) -> None:
        """End the pause, if there is one."""

    def take(self, name: str, *, rate: Rate, now_milliseconds: int) -> int:
        """Take a place under a name of its own and return 0, or return the milliseconds until there may be one."""

    def move(self, name: str, *, to_milliseconds: int) -> None:
        """Move a place to another time, if it is still there."""

    def give_back(self, name: str) -> None:
        """Remove a place."""


class LimiterState(Protocol):
    """Buckets that several processes share. Safe to use by several threads."""

    def transaction(self, bucket: str) -> AbstractContextManager[LimiterTransaction]:
        """One transaction on a bucket; made if it is new."""

    def close(self) -> None:
        """Let go of files and connections; the next use opens them again."""


def window_milliseconds(rate: Rate) -> int:
    """How long a place counts: the rate's time and a margin for what lies between the place and the departure."""
    margin_seconds = min(rate.seconds * _MARGIN_SHARE, _MAX_MARGIN_SECONDS)
    return int((rate.seconds + margin_seconds) * 1000)
