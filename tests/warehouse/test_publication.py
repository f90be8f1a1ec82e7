from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import filelock
import pyarrow as pa
import pytest

from visualsearch_pipeline.warehouse import (
    TABLES,
    ParquetFileError,
    ParquetStore,
    PublicationBusyError,
    PublicationError,
    SchemaMismatchError,
    publish,
    query,
    read_publication,
)
from visualsearch_pipeline.warehouse.views import VIEWS

MakeTable = Callable[..., pa.Table]
DAY, NEXT_DAY = date(2026, 1, 31), date(2026, 2, 1)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "published" / "visualsearch.duckdb"


def test_all_tables_are_published_with_their_rows(
    store: ParquetStore, database: Path, make_hits: MakeTable, make_table: MakeTable
) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 3))
    store.write_hits("street", NEXT_DAY, make_hits("street", NEXT_DAY, 2))
    store.write_day("transcripts", DAY, make_table("transcripts", {"day": DAY, "text": "hello"}))
    videos = make_table("videos", {"video_no": "VI1", "tags": ["gate", "it's"]})

    publication = publish(store, database, {"videos": videos}, [])

    assert publication.changed
    assert publication.size_bytes == database.stat().st_size
    derived = {"publication", "publication_files", "hits_by_day"}
    assert publication.row_counts == dict.fromkeys(set(TABLES) - derived, 0) | {
        "hits": 5,
        "transcripts": 1,
        "videos": 1,
    }
    assert query(database, "SELECT * FROM videos").table.to_pylist() == videos.to_pylist()
    published = query(database, "SELECT * FROM hits ORDER BY day, rank").table
    assert published.to_pylist() == [
        row for day in (DAY, NEXT_DAY) for row in store.read_hits("street", day).to_pylist()
    ]
    assert tuple(published.column_names) == tuple(TABLES["hits"].arrow_schema.names)
    ((columns,),) = query(database, "SELECT list(column_name) FROM duckdb_columns() WHERE NOT internal").rows
    assert isinstance(columns, list)
    assert len(columns) == sum(len(spec.columns) for spec in TABLES.values()) + sum(len(view.columns) for view in VIEWS)


def test_a_set_has_a_view_of_what_it_asks_today_and_all_history_stays_in_hits(
    store: ParquetStore, database: Path, make_hits: MakeTable, make_table: MakeTable
) -> None:
    for version in ("old", "new"):
        hits = [make_hits("street", DAY, 2, query_id="dog", query_version=known) for known in ("old", version)]
        store.write_hits("street", DAY, pa.concat_tables(hits if version == "new" else hits[:1]))
    store.write_hits("removed", DAY, make_hits("removed", DAY, 1))
    queries = make_table(
        "queries",
        {"query_set": "street", "query_id": "dog", "query_version": "old", "is_current": False},
        {"query_set": "street", "query_id": "dog", "query_version": "new", "is_current": True},
    )

    publish(store, database, {"queries": queries}, ["street", "yard"])

    assert query(database, "SELECT DISTINCT query_version FROM street").rows == (("new",),)
    assert query(database, "SELECT count(*) FROM yard").rows == ((0,),)
    assert query(database, "SELECT query_set, count(*) FROM hits GROUP BY ALL ORDER BY ALL").rows == (
        ("removed", 1),
        ("street", 4),
    )
    assert tuple(query(database, "SELECT * FROM yard").columns) == tuple(TABLES["hits"].arrow_schema.names)


def test_every_table_view_and_column_carries_its_comment(store: ParquetStore, database: Path) -> None:
    publish(store, database, {}, ["street"])

    uncommented = query(
        database,
        """
        SELECT table_name FROM duckdb_tables() WHERE comment IS NULL
        UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL
        UNION ALL SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL
        """,
    )
    assert uncommented.rows == ()
    ((comment,),) = query(
        database, "SELECT comment FROM duckdb_columns() WHERE table_name = 'street' AND column_name = 'score'"
    ).rows
    assert comment == TABLES["hits"].column("score").description


def test_nothing_new_is_not_published_again(
    store: ParquetStore, database: Path, make_hits: MakeTable, make_table: MakeTable
) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 3))
    videos = {"videos": make_table("videos", {"video_no": "VI1"})}
    first = publish(store, database, videos, ["street"])
    identity = (database.stat().st_ino, database.stat().st_mtime_ns)

    store.write_hits("street", DAY, make_hits("street", DAY, 3))
    second = publish(store, database, videos, ["street"])

    assert (first.changed, second.changed) == (True, False)
    assert (database.stat().st_ino, database.stat().st_mtime_ns) == identity
    assert (second.row_counts, second.published_at) == (first.row_counts, first.published_at)


@pytest.mark.parametrize("change", ["hits", "ledger", "sets", "database removed", "database damaged"])
def test_whatever_changed_is_published(
    store: ParquetStore, database: Path, make_hits: MakeTable, make_table: MakeTable, change: str
) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 3))
    ledger_tables, query_sets = {"videos": make_table("videos", {"video_no": "VI1"})}, ["street"]
    publish(store, database, ledger_tables, query_sets)
    match change:
        case "hits":
            store.write_hits("street", DAY, make_hits("street", DAY, 3, video_name="other"))
        case "ledger":
            ledger_tables = {"videos": make_table("videos", {"video_no": "VI2"})}
        case "sets":
            query_sets = ["street", "yard"]
        case "database removed":
            database.unlink()
        case "database damaged":
            database.write_bytes(b"not a database" * 1000)

    assert publish(store, database, ledger_tables, query_sets).changed
    assert query(database, "SELECT count(*) FROM hits").rows == ((3,),)


def test_a_publication_says_what_it_was_built_from(store: ParquetStore, database: Path) -> None:
    published = publish(store, database, {}, [])

    found = read_publication(database)

    assert found is not None
    assert (found.fingerprint, found.published_at, found.row_counts) == (
        published.fingerprint,
        published.published_at,
        published.row_counts,
    )
    assert read_publication(database.with_name("nowhere")) is None


def test_a_damaged_file_stops_the_publication_and_the_old_database_stays(
    store: ParquetStore, database: Path, make_hits: MakeTable
) -> None:
    for day in (DAY, NEXT_DAY):
        store.write_hits("street", day, make_hits("street", day, 500))
    publish(store, database, {}, ["street"])
    damaged = Path(store.root) / store.files("hits")[1].path
    damaged.write_bytes(damaged.read_bytes()[:-20])

    with pytest.raises(ParquetFileError, match=rf"cannot read {damaged}: it is damaged"):
        publish(store, database, {}, ["street"])

    assert query(database, "SELECT count(*) FROM hits").rows == ((1000,),)
    assert {path.name for path in database.parent.iterdir()} == {
        database.name,
        f".{database.name}.lock",
        f".{database.name}.published",
    }


def test_rows_of_the_ledger_that_do_not_fit_are_refused(store: ParquetStore, database: Path) -> None:
    with pytest.raises(SchemaMismatchError, match="table videos: column name"):
        publish(store, database, {"videos": pa.table({"name": ["x"]})}, [])
    with pytest.raises(ValueError, match="not tables of the ledger: hits"):
        publish(store, database, {"hits": TABLES["hits"].empty()}, [])
    assert not database.exists()


def test_a_full_disk_leaves_the_old_database_and_says_so(
    store: ParquetStore, database: Path, make_hits: MakeTable
) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 2))
    publish(store, database, {}, ["street"])
    store.write_hits("street", NEXT_DAY, make_hits("street", NEXT_DAY, 50_000))
    limit = database.stat().st_size + 100_000
    script = f"""
import resource, sys
from pathlib import Path
from visualsearch_pipeline.warehouse import ParquetStore, PublicationError, publish
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    publish(ParquetStore(sys.argv[1]), Path(sys.argv[2]), {{}}, ["street"])
except PublicationError as error:
    sys.exit(str(error))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, store.root, str(database)], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1, (ended.returncode, ended.stderr)
    assert f"cannot publish {database}" in ended.stderr
    assert "is untouched; make room or mend the permissions, and run again" in ended.stderr
    assert query(database, "SELECT count(*) FROM hits").rows == ((2,),)
    assert {path.name for path in database.parent.iterdir()} == {
        database.name,
        f".{database.name}.lock",
        f".{database.name}.published",
    }

    assert publish(store, database, {}, ["street"]).row_counts["hits"] == 50_002


def test_a_folder_that_cannot_be_written_is_a_clear_error(store: ParquetStore, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(PublicationError, match=r"cannot publish .*: .*make room or mend the permissions"):
        publish(store, tmp_path / "file" / "visualsearch.duckdb", {}, [])


def test_two_publications_do_not_fight(store: ParquetStore, database: Path, make_hits: MakeTable) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 3))
    database.parent.mkdir()
    with (
        filelock.FileLock(database.with_name(f".{database.name}.lock")),
        pytest.raises(PublicationBusyError, match=r"for more than 0\.05 s"),
    ):
        publish(store, database, {}, ["street"], lock_timeout_seconds=0.05)
    assert not database.exists()

    changed: list[bool] = []
    threads = [
        threading.Thread(target=lambda: changed.append(publish(store, database, {}, ["street"]).changed))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(changed) == [False, False, False, True]


READER = """
import json, sys
from pathlib import Path
import duckdb
held = duckdb.connect(sys.argv[1], read_only=True)
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    try:
        if line.strip() == "held":
            connection = held
        else:
            connection = duckdb.connect()
            connection.execute(f"ATTACH '{sys.argv[1]}' AS w (READ_ONLY)")
            connection.execute("USE w")
        answer = connection.execute("SELECT run_id, count(*) FROM hits GROUP BY ALL").fetchall()
    except Exception as error:
        answer = repr(error)
    print(json.dumps(answer), flush=True)
"""


@contextmanager
def reader_of(database: Path) -> Iterator[Callable[[str], object]]:
    """A process of an analyst; ask it over the connection it has held from the beginning, or over a fresh one."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to_reader, from_reader = process.stdin, process.stdout

        def ask(connection: str) -> object:
            print(connection, file=to_reader, flush=True)
            return json.loads(from_reader.readline())

        try:
            assert json.loads(from_reader.readline()) == "ready"
            yield ask
        finally:
            process.kill()


def test_readers_are_never_locked_out_and_never_see_two_runs_at_once(
    store: ParquetStore, database: Path, make_hits: MakeTable
) -> None:
    def publish_run(number: int) -> None:
        for day in (DAY, NEXT_DAY):
            store.write_hits("street", day, make_hits("street", day, 1000 + number, run_id=f"run {number}"))
        publish(store, database, {}, ["street"])

    publish_run(0)
    with reader_of(database) as ask:
        assert ask("held") == [["run 0", 2000]]
        seen: list[object] = []
        done = threading.Event()

        def keep_asking() -> None:
            while not done.is_set():
                seen.append(ask("fresh"))

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            for number in range(1, 11):
                publish_run(number)
        finally:
            done.set()
            asking.join()

        allowed = [[[f"run {number}", 2 * (1000 + number)]] for number in range(11)]
        assert len(seen) > 10
        assert all(answer in allowed for answer in seen)
        assert ask("held") == [["run 0", 2000]], "who has the old file open goes on reading it"
        assert ask("fresh") == [["run 10", 2020]]


def test_a_connection_held_in_this_process_does_not_hide_what_was_published_since(
    store: ParquetStore, database: Path, make_hits: MakeTable
) -> None:
    publish(store, database, {}, [])
    with duckdb.connect(str(database), read_only=True) as held:
        store.write_hits("street", DAY, make_hits("street", DAY, 3))
        publish(store, database, {}, [])

        assert held.execute("SELECT count(*) FROM hits").fetchone() == (0,)
        assert query(database, "SELECT count(*) FROM hits").rows == ((3,),)
        assert not publish(store, database, {}, []).changed


def test_the_published_file_can_be_read_by_others_as_the_umask_allows(store: ParquetStore, database: Path) -> None:
    before = os.umask(0o022)
    try:
        publish(store, database, {}, [])
    finally:
        os.umask(before)

    assert database.stat().st_mode & 0o777 == 0o644
