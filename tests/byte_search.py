"""Looking for a text in every byte that a program left behind, also where it was packed or encoded."""

from __future__ import annotations

import base64
import gzip
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow.parquet as pq


def spellings(secret: str) -> tuple[bytes, ...]:
    """A text as it is, and as headers, addresses and dumps would spell it."""
    texts = {secret, quote(secret, safe=""), secret[::-1], repr(secret)[1:-1]}
    encoded = {base64.b64encode(f"{prefix}{secret}".encode()).rstrip(b"=")[4:-4] for prefix in ("", "x", "xy")}
    return (*(text.encode() for text in texts), secret.encode("utf-16-le"), secret.encode().hex().encode(), *encoded)


def places_of(secret: str, folder: Path, *, except_below: tuple[Path, ...] = ()) -> list[str]:
    """Where below `folder` the secret stands: file, and table or column where it is a database."""
    wanted = spellings(secret)
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(other) for other in except_below):
            found += [
                f"{path.relative_to(folder)}{where}"
                for where, data in _contents(path)
                if any(spelling in data for spelling in wanted)
            ]
    return found


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """The bytes of a file, of its name, and of everything that is packed within."""
    yield " (name)", path.name.encode()
    data = path.read_bytes()
    yield "", data
    yield from ((" (unpacked)", unpacked) for unpacked in _unpacked(data))
    if data.startswith(b"SQLite format 3\x00"):
        yield from _of_sqlite(path)
    elif path.suffix == ".parquet":
        yield " (rows)", repr(pq.read_table(path, partitioning=None).to_pylist()).encode()
        yield " (metadata)", repr(pq.read_metadata(path).metadata).encode()
    elif path.suffix == ".duckdb":
        with duckdb.connect(path, read_only=True) as connection:
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608  our own names
                yield f" ({table})", repr(rows).encode()


def _of_sqlite(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table.decode()}"'):  # noqa: S608  names from the file
                for value in row:
                    if isinstance(value, bytes):
                        yield f" ({table.decode()})", value
                        yield from ((f" ({table.decode()}, unpacked)", inner) for inner in _unpacked(value))


def _unpacked(data: bytes) -> Iterator[bytes]:
    """What zlib or gzip made smaller; Dagster keeps its snapshots so."""
    if data[:1] == b"\x78":
        try:
            yield zlib.decompress(data)
        except zlib.error:
            return
    elif data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
