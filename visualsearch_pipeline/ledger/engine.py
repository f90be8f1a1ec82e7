"""Opening the database under the ledger, so that SQLite and PostgreSQL keep the same promises.

A transaction that writes has the ledger to itself: on SQLite because it begins with the write lock, on PostgreSQL
because it begins with an advisory lock that the server takes back when the holder's connection ends. So "look, then
write" needs no second thought anywhere above. One that reads sees one moment of the ledger. Writers do not hold each
other up for long: a commit takes milliseconds, and what a run may do is limited to a few requests a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from visualsearch_pipeline.ledger.errors import LedgerError

WRITES: Final = "ledger_writes"
"""The execution option of a transaction that may write."""

_BUSY_TIMEOUT_SECONDS: Final = 60
_WRITE_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('visualsearch ledger writes', 0))"
_SESSION: Final = (
    "SET TIME ZONE 'UTC'",
    f"SET lock_timeout = '{_BUSY_TIMEOUT_SECONDS}s'",
    # A holder that vanished with its machine must not stop the others: the server ends its connection.
    f"SET idle_in_transaction_session_timeout = '{_BUSY_TIMEOUT_SECONDS}s'",
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)


def open_engine(url: str) -> Engine:
    """An engine for the ledger at `url`: SQLite or PostgreSQL.

    Raises:
        LedgerError: the address is none, its folder cannot be made, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError(
            "`ledger_url` is no SQLAlchemy address; write one such as sqlite:////var/lib/visualsearch/ledger.db"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
    if backend == "postgresql":
        return _open_postgresql(parsed)
    raise LedgerError(f"`ledger_url` names {backend}; the ledger lives in sqlite or postgresql")


def _open_sqlite(url: sa.URL) -> Engine:
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"the ledger's folder cannot be made: {error}") from error
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: ConnectionPoolEntry) -> None:
        # Transactions are begun by us, below; the driver's own would begin them too late to order writers.
        connection.isolation_level = None  # type: ignore[attr-defined]  # the driver's connection is untyped here
        cursor = connection.cursor()  # type: ignore[attr-defined]  # as above
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: a transaction that reads first and writes later could not be retried.
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_postgresql(url: sa.URL) -> Engine:
    try:
        engine = sa.create_engine(url, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        raise LedgerError(
            f"`ledger_url` names PostgreSQL, and its driver is missing ({error}); "
            "type `pip install 'visualsearch-pipeline[postgres]'`"
        ) from error

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]  # the driver's connection is untyped here
        for statement in _SESSION:
            cursor.execute(statement)
        cursor.close()
        connection.commit()  # type: ignore[attr-defined]  # as above

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Each statement of a writer sees what was committed before it; under a stricter isolation the moment it sees
        # would be the one before it waited for the lock.
        options = connection.get_execution_options()
        if options.get(WRITES):
            connection.exec_driver_sql(_WRITE_LOCK)
        elif options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    return engine
