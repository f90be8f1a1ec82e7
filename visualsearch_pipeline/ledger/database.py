"""Opening the ledger: one SQLAlchemy engine, safe for several threads and processes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

import visualsearch_pipeline
from visualsearch_pipeline.ledger.schema import SCHEMA_VERSION, metadata, schema_version

_BUSY_TIMEOUT_SECONDS: Final = 60
_WRITES: Final = "ledger_writes"

RowT = TypeVar("RowT")


class LedgerError(Exception):
    """The ledger cannot be opened, read or written, or is of a version that this package does not know."""


class Database:
    """The engine behind the ledger's parts. Every `writing()` block is one transaction, all or nothing."""

    def __init__(self, url: str) -> None:
        self._engine = _open_engine(url)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection with one consistent view."""
        with self._in_words("read"), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection with one transaction, committed on leaving and rolled back on any exception."""
        with (
            self._in_words("written"),
            self._engine.connect().execution_options(**{_WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _in_words(self, done: str) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise LedgerError(
                f"the ledger {_shown(self._engine.url)} cannot be {done}: {error.orig}. What was committed before "
                "stands; make room or mend what is named, and run again."
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _prepare(self) -> None:
        with self.writing() as connection:
            # Two processes may open a new ledger at once: the write lock orders them, so one makes it.
            metadata.create_all(connection)
            found = connection.scalar(sa.select(sa.func.max(schema_version.c.version)))
            if found is None:
                connection.execute(
                    schema_version.insert().values(
                        version=SCHEMA_VERSION,
                        package_version=visualsearch_pipeline.__version__,
                        applied_at=datetime.now(UTC),
                    )
                )
            elif found > SCHEMA_VERSION:
                raise LedgerError(
                    f"the ledger {_shown(self._engine.url)} has schema version {found}, this package knows "
                    f"{SCHEMA_VERSION}: it was written by a newer visualsearch_pipeline. Upgrade the package, or name "
                    "another ledger in the settings (`ledger_url`)."
                )


def columns_of(table: sa.Table, row_type: type[RowT]) -> tuple[sa.Column[object], ...]:
    """The columns of `table` that fill the fields of the dataclass `row_type`, which are named alike."""
    return tuple(table.c[field.name] for field in fields(row_type))  # type: ignore[arg-type]  # dataclasses only


def read_all(connection: Connection, select: sa.Select[*tuple[Any, ...]], row_type: type[RowT]) -> tuple[RowT, ...]:
    """The rows of a select of `columns_of(table, row_type)`."""
    return tuple(row_type(**row) for row in connection.execute(select).mappings())


def upsert_all(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, object]], *, update: tuple[str, ...]
) -> None:
    """Insert plain rows of the same columns in one go, or update the named columns where their primary key is there."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        pg_insert = postgresql.insert(table)
        pg_changes = {name: pg_insert.excluded[name] for name in update}
        connection.execute(pg_insert.on_conflict_do_update(index_elements=keys, set_=pg_changes), rows)
        return
    from sqlalchemy.dialects import sqlite

    insert = sqlite.insert(table)
    changes = {name: insert.excluded[name] for name in update}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def upsert(connection: Connection, table: sa.Table, values: dict[str, object], *, update: tuple[str, ...]) -> None:
    """Insert a row, or update the named columns of the row that has its primary key."""
    keys = [column.name for column in table.primary_key]
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        pg_insert = postgresql.insert(table).values(values)
        changes = {name: pg_insert.excluded[name] for name in update}
        connection.execute(pg_insert.on_conflict_do_update(index_elements=keys, set_=changes))
        return
    from sqlalchemy.dialects import sqlite

    insert = sqlite.insert(table).values(values)
    changes = {name: insert.excluded[name] for name in update}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=changes))


def _open_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError(
            "`ledger_url` is no SQLAlchemy address; write one such as sqlite:////var/lib/visualsearch/ledger.db"
        ) from error
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        try:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"the ledger's folder cannot be made: {error}") from error
    engine = sa.create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: object) -> None:
        # Transactions are begun by us, below; the driver's own would begin them too late to order writers.
        connection.isolation_level = None  # type: ignore[attr-defined]  # the driver's connection is untyped here
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: a transaction that reads first and writes later could not be retried.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)
