"""Who is to be told of new hits, and what became of telling them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa

from visualsearch_pipeline.ledger import failures
from visualsearch_pipeline.ledger.database import Database, columns_of, read_all
from visualsearch_pipeline.ledger.schema_upkeep import alert_deliveries, alert_subscriptions
from visualsearch_pipeline.ledger.states import DeliveryState

QueryName: TypeAlias = tuple[str, str]
"""A query set and the id of one of its queries."""

ALERT_STEP = "alerts"
"""The step of failures of deliveries."""

UNDELIVERED = (DeliveryState.PENDING, DeliveryState.FAILED)


@dataclass(frozen=True)
class AlertDelivery:
    """One alert: the new hits of one version of a query that one run found."""

    delivery_id: str
    query_set: str
    query_id: str
    query_version: str
    run_id: str
    new_hits: int
    payload: str
    created_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    destination: str | None = None
    attempted_at: datetime | None = None
    delivered_at: datetime | None = None
    reason: str | None = None

    @property
    def subject(self) -> str:
        """What a failure of it is about."""
        return f"{self.query_set}.{self.query_id} {self.delivery_id}"


_COLUMNS = columns_of(alert_deliveries, AlertDelivery)


class Alerts:
    """The part of the ledger that knows who was told what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def subscribe(self, wanted: Collection[QueryName], *, unreadable_sets: Collection[str], since: datetime) -> None:
        """Begin to tell of the queries in `wanted`, and stop for all others.

        Args:
            wanted: queries with an alert. One that had it before keeps its own `since`.
            unreadable_sets: sets whose file says nothing today: nothing changes for them.
            since: what was found before this is no news to a new subscription.
        """
        with self._database.writing() as connection:
            known = {
                (row.query_set, row.query_id)
                for row in connection.execute(
                    sa.select(alert_subscriptions.c.query_set, alert_subscriptions.c.query_id)
                )
            }
            for query_set, query_id in sorted(known - set(wanted)):
                if query_set not in unreadable_sets:
                    connection.execute(
                        sa.delete(alert_subscriptions).where(
                            alert_subscriptions.c.query_set == query_set, alert_subscriptions.c.query_id == query_id
                        )
                    )
            rows = [{"query_set": name[0], "query_id": name[1], "since": since} for name in sorted(set(wanted) - known)]
            if rows:
                connection.execute(sa.insert(alert_subscriptions), rows)

    def subscriptions(self) -> dict[QueryName, datetime]:
        """Since when each query with an alert has it."""
        select = sa.select(alert_subscriptions.c.query_set, alert_subscriptions.c.query_id, alert_subscriptions.c.since)
        with self._database.reading() as connection:
            return {(row.query_set, row.query_id): row.since for row in connection.execute(select)}

    def intend(self, deliveries: Iterable[AlertDelivery]) -> int:
        """Decide on deliveries that were not decided on before; say how many those are."""
        with self._database.writing() as connection:
            known = set(connection.scalars(sa.select(alert_deliveries.c.delivery_id)))
            rows = [asdict(delivery) for delivery in deliveries if delivery.delivery_id not in known]
            if rows:
                connection.execute(sa.insert(alert_deliveries), rows)
        return len(rows)

    def known_ids(self) -> frozenset[str]:
        """Every delivery that was decided on."""
        with self._database.reading() as connection:
            return frozenset(connection.scalars(sa.select(alert_deliveries.c.delivery_id)))

    def deliveries(self, *states: DeliveryState) -> tuple[AlertDelivery, ...]:
        """Deliveries in these states, or all, oldest first."""
        select = sa.select(*_COLUMNS)
        if states:
            select = select.where(alert_deliveries.c.state.in_(states))
        select = select.order_by(alert_deliveries.c.created_at, alert_deliveries.c.delivery_id)
        with self._database.reading() as connection:
            return read_all(connection, select, AlertDelivery)

    def record_attempt(self, delivery_id: str, *, destination: str, at: datetime) -> None:
        """Count an attempt before it is made."""
        self._update(
            delivery_id,
            {"attempts": alert_deliveries.c.attempts + 1, "attempted_at": at, "destination": destination},
        )

    def record_delivered(self, delivery: AlertDelivery, *, at: datetime) -> None:
        """Commit that an alert was taken, and close its failure."""
        with self._database.writing() as connection:
            connection.execute(
                sa.update(alert_deliveries)
                .where(alert_deliveries.c.delivery_id == delivery.delivery_id)
                .values(state=DeliveryState.DELIVERED, delivered_at=at, reason=None)
            )
            failures.resolve_in(connection, subject=delivery.subject, at=at, steps=(ALERT_STEP,))

    def record_not_delivered(self, delivery: AlertDelivery, *, reason: str, gives_up: bool, at: datetime) -> None:
        """Keep an attempt that failed, with its reason, as a failure of the step `alerts`."""
        state = DeliveryState.GIVEN_UP if gives_up else DeliveryState.FAILED
        with self._database.writing() as connection:
            connection.execute(
                sa.update(alert_deliveries)
                .where(alert_deliveries.c.delivery_id == delivery.delivery_id)
                .values(state=state, reason=reason)
            )
            failures.record_in(
                connection,
                step=ALERT_STEP,
                subject=delivery.subject,
                day=None,
                reason=reason,
                retryable=not gives_up,
                at=at,
            )

    def prune(self, *, before: datetime, dry_run: bool) -> int:
        """Remove what was delivered or given up before a time; say how many deliveries that are.

        Their queries' subscriptions begin no earlier than that afterwards, so that no alert is made anew.
        """
        old = sa.and_(
            alert_deliveries.c.created_at < before,
            alert_deliveries.c.state.in_((DeliveryState.DELIVERED, DeliveryState.GIVEN_UP)),
        )
        with self._database.writing() as connection:
            count = connection.scalar(sa.select(sa.func.count()).select_from(alert_deliveries).where(old)) or 0
            if not dry_run and count:
                connection.execute(
                    sa.update(alert_subscriptions).where(alert_subscriptions.c.since < before).values(since=before)
                )
                connection.execute(sa.delete(alert_deliveries).where(old))
        return count

    def _update(self, delivery_id: str, values: dict[str, object]) -> None:
        with self._database.writing() as connection:
            connection.execute(
                sa.update(alert_deliveries).where(alert_deliveries.c.delivery_id == delivery_id).values(values)
            )
