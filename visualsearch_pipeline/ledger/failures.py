"""What went wrong, on what, how often, and whether it is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from visualsearch_pipeline.ledger.database import Database, columns_of, read_all, upsert
from visualsearch_pipeline.ledger.schema import failures


@dataclass(frozen=True)
class Failure:
    """One thing that failed in one step. It stays after it is resolved, as history."""

    step: str
    subject: str
    day: date | None
    reason: str
    failure_count: int
    retryable: bool
    first_failed_at: datetime
    last_failed_at: datetime
    resolved_at: datetime | None


_COLUMNS = columns_of(failures, Failure)


class Failures:
    """The part of the ledger that keeps every failure with its reason and count."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, step: str, *, subject: str, day: date | None, reason: str, retryable: bool, at: datetime) -> None:
        """Count a failure; the newest reason stands."""
        with self._database.writing() as connection:
            record_in(connection, step=step, subject=subject, day=day, reason=reason, retryable=retryable, at=at)

    def resolve(self, *, subject: str, at: datetime, steps: Iterable[str] | None = None) -> None:
        """Close what is open on a subject, in all steps or in those given."""
        with self._database.writing() as connection:
            resolve_in(connection, subject=subject, at=at, steps=steps)

    def allow_retry(self, step: str, *, days: Sequence[date]) -> int:
        """Let what failed for good on some days be tried again; say how many subjects that are."""
        update = sa.update(failures).where(
            failures.c.step == step,
            failures.c.day.in_(days),
            failures.c.resolved_at.is_(None),
            failures.c.retryable.is_(False),
        )
        with self._database.writing() as connection:
            return connection.execute(update.values(retryable=True)).rowcount

    def unresolved(self, *, step: str | None = None) -> tuple[Failure, ...]:
        """What is open, oldest first."""
        select = sa.select(*_COLUMNS).where(failures.c.resolved_at.is_(None))
        if step is not None:
            select = select.where(failures.c.step == step)
        select = select.order_by(failures.c.first_failed_at, failures.c.step, failures.c.subject)
        with self._database.reading() as connection:
            return read_all(connection, select, Failure)


def record_in(
    connection: Connection, *, step: str, subject: str, day: date | None, reason: str, retryable: bool, at: datetime
) -> None:
    """Count a failure within a transaction of the caller's."""
    before = connection.execute(
        sa.select(failures.c.failure_count, failures.c.first_failed_at, failures.c.resolved_at).where(
            failures.c.step == step, failures.c.subject == subject
        )
    ).one_or_none()
    is_open = before is not None and before.resolved_at is None
    row: dict[str, object] = {
        "step": step,
        "subject": subject,
        "day": day,
        "reason": reason,
        "failure_count": before.failure_count + 1 if before is not None and is_open else 1,
        "retryable": retryable,
        "first_failed_at": before.first_failed_at if before is not None and is_open else at,
        "last_failed_at": at,
        "resolved_at": None,
    }
    upsert(connection, failures, row, update=tuple(name for name in row if name not in ("step", "subject")))


def resolve_in(connection: Connection, *, subject: str, at: datetime, steps: Iterable[str] | None = None) -> None:
    """Close what is open on a subject within a transaction of the caller's."""
    update = sa.update(failures).where(failures.c.subject == subject, failures.c.resolved_at.is_(None))
    if steps is not None:
        update = update.where(failures.c.step.in_(tuple(steps)))
    connection.execute(update.values(resolved_at=at))


def open_subjects(step: str, *, retryable: bool | None = None) -> sa.Select[str]:
    """A sub-select of the subjects with an open failure in `step`; of those that may be retried or not, if said."""
    select = sa.select(failures.c.subject).where(failures.c.step == step, failures.c.resolved_at.is_(None))
    return select if retryable is None else select.where(failures.c.retryable == retryable)
