"""Calls of long ago: one sum per day, operation and outcome takes the place of a row per call."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from visualsearch_pipeline.ledger.database import Database, upsert
from visualsearch_pipeline.ledger.schema import api_calls
from visualsearch_pipeline.ledger.schema_upkeep import api_call_totals

_IMAGE_IN_VIDEO = "search_clips_by_image"
# Its items are the prompt and the one video that was searched.
_WITHIN_ONE_VIDEO = re.compile(r" in [^ ]+$")


@dataclass(frozen=True)
class CallTotal:
    """What the calls of one day came to that were alike."""

    day: date
    operation: str
    outcome: str
    asked: str | None
    calls: int
    cost_usd: float


class CallTotals:
    """The part of the ledger that keeps the bill of long ago."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def old_calls(self, *, before: date) -> int:
        """How many single calls are kept that began before a UTC date."""
        with self._database.reading() as connection:
            select = sa.select(sa.func.count()).select_from(api_calls).where(api_calls.c.started_at < _midnight(before))
            return connection.scalar(select) or 0

    def fold(self, *, before: date) -> int:
        """Put sums in the place of single calls that began before a UTC date; say how many calls those were.

        A day at a time, each in one transaction: killed anywhere, no call is lost and none counts twice.
        """
        folded = 0
        while (day := self._oldest_day(before)) is not None:
            with self._database.writing() as connection:
                folded += _fold_day(connection, day)
        return folded

    def _oldest_day(self, before: date) -> date | None:
        with self._database.reading() as connection:
            first = connection.scalar(
                sa.select(sa.func.min(api_calls.c.started_at)).where(api_calls.c.started_at < _midnight(before))
            )
        return None if first is None else first.astimezone(UTC).date()


def _fold_day(connection: Connection, day: date) -> int:
    of_day = sa.and_(api_calls.c.started_at >= _midnight(day), api_calls.c.started_at < _midnight(day, days_later=1))
    names = ("operation", "outcome", "item", "cost_usd")
    sums: dict[tuple[str, str, str | None], CallTotal] = {}
    folded = 0
    for operation, outcome, item, cost_usd in connection.execute(
        sa.select(*(api_calls.c[name] for name in names)).where(of_day)
    ):
        asked = _asked(operation, item)
        key = (operation, outcome, asked)
        total = sums.get(key, CallTotal(day, operation, outcome, asked, 0, 0.0))
        sums[key] = replace(total, calls=total.calls + 1, cost_usd=total.cost_usd + cost_usd)
        folded += 1
    # Calls of a day may come in late, as when a clock was wrong: they are added to what was folded before.
    standing = _standing(connection, day)
    for (operation, outcome, asked), total in sums.items():
        digest = hashlib.sha256((asked or "").encode()).hexdigest()
        calls, cost_usd = standing[operation, outcome, digest]
        row: dict[str, object] = {
            "day": day,
            "operation": operation,
            "outcome": outcome,
            "asked_sha256": digest,
            "asked": asked,
            "calls": total.calls + calls,
            "cost_usd": total.cost_usd + cost_usd,
        }
        upsert(connection, api_call_totals, row, update=("calls", "cost_usd"))
    connection.execute(sa.delete(api_calls).where(of_day))
    return folded


def _standing(connection: Connection, day: date) -> defaultdict[tuple[str, str, str], tuple[int, float]]:
    standing: defaultdict[tuple[str, str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for row in connection.execute(sa.select(api_call_totals).where(api_call_totals.c.day == day)):
        standing[row.operation, row.outcome, row.asked_sha256] = (row.calls, row.cost_usd)
    return standing


def _asked(operation: str, item: str | None) -> str | None:
    """What a search asked; nothing for other calls, whose items are files and videos without end."""
    if item is None or not operation.startswith("search"):
        return None
    return _WITHIN_ONE_VIDEO.sub("", item) if operation == _IMAGE_IN_VIDEO else item


def _midnight(day: date, *, days_later: int = 0) -> datetime:
    return datetime.combine(day, time.min, UTC) + timedelta(days=days_later)
