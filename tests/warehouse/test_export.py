"""Tables and answers as files for other programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from visualsearch_pipeline.warehouse import (
    ExportError,
    ExportFormat,
    InvalidSqlError,
    NotPublishedError,
    ParquetStore,
    export,
    publish,
    query,
)

MakeTable = Callable[..., pa.Table]
DAY = date(2026, 1, 31)
HOSTILE = 'a "quoted", name\nof two lines; and =1+1'


@pytest.fixture
def database(tmp_path: Path, store: ParquetStore, make_hits: MakeTable) -> Path:
    store.write_hits("street", DAY, make_hits("street", DAY, 3, video_name=HOSTILE))
    path = tmp_path / "visualsearch.duckdb"
    publish(store, path, {}, ["street"])
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".ndjson", ".CSV"])
def test_a_table_is_written_with_every_value_in_the_format_its_name_says(
    database: Path, tmp_path: Path, suffix: str
) -> None:
    destination = tmp_path / f"it's hits{suffix}"

    exported = export(database, "hits", destination)

    rows: list[dict[str, object]]
    match exported.format:
        case ExportFormat.CSV:
            with destination.open(newline="") as file:
                rows = [{**row} for row in csv.DictReader(file)]
        case ExportFormat.PARQUET:
            rows = pq.read_table(destination).to_pylist()
        case ExportFormat.JSON_LINES:
            rows = [json.loads(line) for line in destination.read_text().splitlines()]
    expected = query(database, "FROM hits").table.to_pylist()
    assert exported.row_count == len(rows) == 3
    assert exported.size_bytes == destination.stat().st_size
    assert [(str(row["day"]), float(str(row["score"])), row["video_name"]) for row in rows] == [
        (str(row["day"]), row["score"], row["video_name"]) for row in expected
    ]
    assert list(rows[0]) == list(expected[0])
    assert "2026-02-01" in str(rows[0]["searched_at"])
    assert "12:00:00" in str(rows[0]["searched_at"])


def test_an_answer_is_written_and_the_format_may_be_named(database: Path, tmp_path: Path) -> None:
    sql = "SELECT video_no, score FROM top_hits(1) ORDER BY score -- the best;\n;"

    exported = export(database, sql, tmp_path / "best", format=ExportFormat.JSON_LINES)

    assert exported.row_count == 0
    assert export(database, "SELECT 1 AS one", tmp_path / "best", format=ExportFormat.CSV).row_count == 1
    assert (tmp_path / "best").read_text() == "one\n1\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing", "nothing"),
        ("SELECT nothing FROM hits", "nothing"),
        ("SELEC 1", "cannot be read"),
        ("FROM hits; FROM videos", "one statement that gives rows"),
        ("CREATE TABLE mine (a INTEGER)", "one statement that gives rows"),
        ("", "one statement that gives rows"),
        ("SELECT 1) TO '/tmp/elsewhere.csv'; --", "cannot be read"),
    ],
)
def test_what_gives_no_rows_is_refused_and_no_file_is_left(
    database: Path, tmp_path: Path, source: str, message: str
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "rows.csv").write_text("earlier")

    with pytest.raises(InvalidSqlError, match=message) as refused:
        export(database, source, folder / "rows.csv")

    assert "COPY" not in str(refused.value), "what nobody has asked"
    assert [path.name for path in folder.iterdir()] == ["rows.csv"]
    assert (folder / "rows.csv").read_text() == "earlier"


def test_an_error_midway_leaves_the_file_that_was_there(database: Path, tmp_path: Path) -> None:
    destination = tmp_path / "rows.csv"
    destination.write_text("earlier")

    with pytest.raises(InvalidSqlError, match="Could not convert"):
        export(database, "SELECT video_no::INTEGER FROM hits", destination)

    assert destination.read_text() == "earlier"
    assert not list(tmp_path.glob(".rows.csv.*"))


def test_a_name_without_a_format_and_a_folder_that_is_not_there_are_told(database: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"hits\.xlsx does not say .* \.csv, \.parquet, \.jsonl, \.ndjson"):
        export(database, "hits", tmp_path / "hits.xlsx")
    with pytest.raises(ExportError, match="name a folder that exists"):
        export(database, "hits", tmp_path / "nowhere" / "hits.csv")
    with pytest.raises(NotPublishedError):
        export(tmp_path / "none.duckdb", "hits", tmp_path / "hits.csv")


def test_a_name_that_is_no_table_is_answered_with_the_tables_there_are(database: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSqlError) as exported:
        export(database, "nothits", tmp_path / "hits.csv")
    with pytest.raises(InvalidSqlError) as asked:
        query(database, "SELECT * FROM hitss")

    assert "has no table `nothits`; did you mean `hits`? There are: " in str(exported.value)
    assert "COPY" not in str(exported.value)
    assert "did you mean `hits`?" in str(asked.value)
    assert "street" in str(asked.value)


def test_a_name_that_was_retired_is_told_as_retired(
    store: ParquetStore, make_hits: MakeTable, make_table: MakeTable, tmp_path: Path
) -> None:
    path = tmp_path / "visualsearch.duckdb"
    at = datetime(2026, 2, 1, tzinfo=UTC)
    known = [("yard", "cat", at), ("street", "dog", at), ("street", "cow", None)]
    queries = make_table(
        "queries",
        *(
            {"query_set": name, "query_id": query_id, "is_current": retired_at is None, "retired_at": retired_at}
            for name, query_id, retired_at in known
        ),
    )
    store.write_hits("street", DAY, make_hits("street", DAY, 1))
    publish(store, path, {"queries": queries}, ["street"])

    for name, said in {
        "yard": "the query set of this name is retired since 2026-02-01. What it found is kept: FROM hits WHERE",
        "dog": "the query of this name is retired since 2026-02-01. What it found is kept: FROM hits_of('dog')",
        "cow": "it is a query, not a set: FROM hits_of('cow')",
    }.items():
        with pytest.raises(InvalidSqlError) as refused:
            query(path, f"FROM {name}")
        assert said in str(refused.value)
