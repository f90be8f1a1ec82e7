"""Bringing a ledger of an earlier version up to this package's.

New tables need no migration: they are made on opening. A changed table does, and gets one function here, which is never
changed afterwards. It runs in the transaction that notes the new version: killed within, the ledger is what it was.
Alembic's operations are used for what SQL's dialects do differently; SQLite has a changed table built anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from alembic.operations import Operations


@dataclass(frozen=True)
class Migration:
    """One step from a version to the next.

    Attributes:
        to_version: The version that it makes.
        apply: Changes the tables.
    """

    to_version: int
    apply: Callable[[Operations], None]


def migrate(connection: Connection, *, from_version: int) -> tuple[int, ...]:
    """Apply what leads from a version to the newest, in order.

    Returns:
        The versions that were made; none if there was nothing to do.
    """
    due = [migration for migration in MIGRATIONS if migration.to_version > from_version]
    if not due:
        return ()
    # Late: it is needed once in a ledger's life, and every command opens one.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    operations = Operations(MigrationContext.configure(connection))
    for migration in due:
        migration.apply(operations)
    return tuple(migration.to_version for migration in due)


_TABLES_OF_VERSION_1: Final = (
    *("schema_version", "items", "contents", "uploads", "videos", "queries", "coverage", "transcriptions"),
    *("archive", "failures", "api_calls"),
)

_BY_CODE_POINT: Final = sa.String(collation="C")


def _let_the_service_fetch_videos(operations: Operations) -> None:
    """Version 2: a video may come from a URL or an import, and then has no bytes and no hash that we know.

    In PostgreSQL, text of any length that is sorted by code point, and sizes beyond 2 GiB; SQLite has had both.
    """
    is_postgresql = operations.get_bind().dialect.name == "postgresql"
    text = _BY_CODE_POINT if is_postgresql else sa.Text()
    if is_postgresql:
        _widen_columns(operations)
    with operations.batch_alter_table("videos") as videos:
        videos.alter_column("sha256", existing_type=sa.String(64), nullable=True)
        videos.add_column(sa.Column("origin", sa.String(16), nullable=False, server_default="file"))
        videos.add_column(sa.Column("uri", text))
        videos.add_column(sa.Column("name", text))


def _widen_columns(operations: Operations) -> None:
    inspector = sa.inspect(operations.get_bind())
    for table in _TABLES_OF_VERSION_1:
        for column in inspector.get_columns(table):
            name, kind = column["name"], column["type"]
            if isinstance(kind, sa.String) and name not in ("sha256", "state"):
                operations.alter_column(table, name, type_=_BY_CODE_POINT)
            elif isinstance(kind, sa.Integer) and name in ("size_bytes", "bytes_sent", "bytes_received"):
                operations.alter_column(table, name, type_=sa.BigInteger())


MIGRATIONS: Final = (Migration(2, _let_the_service_fetch_videos),)
