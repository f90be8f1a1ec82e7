"""When a day is requested: at once for new work, later and later for what does not move.

The ledger says what is left to do (`pipeline/pending.py`). Here it is decided whether to ask for it now. A day is not
requested while a run for it is queued or running, whoever asked for that run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import dagster as dg

from visualsearch_pipeline.orchestration.cursors import Asked
from visualsearch_pipeline.orchestration.partitions import DayRange, contiguous
from visualsearch_pipeline.orchestration.run_tags import REASON_TAG, partition_tags

RETRY_SECONDS: Final = 900
"""How long the same work is not asked for again after it was asked for; doubled each time that nothing has moved.

This is for sensors that look every 30 s; for others it grows or shrinks with them (`retry_seconds_of`).
"""

LONGEST_RETRY_FACTOR: Final = 24
"""The longest wait in terms of the first: 6 hours."""

_DAYS_PER_RUN: Final = 7
_REQUESTS_PER_TICK: Final = 30
"""Making a run takes the daemon some tenths of a second; the days left out come with the next tick."""


@dataclass(frozen=True)
class DayWork:
    """What is left to do on a day.

    Attributes:
        work: In words that differ when other work comes.
        progress: A count that grows with what is done.
    """

    work: frozenset[str]
    progress: int = 0


@dataclass(frozen=True)
class Decision:
    """What to request now, and what to remember of it.

    Attributes:
        stretches: The days to request, oldest first; each stretch is a run.
        asked: For the cursor.
        under_way: How many days with work have a run already.
        later: How many days with work are to be asked for again at a later time.
    """

    stretches: tuple[DayRange, ...]
    asked: dict[date, Asked]
    under_way: int
    later: int


def retry_seconds_of(sensor_seconds: int) -> int:
    """How long the same work is not asked for again by sensors that look every `sensor_seconds`."""
    return RETRY_SECONDS * sensor_seconds // 30


def decide(
    pending: Mapping[date, DayWork],
    *,
    asked: Mapping[date, Asked],
    under_way: Collection[date],
    now: datetime,
    retry_seconds: int = RETRY_SECONDS,
) -> Decision:
    """Choose the days to request.

    New work is requested at once; the same work after `retry_seconds` if some of it was done meanwhile, as by a step
    whose time was up, and else after twice as long each time.
    """
    times = {
        day: times
        for day, work in pending.items()
        if day not in under_way
        and (times := _times(work, asked.get(day), now=now, retry_seconds=retry_seconds)) is not None
    }
    stretches = [week for whole in contiguous(list(times)) for week in _weeks(whole)][:_REQUESTS_PER_TICK]
    chosen = {
        day: Asked(work=tuple(sorted(pending[day].work)), progress=pending[day].progress, times=count, at=now)
        for day, count in times.items()
        if any(stretch.first <= day <= stretch.last for stretch in stretches)
    }
    waiting = sum(day in under_way for day in pending)
    return Decision(
        tuple(stretches),
        asked={day: asked[day] for day in pending if day in asked} | chosen,
        under_way=waiting,
        later=len(pending) - waiting - len(chosen),
    )


def run_requests(
    decision: Decision,
    *,
    assets: Sequence[dg.AssetKey],
    lane: str,
    reason: str,
    now: datetime,
    retry_seconds: int = RETRY_SECONDS,
) -> list[dg.RunRequest]:
    """A run for each stretch of days.

    The key tells Dagster's daemon that it has made this run already, should it die between that and keeping the cursor.
    A key is remembered for ever, so it names the quarter of an hour, or what `retry_seconds` is.
    """
    window = int(now.timestamp() // retry_seconds)
    return [
        dg.RunRequest(
            run_key=f"{lane}:{stretch.first}:{stretch.last}:{_mark(decision.asked[stretch.first])}:{window}",
            asset_selection=list(assets),
            tags={**partition_tags(stretch), REASON_TAG: reason},
        )
        for stretch in decision.stretches
    ]


def _mark(asked: Asked) -> str:
    return hashlib.sha256(asked.model_dump_json(exclude={"at"}).encode()).hexdigest()[:16]


def _times(day_work: DayWork, before: Asked | None, *, now: datetime, retry_seconds: int) -> int | None:
    """How often the work will have been requested if it is now; None if it is not yet time."""
    if before is None or not day_work.work <= frozenset(before.work):
        return 1
    has_moved = day_work.progress != before.progress
    times = 1 if has_moved else min(2 ** (before.times - 1), LONGEST_RETRY_FACTOR)
    wait_seconds = retry_seconds * times
    if now - before.at < timedelta(seconds=wait_seconds):
        return None
    return 1 if has_moved else before.times + 1


def _weeks(days: DayRange) -> Iterable[DayRange]:
    first = days.first
    while first <= days.last:
        last = min(days.last, first + timedelta(days=_DAYS_PER_RUN - 1))
        yield DayRange(first, last)
        first = last + timedelta(days=1)
