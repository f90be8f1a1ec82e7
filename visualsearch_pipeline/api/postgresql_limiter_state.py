"""The rate limiter's memory in PostgreSQL: for all processes of all machines.

Time is the database's, so that machines whose clocks differ keep one distance. An advisory lock makes "count, then take
a place" one step; the server takes it back when the holder's connection ends, so that nobody is blocked by the dead.

The log is our own three statements, not pyrate-limiter's bucket for PostgreSQL: that one measures with each caller's
clock, and takes a table lock without waiting, so that a busy table, or its vacuum, looks like a full bucket.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from visualsearch_pipeline.api.errors import InvalidInput
from visualsearch_pipeline.api.limiter_state import LimiterTransaction, Pause, window_milliseconds
from visualsearch_pipeline.api.rate_limits import Rate

_LOCK_TIMEOUT_SECONDS: Final = 60
_SESSION: Final = (
    f"SET lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'",
    # A holder that vanished with its machine must not stop the others.
    "SET idle_in_transaction_session_timeout = '10s'",
    # What a crash of the server could lose is the last moments' places; waiting for its disk costs every request.
    "SET synchronous_commit = off",
)

_metadata: Final = sa.MetaData()
_places: Final = sa.Table(
    "rate_limit_places",
    _metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("taken_milliseconds", sa.BigInteger, nullable=False),
)
_pauses: Final = sa.Table(
    "rate_limit_pauses",
    _metadata,
    sa.Column("bucket", sa.Text, primary_key=True),
    sa.Column("until_milliseconds", sa.BigInteger, nullable=False),
    sa.Column("refusals", sa.Integer, nullable=False),
)
_lock: Final = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_now: Final = sa.select(sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger))


class PostgresqlLimiterState:
    """A `LimiterState` in two tables of a PostgreSQL database.

    Args:
        url: An SQLAlchemy URL, such as the ledger's. A password comes better from `PGPASSWORD` or `~/.pgpass`.
        clock: Seconds since the epoch in place of the database's clock, for tests.

    Raises:
        InvalidInput: It is no URL of a PostgreSQL database.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] | None = None) -> None:
        try:
            self._url = sa.make_url(url)
        except sa.exc.ArgumentError:
            raise InvalidInput("the place of the rate limits is no SQLAlchemy address") from None
        if self._url.get_backend_name() != "postgresql":
            raise InvalidInput(
                f"rate limits are shared over machines in postgresql, not {self._url.get_backend_name()}"
            )
        self._clock = clock
        self._guard = threading.Lock()
        self._engine: Engine | None = None
        self._owner_pid = 0

    @contextmanager
    def transaction(self, bucket: str) -> Iterator[LimiterTransaction]:
        """One transaction on a bucket.

        Raises:
            sqlalchemy.exc.DBAPIError: the database cannot be reached.
        """
        with self._open().begin() as connection:
            connection.execute(_lock, {"name": f"visualsearch limit {bucket}"})
            yield _Transaction(connection, bucket, self._clock)

    def close(self) -> None:
        """Close all connections; the next use opens them again."""
        with self._guard:
            if self._engine is not None:
                self._engine.dispose(close=self._owner_pid == os.getpid())
            self._engine = None

    def _open(self) -> Engine:
        with self._guard:
            # A connection must not be used on the other side of a fork.
            if self._engine is None or self._owner_pid != os.getpid():
                if self._engine is not None:
                    self._engine.dispose(close=False)
                engine = sa.create_engine(self._url, pool_pre_ping=True, isolation_level="READ COMMITTED")
                sa.event.listen(engine, "connect", _configure)
                with engine.begin() as connection:
                    connection.execute(_lock, {"name": "visualsearch limit tables"})
                    _metadata.create_all(connection)
                self._engine, self._owner_pid = engine, os.getpid()
            return self._engine


@dataclass(frozen=True)
class _Transaction:
    connection: Connection
    bucket: str
    clock: Callable[[], float] | None

    def now_milliseconds(self) -> int:
        if self.clock is not None:
            return int(self.clock() * 1000)
        return int(self.connection.execute(_now).scalar_one())

    def pause(self) -> Pause | None:
        row = self.connection.execute(
            sa.select(_pauses.c.until_milliseconds, _pauses.c.refusals).where(_pauses.c.bucket == self.bucket)
        ).one_or_none()
        return None if row is None else Pause(until_milliseconds=row[0], refusals=row[1])

    def set_pause(self, pause: Pause) -> None:
        self.clear_pause()
        self.connection.execute(sa.insert(_pauses).values(bucket=self.bucket, **vars(pause)))

    def clear_pause(self) -> None:
        self.connection.execute(sa.delete(_pauses).where(_pauses.c.bucket == self.bucket))

    def take(self, name: str, *, rate: Rate, now_milliseconds: int) -> int:
        now, window = now_milliseconds, window_milliseconds(rate)
        of_bucket, taken = _places.c.bucket == self.bucket, _places.c.taken_milliseconds
        # After the clock was set back, places taken "in the future" would block for as long.
        self.connection.execute(sa.update(_places).where(of_bucket, taken > now).values(taken_milliseconds=now))
        self.connection.execute(sa.delete(_places).where(of_bucket, taken < now - window))
        # All places that are left count; the one that has to expire before there is room is the rate's last.
        newest_first = sa.select(taken).where(of_bucket).order_by(taken.desc())
        in_the_way = self.connection.scalar(newest_first.offset(rate.count - 1).limit(1))
        if in_the_way is not None:
            return max(1, int(in_the_way) + window + 1 - now)
        self.connection.execute(sa.insert(_places).values(bucket=self.bucket, name=name, taken_milliseconds=now))
        return 0

    def move(self, name: str, *, to_milliseconds: int) -> None:
        self.connection.execute(sa.update(_places).where(*self._place(name)).values(taken_milliseconds=to_milliseconds))

    def give_back(self, name: str) -> None:
        self.connection.execute(sa.delete(_places).where(*self._place(name)))

    def _place(self, name: str) -> tuple[sa.ColumnElement[bool], ...]:
        return _places.c.bucket == self.bucket, _places.c.name == name


def _configure(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's connection is untyped here
    for statement in _SESSION:
        cursor.execute(statement)
    cursor.close()
    connection.commit()  # type: ignore[attr-defined]  # as above
