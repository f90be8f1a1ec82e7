"""A ledger of an earlier version is brought up to this package's, with everything that is in it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.postgres_server import PostgresServer
from visualsearch_pipeline.ledger import Ledger, LedgerError, VideoOrigin, migrations
from visualsearch_pipeline.ledger.schema import SCHEMA_VERSION

VERSION_1 = Path(__file__).with_name("ledger_version_1.sql")
"""What the first version left of a run over two files, one of them twice, with a third that is no video."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text())
    return path


def columns(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Per table: the name, affinity, whether it may be null, and the place in the key of each column."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: [
                (name, _affinity(kind), not_null, key)
                for _, name, kind, not_null, _, key in connection.execute(f"PRAGMA table_info('{table}')")
            ]
            for table in tables
        }


def indexes(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


def _affinity(kind: str) -> str:
    """What SQLite makes of a declared type (https://sqlite.org/datatype3.html, 3.1)."""
    for part, affinity in (("INT", "integer"), ("CHAR", "text"), ("TEXT", "text"), ("FLOA", "real")):
        if part in kind:
            return affinity
    return "numeric"


def columns_in_postgres(url: str) -> list[tuple[object, ...]]:
    select = """
        SELECT table_name, column_name, data_type, character_maximum_length, collation_name, is_nullable
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, column_name
    """
    with psycopg.connect(url) as connection:
        return connection.execute(select).fetchall()


def versions(path: Path) -> Iterator[int]:
    with closing(sqlite3.connect(path)) as connection:
        yield from (version for (version,) in connection.execute("SELECT version FROM schema_version ORDER BY 1"))


def test_a_migrated_ledger_is_made_like_a_new_one(old: Path, tmp_path: Path) -> None:
    Ledger(f"sqlite:///{old}").close()
    Ledger(f"sqlite:///{tmp_path / 'new.db'}").close()
    assert columns(old) == columns(tmp_path / "new.db")
    assert indexes(old) == indexes(tmp_path / "new.db")
    assert list(versions(old)) == list(range(1, SCHEMA_VERSION + 1))


def test_so_it_is_on_postgresql(postgres: PostgresServer) -> None:
    old, new = postgres.make_database(), postgres.make_database()
    # The tables as the first version made them, in PostgreSQL's words; the rows are SQLite's.
    tables = re.findall(r"^CREATE [^;]+;", VERSION_1.read_text(), flags=re.M)
    assert len(tables) > 20
    # Contents first: other tables refer to them.
    tables.sort(key=lambda statement: (" INDEX " in statement, "contents (\n" not in statement))
    with psycopg.connect(old) as connection:
        for statement in tables:
            connection.execute(statement.replace("DATETIME", "TIMESTAMP WITH TIME ZONE").encode())
        connection.execute("INSERT INTO schema_version VALUES (1, '0.1.0', now())")
    Ledger(old).close()
    Ledger(new).close()
    assert columns_in_postgres(old) == columns_in_postgres(new)
    with psycopg.connect(old) as connection:
        assert connection.execute("SELECT version FROM schema_version ORDER BY 1").fetchall() == [(1,), (2,)]


def test_what_an_earlier_version_knew_is_known(old: Path) -> None:
    with Ledger(f"sqlite:///{old}") as ledger:
        videos = ledger.videos.ready()
        assert {(video.origin, video.uri) for video in videos} == {(VideoOrigin.FILE, None)}
        assert sorted(ledger.videos.media_uris().values()) == [
            "file:///srv/project/footage/blue.mp4",
            "file:///srv/project/footage/copy-of-red.mp4",
        ]
        assert all(ledger.items.content(str(video.sha256)).size_bytes > 0 for video in videos)
        assert len(ledger.items.all_by_uri()) == 4
        assert not ledger.fetches.unarchived_videos()
        assert ledger.url_uploads.open() == ()


def test_a_ledger_is_migrated_once(old: Path) -> None:
    for _ in range(2):
        Ledger(f"sqlite:///{old}").close()
    assert list(versions(old)) == list(range(1, SCHEMA_VERSION + 1))


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = columns(old)["videos"]

    def fail_at_the_end(_: object) -> None:
        raise OSError("the disk is full")

    failing = migrations.Migration(SCHEMA_VERSION + 1, fail_at_the_end)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, failing))
    with pytest.raises(OSError, match="the disk is full"):
        Ledger(f"sqlite:///{old}")
    assert columns(old)["videos"] == before
    assert list(versions(old)) == [1]


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger(url).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("INSERT INTO schema_version VALUES (99, '9.9', '2030-01-01 00:00:00')")
    with pytest.raises(LedgerError, match="schema version 99"):
        Ledger(url)
