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


def _let_the_service_fetch_videos(operations: Operations) -> None:
    """Version 2: a video may come from a URL or an import, and then has no bytes and no hash that we know."""
    with operations.batch_alter_table("videos") as videos:
        videos.alter_column("sha256", existing_type=sa.String(64), nullable=True)
        videos.add_column(sa.Column("origin", sa.String(16), nullable=False, server_default="file"))
        videos.add_column(sa.Column("uri", sa.Text))
        videos.add_column(sa.Column("name", sa.Text))


MIGRATIONS: Final = (Migration(2, _let_the_service_fetch_videos),)
