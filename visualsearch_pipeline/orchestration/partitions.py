"""Days as Dagster partitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from visualsearch_pipeline.settings import Settings


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition per UTC day from `source.start_date` to today, which counts: footage is wanted while it is new."""
    return dg.DailyPartitionsDefinition(start_date=settings.source.start_date.isoformat(), end_offset=1)


def days_of(keys: Iterable[str]) -> tuple[date, ...]:
    """Partition keys as days."""
    return tuple(date.fromisoformat(key) for key in keys)


@dataclass(frozen=True)
class DayRange:
    """Days next to each other, first and last included."""

    first: date
    last: date


def contiguous(days: Sequence[date]) -> tuple[DayRange, ...]:
    """Days as the fewest ranges without gaps, so that one run serves a range."""
    ranges: list[DayRange] = []
    for day in sorted(set(days)):
        if ranges and ranges[-1].last + timedelta(days=1) == day:
            ranges[-1] = DayRange(ranges[-1].first, day)
        else:
            ranges.append(DayRange(day, day))
    return tuple(ranges)
