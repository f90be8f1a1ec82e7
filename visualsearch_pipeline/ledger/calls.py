"""Every call to the service, billable or not: one row per attempt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from visualsearch_pipeline.ledger.database import Database
from visualsearch_pipeline.ledger.reservations import let_go_in
from visualsearch_pipeline.ledger.schema import api_calls
from visualsearch_pipeline.ledger.schema_upkeep import api_call_totals


@dataclass(frozen=True)
class CallRecord:
    """One attempt of one call, and what it cost."""

    started_at: datetime
    operation: str
    item: str | None
    run_id: str
    outcome: str
    code: str | None
    http_status: int | None
    duration_seconds: float
    waited_seconds: float
    bytes_sent: int
    bytes_received: int
    cost_usd: float


class Calls:
    """The part of the ledger that keeps the bill."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, call: CallRecord, *, reservation_id: str | None = None) -> None:
        """Keep one attempt; what it cost takes the place of what was held for it."""
        with self._database.writing() as connection:
            connection.execute(sa.insert(api_calls).values(asdict(call)))
            if reservation_id is not None:
                let_go_in(connection, reservation_id)

    def bill_lost_answer(self, call: CallRecord) -> None:
        """Bill a call whose answer was lost and whose effect has been found since.

        The last attempt with the operation and the item of `call` gets its cost; if its process died before it was
        recorded, `call` is recorded instead.
        """
        last = (
            sa.select(api_calls.c.call_id, api_calls.c.outcome)
            .where(api_calls.c.operation == call.operation, api_calls.c.item == call.item)
            .order_by(api_calls.c.call_id.desc())
            .limit(1)
        )
        with self._database.writing() as connection:
            attempt = connection.execute(last).one_or_none()
            if attempt is None:
                connection.execute(sa.insert(api_calls).values(asdict(call)))
            else:
                billed = sa.update(api_calls).where(api_calls.c.call_id == attempt.call_id)
                connection.execute(billed.values(cost_usd=call.cost_usd))

    def spent_usd(
        self,
        *,
        since: datetime | None = None,
        run_id: str | None = None,
        run_ids: Collection[str] | None = None,
    ) -> float:
        """What the recorded calls cost, over a time, in a run or in several.

        Without any of these, all that was ever spent, with the calls of long ago that were folded into sums. Those are
        older than any time or run that a budget asks about.
        """
        select = sa.select(sa.func.coalesce(sa.func.sum(api_calls.c.cost_usd), 0.0))
        if since is not None:
            select = select.where(api_calls.c.started_at >= since)
        if run_id is not None:
            select = select.where(api_calls.c.run_id == run_id)
        if run_ids is not None:
            select = select.where(api_calls.c.run_id.in_(run_ids))
        with self._database.reading() as connection:
            spent = float(connection.scalar(select) or 0.0)
            if since is None and run_id is None and run_ids is None:
                spent += float(connection.scalar(sa.select(sa.func.sum(api_call_totals.c.cost_usd))) or 0.0)
            return spent

    def count_by_operation(self, *, run_id: str | None = None) -> dict[str, int]:
        """How many attempts each operation took."""
        select = sa.select(api_calls.c.operation, sa.func.count()).group_by(api_calls.c.operation)
        if run_id is not None:
            select = select.where(api_calls.c.run_id == run_id)
        with self._database.reading() as connection:
            return {operation: count for operation, count in connection.execute(select)}  # noqa: C416  # rows, not pairs
