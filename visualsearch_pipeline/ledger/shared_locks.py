"""Locks with a name that all machines of a ledger share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from visualsearch_pipeline.ledger.errors import LedgerError


@contextmanager
def held(engine: Engine, name: str) -> Iterator[None]:
    """Hold PostgreSQL's advisory lock `name` of this database; wait for it as long as its holder lives.

    The lock belongs to a connection of its own. The server takes it back when that connection ends: at once if the
    holder is killed, after a minute without a sign of life if its machine is gone.

    Raises:
        LedgerError: the connection, and the lock with it, was lost meanwhile.
        sqlalchemy.exc.DBAPIError: the database cannot be reached.
    """
    parameters = {"name": f"visualsearch {name}"}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET lock_timeout = 0")
        connection.execute(sa.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), parameters)
        try:
            yield
        except BaseException:
            # Closed, not given back to the pool: whatever state it is in, the lock goes with it.
            connection.invalidate()
            raise
        try:
            released = connection.scalar(sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), parameters)
        except sa.exc.DBAPIError as error:
            raise _lost(name) from error
        finally:
            connection.invalidate()
        if released is not True:
            raise _lost(name)


def _lost(name: str) -> LedgerError:
    return LedgerError(
        f"the connection that held the lock {name!r} was lost, and another process may have worked on the same; "
        "run again: what was written is compared and completed"
    )
