"""What a published database says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from visualsearch_pipeline.warehouse.errors import ReadError
from visualsearch_pipeline.warehouse.published_copy import local_file
from visualsearch_pipeline.warehouse.reading import open_read_only


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A published database.

    Attributes:
        database_path: Where it lies; a URL if in an object store.
        row_counts: Rows per table.
        published_at: When it was made, UTC.
        rebuilt_at: When all of it was last built anew, UTC.
        replaced_rows: Rows replaced in it since then.
        changed: False where the published file already held all this and was left alone.
        size_bytes: Its size.
        fingerprint: Hash of everything it was built from.
    """

    database_path: Path | str
    row_counts: Mapping[str, int]
    published_at: datetime
    rebuilt_at: datetime
    replaced_rows: int
    changed: bool
    size_bytes: int
    fingerprint: str

    @property
    def rebuilt(self) -> bool:
        """Whether this publication built all of it, rather than bringing the one before up to date."""
        return self.rebuilt_at == self.published_at


def read_publication(database_path: Path | str) -> Publication | None:
    """What is published at `database_path`; None if nothing readable is. `changed` is False."""
    try:
        with open_read_only(database_path) as connection:
            return told_by(connection, database_path)
    except (ReadError, duckdb.Error):
        # Not there, damaged, or of another making: it is built anew.
        return None


def told_by(connection: duckdb.DuckDBPyConnection, database_path: Path | str) -> Publication | None:
    """What an open database says of itself."""
    columns = {name for (name, *_) in connection.execute("DESCRIBE publication").fetchall()}
    # Times as numbers: Python's own conversion would ask for a time zone database.
    since = "epoch_us(rebuilt_at), replaced_rows" if "rebuilt_at" in columns else "epoch_us(published_at), 0"
    row = connection.execute(
        f"SELECT fingerprint, row_counts, epoch_us(published_at), {since} FROM publication"  # noqa: S608 - ours
    ).fetchone()
    if row is None:
        return None
    fingerprint, row_counts, published_us, rebuilt_us, replaced_rows = row
    return Publication(
        database_path=database_path,
        row_counts=dict(row_counts),
        published_at=_moment(published_us),
        rebuilt_at=_moment(rebuilt_us),
        replaced_rows=replaced_rows,
        changed=False,
        size_bytes=local_file(database_path).stat().st_size,
        fingerprint=fingerprint,
    )


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
