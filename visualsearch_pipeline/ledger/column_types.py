"""What the ledger's columns hold, alike in SQLite and in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Dialect, Enum, String
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always aware and in UTC; SQLite keeps no zone, so it is put back on reading."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy calls it so
        """Refuse naive moments; store the rest in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the ledger keeps aware moments only, not {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy calls it so
        """Give the moment back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Text(TypeDecorator[str]):
    """Text of any length, sorted by code point.

    PostgreSQL would sort by the language that its cluster was made for, and knows no NUL character: it is kept as
    U+FFFD in both databases.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """The column's type in a database."""
        return dialect.type_descriptor(sa.Text(collation="C" if dialect.name == "postgresql" else None))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # SQLAlchemy calls it so
        """Replace NUL characters, which a service's message may hold."""
        return value if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


ByteCount = sa.BigInteger
"""A size in bytes: PostgreSQL's plain integers end at 2 GiB."""

Sha256 = String(64)
"""A SHA-256 in hexadecimal digits."""

_STATE_CHARACTERS: Final = 16


def state_type(states: type[StrEnum]) -> Enum:
    """One of `states`, kept as its value: text that people and SQL can read."""
    return Enum(
        states,
        native_enum=False,
        length=_STATE_CHARACTERS,
        values_callable=lambda kinds: [kind.value for kind in kinds],
    )
