"""A database is put in the place of another: who opens it meets one of them whole, whenever that is."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from visualsearch_pipeline.warehouse import ParquetStore, publish, query
from visualsearch_pipeline.warehouse.swapping import swap_in

MakeTable = Callable[..., pa.Table]
DAY = date(2026, 1, 31)


def made(folder: Path, number: int) -> Path:
    """A finished database that holds one number."""
    path = folder / f".{number}.building"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE told AS SELECT {number} AS number")
    return path


def told(path: Path | str) -> object:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT number FROM told").fetchall()


def versions(folder: Path) -> list[Path]:
    return list((folder / ".tables.duckdb.published").iterdir())


def test_duckdb_follows_the_link_before_it_opens_anything(tmp_path: Path) -> None:
    """What the design rests on: what DuckDB has open is the file that is never replaced, under the published name."""
    database = tmp_path / "tables.duckdb"
    swap_in(made(tmp_path, 1), database)
    with duckdb.connect(str(database), read_only=True) as connection:
        ((name, path),) = connection.execute(
            "SELECT database_name, path FROM duckdb_databases() WHERE NOT internal"
        ).fetchall()
    assert name == "tables"
    assert path == str(database.resolve())
    assert database.resolve() != database


def test_who_followed_the_link_before_a_publication_opens_what_was_published_then(tmp_path: Path) -> None:
    database = tmp_path / "tables.duckdb"
    swap_in(made(tmp_path, 1), database)
    followed = database.resolve()
    swap_in(made(tmp_path, 2), database)
    assert told(followed) == [(1,)]
    assert told(database) == [(2,)]


def test_a_new_connection_reads_what_is_new_although_an_old_one_is_open(tmp_path: Path) -> None:
    database = tmp_path / "tables.duckdb"
    swap_in(made(tmp_path, 1), database)
    with duckdb.connect(str(database), read_only=True) as old:
        swap_in(made(tmp_path, 2), database)
        assert told(database) == [(2,)]
        assert old.execute("SELECT number FROM told").fetchall() == [(1,)]


def test_only_the_database_before_stays_beside_the_present_one(tmp_path: Path) -> None:
    database = tmp_path / "tables.duckdb"
    kept = []
    for number in range(4):
        swap_in(made(tmp_path, number), database)
        kept.append(database.resolve().parent)
    assert set(versions(tmp_path)) == set(kept[-2:])
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".building")] == []


def test_what_a_killed_publication_left_is_removed_by_the_next(tmp_path: Path) -> None:
    database = tmp_path / "tables.duckdb"
    swap_in(made(tmp_path, 1), database)
    left = tmp_path / ".tables.duckdb.published" / "left"
    left.mkdir()
    (left / "tables.duckdb").write_bytes(b"half")
    left.with_suffix(".link").symlink_to("nowhere")
    swap_in(made(tmp_path, 2), database)
    assert not left.exists()
    assert len(versions(tmp_path)) == 2


def test_a_folder_that_is_moved_takes_its_database_along(tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    folder.mkdir()
    swap_in(made(folder, 1), folder / "tables.duckdb")
    moved = folder.rename(tmp_path / "elsewhere")
    assert told(moved / "tables.duckdb") == [(1,)]


def test_a_database_of_before_there_was_a_link_is_replaced(tmp_path: Path) -> None:
    database = made(tmp_path, 1).rename(tmp_path / "tables.duckdb")
    swap_in(made(tmp_path, 2), database)
    assert told(database) == [(2,)]
    assert database.is_symlink()


def test_without_symbolic_links_the_file_itself_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refused)
    database = tmp_path / "tables.duckdb"
    for number in (1, 2):
        swap_in(made(tmp_path, number), database)
        assert told(database) == [(number,)]
        assert not database.is_symlink()


def test_what_is_published_is_a_link_and_its_snapshot_a_file_of_its_own(
    store: ParquetStore, tmp_path: Path, make_hits: MakeTable
) -> None:
    database = tmp_path / "visualsearch.duckdb"
    for hits in (1, 2, 3):
        store.write_hits("street", DAY, make_hits("street", DAY, hits))
        publish(store, database, {}, ["street"])
    assert database.is_symlink()
    snapshots = sorted((tmp_path / "snapshots").iterdir())
    assert not any(snapshot.is_symlink() for snapshot in snapshots)
    assert [query(snapshot, "SELECT count(*) FROM hits").rows for snapshot in snapshots[-1:]] == [((2,),)]
