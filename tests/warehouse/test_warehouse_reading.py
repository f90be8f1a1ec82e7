from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.waiting import wait_until
from visualsearch_pipeline.warehouse import (
    InvalidSqlError,
    NotPublishedError,
    ParquetStore,
    ReadError,
    column_schema,
    publish,
    query,
    stream,
)

MakeTable = Callable[..., pa.Table]


ASK = """
import sys
from visualsearch_pipeline.warehouse import query
print(query(sys.argv[1], "SELECT count(*), max(rank) FROM hits").rows)
"""


@pytest.fixture
def database(tmp_path: Path, store: ParquetStore, make_hits: MakeTable) -> Path:
    store.write_hits("street", date(2026, 1, 31), make_hits("street", date(2026, 1, 31), 2))
    path = tmp_path / "it's here" / "visualsearch.duckdb"
    publish(store, path, {}, ["street"])
    return path


def test_a_question_is_answered_with_columns_and_rows(database: Path) -> None:
    result = query(database, "SELECT video_no, day, searched_at, score FROM hits ORDER BY rank")

    assert result.columns == ("video_no", "day", "searched_at", "score")
    noon = datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert result.rows == (
        ("VI000000", date(2026, 1, 31), noon, 1.0),
        ("VI000001", date(2026, 1, 31), noon, 0.5),
    )
    assert result.table.num_rows == 2


def test_a_long_answer_is_read_row_by_row_and_its_late_error_is_told(database: Path) -> None:
    numbers = "FROM (SELECT unnest(range(100_000)) AS number)"
    with stream(database, f"SELECT number, number / 2 AS half {numbers}") as answer:
        assert answer.columns == ("number", "half")
        assert next(answer.rows) == (0, 0.0)
        assert sum(1 for _ in answer.rows) == 99_999

    with stream(database, f"SELECT if(number > 90_000, error('too late'), 1) {numbers}") as answer:
        read = itertools.islice(answer.rows, 10)
        with pytest.raises(InvalidSqlError, match="too late"):
            list(itertools.chain(read, answer.rows))

    with pytest.raises(InvalidSqlError, match="nowhere"), stream(database, "FROM nowhere"):
        pass


def test_an_answer_without_rows_still_has_its_columns(database: Path) -> None:
    result = query(database, "SELECT video_no FROM hits WHERE false")

    assert (result.columns, result.rows) == (("video_no",), ())


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELCT 1", "syntax error"),
        ("SELECT scor FROM hits", "score"),
        ("SELECT * FROM hit", "hits"),
        ("SELECT 'many'::INTEGER FROM hits", "Could not convert"),
        ("", "the question is empty"),
        ("DELETE FROM hits", "read-only"),
        ("DROP TABLE hits", "read-only"),
        ("CREATE TABLE mine (a INTEGER)", "read-only"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_in_the_databases_words(
    database: Path, sql: str, message: str
) -> None:
    with pytest.raises(InvalidSqlError, match=message):
        query(database, sql)
    assert query(database, "SELECT count(*) FROM hits").rows == ((2,),)


def test_a_database_that_is_not_there_or_is_none_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotPublishedError, match="run `visualsearch run` first"):
        query(tmp_path / "nowhere.duckdb", "SELECT 1")
    damaged = tmp_path / "damaged.duckdb"
    damaged.write_bytes(b"x" * 5000)
    with pytest.raises(ReadError, match="delete it and run `visualsearch run`"):
        query(damaged, "SELECT 1")


def test_the_columns_of_a_table_are_known_without_a_database() -> None:
    assert [(column.name, column.sql_type) for column in column_schema("coverage")][-3:] == [
        ("truncated", "BOOLEAN"),
        ("searched_at", "TIMESTAMP WITH TIME ZONE"),
        ("run_id", "VARCHAR"),
    ]
    with pytest.raises(KeyError):
        column_schema("nothing")


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("strace") is None and "CI" not in os.environ, reason="strace is not installed")
def test_a_database_that_is_replaced_while_it_is_opened_is_opened_whole(
    tmp_path: Path, store: ParquetStore, make_hits: MakeTable
) -> None:
    # As where there are no symbolic links: the file itself is replaced.
    path, sizes, log = tmp_path / "visualsearch.duckdb", (2, 40_000), tmp_path / "strace.log"
    for rows in sizes:
        store.write_hits("street", date(2026, 1, 31), make_hits("street", date(2026, 1, 31), rows))
        publish(store, tmp_path / f"{rows}.duckdb", {}, ["street"])
    shutil.copyfile(tmp_path / f"{sizes[0]}.duckdb", path)
    with duckdb.connect(str(path)) as connection:
        # Its head leads elsewhere than that of the next one.
        connection.execute("CREATE TABLE more AS FROM range(1_000_000)")
    # DuckDB opens it once for its head, and once more for the rest; strace holds it up in between.
    held = ["-e", "trace=openat", "-P", str(path), "-e", "inject=openat:delay_enter=3s:when=2"]
    (tmp_path / "ask.py").write_text(ASK)
    asking = ["strace", "-f", "-o", str(log), *held, sys.executable, str(tmp_path / "ask.py"), str(path)]
    with subprocess.Popen(asking, stdout=subprocess.PIPE, text=True) as process:

        def is_held() -> bool:
            assert process.poll() is None
            return log.exists() and str(path) in log.read_text()

        wait_until(is_held, seconds=60, told=lambda: "the database is not opened")
        shutil.copyfile(tmp_path / f"{sizes[1]}.duckdb", tmp_path / "next").replace(path)
        answer, _ = process.communicate(timeout=60)

    assert answer == f"(({sizes[1]}, {sizes[1]}),)\n"
    assert log.read_text().count(str(path)) == 4, "it was opened and read anew"
