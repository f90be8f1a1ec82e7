"""Money held for calls under way, so that processes side by side do not pass a budget together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from visualsearch_pipeline.ledger.database import Database
from visualsearch_pipeline.ledger.leases import LeaseOwner, is_free
from visualsearch_pipeline.ledger.schema import api_calls, reservations

_HELD_FOR: Final = timedelta(hours=24)
"""How long a holder on another machine is believed to be at it. The longest transfer is far shorter."""


@dataclass(frozen=True)
class Reservation:
    """What one call under way is going to cost.

    Attributes:
        reservation_id: Unique.
        run_id: The run that makes the call.
        cost_usd: What the call is taken to cost, in US dollars.
    """

    reservation_id: str
    run_id: str
    cost_usd: float


@dataclass(frozen=True)
class SpendingLimit:
    """What may be spent, and by what it is counted.

    Attributes:
        name: What the settings call it.
        usd: The limit in US dollars.
        run_ids: Only these runs count; None counts all.
        since: Only calls since then count, and everything under way; None counts all.
    """

    name: str
    usd: float
    run_ids: Collection[str] | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class LimitPassed:
    """A limit that a call would pass. `spent_usd` includes what is held for calls under way."""

    limit: SpendingLimit
    spent_usd: float


class Reservations:
    """The part of the ledger that holds money for calls under way."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(
        self, reservation: Reservation, *, limits: Sequence[SpendingLimit], tolerance_usd: float, now: datetime
    ) -> LimitPassed | None:
        """Hold money for a call, unless the call would pass a limit; looking and holding are one transaction.

        What a dead process held is let go: a lost answer that turns out to have cost something is billed when what
        it made is found.

        Returns:
            The first limit that would be passed; then nothing is held.
        """
        with self._database.writing() as connection:
            _let_go_of_the_dead(connection, now=now)
            for limit in limits:
                spent = _spent_usd(connection, limit)
                if spent + reservation.cost_usd > limit.usd + tolerance_usd:
                    return LimitPassed(limit, spent)
            holder = {"owner": str(LeaseOwner.current()), "expires_at": now + _HELD_FOR}
            connection.execute(reservations.insert().values(asdict(reservation) | holder))
            return None

    def let_go(self, reservation_id: str) -> None:
        """Give back what a call that is over did not use. Letting go twice changes nothing."""
        with self._database.writing() as connection:
            let_go_in(connection, reservation_id)


def let_go_in(connection: Connection, reservation_id: str) -> None:
    """Give a reservation back within a transaction of the caller's."""
    connection.execute(reservations.delete().where(reservations.c.reservation_id == reservation_id))


def _let_go_of_the_dead(connection: Connection, *, now: datetime) -> None:
    held = sa.select(reservations.c.owner, sa.func.max(reservations.c.expires_at)).group_by(reservations.c.owner)
    dead = [owner for owner, expires_at in connection.execute(held) if is_free(owner, expires_at, now=now)]
    if dead:
        connection.execute(reservations.delete().where(reservations.c.owner.in_(dead)))


def _spent_usd(connection: Connection, limit: SpendingLimit) -> float:
    """What was spent and is held, under one limit."""
    spent = sa.select(sa.func.coalesce(sa.func.sum(api_calls.c.cost_usd), 0.0))
    held = sa.select(sa.func.coalesce(sa.func.sum(reservations.c.cost_usd), 0.0))
    if limit.since is not None:
        spent = spent.where(api_calls.c.started_at >= limit.since)
    if limit.run_ids is not None:
        spent = spent.where(api_calls.c.run_id.in_(limit.run_ids))
        held = held.where(reservations.c.run_id.in_(limit.run_ids))
    return float(connection.execute(spent).scalar_one()) + float(connection.execute(held).scalar_one())
