"""One SQLite file, one writer at a time, any number of readers."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Table, create_engine, delete, event, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from visualsearch_pipeline.sandbox.state import tables
from visualsearch_pipeline.sandbox.state.places import distance_km

_SNOWFLAKE_KEY = "last_snowflake"


class StateSchemaError(RuntimeError):
    """A state folder was written by another version of the sandbox."""


class Database:
    """The sandbox's tables.

    WAL mode with `synchronous=NORMAL`: what was committed outlives a killed process (not a power failure, which a
    sandbox need not survive), and reading never waits for writing. All writing in the process goes through one lock,
    so that SQLite never reports a locked database.

    Raises:
        StateSchemaError: The file has another schema version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write_lock = threading.RLock()
        self._engine = create_engine(
            f"sqlite:///{path}", pool_size=8, max_overflow=32, connect_args={"timeout": 30, "check_same_thread": False}
        )
        event.listen(self._engine, "connect", _tune)
        tables.metadata.create_all(self._engine)
        found = self.setting("schema_version")
        if found not in {None, tables.SCHEMA_VERSION}:
            self.close()
            message = (
                f"{path} holds sandbox state of schema version {found}, this sandbox writes version "
                f"{tables.SCHEMA_VERSION}; start it on an empty folder"
            )
            raise StateSchemaError(message)
        self.set_setting("schema_version", tables.SCHEMA_VERSION)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block and rolled back by an exception."""
        with self._write_lock, self._engine.begin() as connection:
            yield connection

    def setting(self, key: str) -> str | None:
        """A remembered setting, None if it was never made."""
        with self.read() as connection:
            return connection.execute(
                select(tables.settings.c.value).where(tables.settings.c.key == key)
            ).scalar_one_or_none()

    def set_setting(self, key: str, value: str) -> None:
        """Remember a setting."""
        with self.write() as connection:
            put_setting(connection, key, value)

    def clear(self) -> None:
        """Forget everything but the settings."""
        with self.write() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                if table is not tables.settings:
                    connection.execute(delete(table))

    def replace_by(self, path: Path) -> None:
        """Take over the content of another database file of the same schema."""
        with self._write_lock:
            self._engine.dispose()
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(self.path, timeout=30)) as target:
                source.backup(target)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def put_setting(connection: Connection, key: str, value: str) -> None:
    """Write a setting inside a transaction that is already open."""
    statement = upsert(tables.settings).values(key=key, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def last_snowflake(connection: Connection) -> int:
    """The newest id given out, 0 if none was."""
    row = connection.execute(
        select(tables.settings.c.value).where(tables.settings.c.key == _SNOWFLAKE_KEY)
    ).scalar_one_or_none()
    return int(row) if row else 0


def remember_snowflake(connection: Connection, snowflake: int) -> None:
    """Note the newest id in the transaction that uses it, so that no restart gives it out again."""
    put_setting(connection, _SNOWFLAKE_KEY, str(snowflake))


def insert_row(connection: Connection, table: Table, values: dict[str, object]) -> int:
    """Insert one row and return its integer primary key."""
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    return int(key[0]) if key is not None and isinstance(key[0], int) else 0


def _tune(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    sqlite = cast("sqlite3.Connection", connection)
    sqlite.execute("PRAGMA journal_mode=WAL")
    sqlite.execute("PRAGMA synchronous=NORMAL")
    sqlite.create_function("distance_km", 4, distance_km, deterministic=True)
