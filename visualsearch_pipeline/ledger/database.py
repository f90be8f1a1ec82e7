"""Opening the ledger: one SQLAlchemy engine, safe for several threads and processes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError

import visualsearch_pipeline
from visualsearch_pipeline.ledger.engine import WRITES, open_engine
from visualsearch_pipeline.ledger.errors import LedgerError
from visualsearch_pipeline.ledger.migrations import migrate
from visualsearch_pipeline.ledger.schema import SCHEMA_VERSION, metadata, schema_version
from visualsearch_pipeline.ledger.shared_locks import held

RowT = TypeVar("RowT")


class Database:
    """The engine behind the ledger's parts. Every `writing()` block is one transaction, all or nothing."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
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
            self._engine.connect().execution_options(**{WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a lock that one process of all machines holds at a time; only PostgreSQL has them."""
        with self._in_words("locked"), held(self._engine, name):
            yield

    @property
    def is_shared(self) -> bool:
        """Whether other machines may work with this ledger too."""
        return self._engine.dialect.name == "postgresql"

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
                self._note_versions(connection, SCHEMA_VERSION)
            elif found < SCHEMA_VERSION:
                self._note_versions(connection, *migrate(connection, from_version=found))
            elif found > SCHEMA_VERSION:
                raise LedgerError(
                    f"the ledger {_shown(self._engine.url)} has schema version {found}, this package knows "
                    f"{SCHEMA_VERSION}: it was written by a newer visualsearch_pipeline. Upgrade the package, or name "
                    "another ledger in the settings (`ledger_url`)."
                )

    @staticmethod
    def _note_versions(connection: Connection, *versions: int) -> None:
        package_version, now = visualsearch_pipeline.__version__, datetime.now(UTC)
        for version in versions:
            row = {"version": version, "package_version": package_version, "applied_at": now}
            connection.execute(schema_version.insert().values(row))


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
    insert = _insert(connection, table)
    changes = {name: insert.excluded[name] for name in update}
    connection.execute(insert.on_conflict_do_update(index_elements=_keys(table), set_=changes), rows)


def upsert(connection: Connection, table: sa.Table, values: dict[str, object], *, update: tuple[str, ...]) -> None:
    """Insert a row, or update the named columns of the row that has its primary key."""
    insert = _insert(connection, table).values(values)
    changes = {name: insert.excluded[name] for name in update}
    connection.execute(insert.on_conflict_do_update(index_elements=_keys(table), set_=changes))


def _insert(connection: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _keys(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)
