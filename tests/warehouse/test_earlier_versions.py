"""Files of every earlier version stay readable. `versions/` has a store and a database of each, as published then."""

from __future__ import annotations

import tarfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from tests.warehouse import keep_version
from visualsearch_pipeline.warehouse import TABLES, ParquetStore, publish, query, read_publication
from visualsearch_pipeline.warehouse.documentation import tables_page
from visualsearch_pipeline.warehouse.schemas import FILE_TABLES, SCHEMA_VERSION

KEPT = {
    int(path.name.removeprefix("schema-").removesuffix(".tar.xz")): path
    for path in sorted(Path(__file__).with_name("versions").glob("schema-*.tar.xz"))
}
VERSIONS = [path for number, path in KEPT.items() if number < SCHEMA_VERSION]
_FIRST = frozenset(
    {"api_calls", "archive", "captions", "coverage", "failures", "hits", "queries", "transcripts", "videos"}
)
_WITH_LIBRARIES = _FIRST | {
    "api_call_totals",
    "hit_changes",
    "image_coverage",
    "image_hits",
    "images",
    "public_answers",
    "public_hits",
    "public_videos",
    "remote_deletions",
}
TABLES_OF = {
    "schema-10": _FIRST,
    "schema-15": _FIRST | {"hit_changes"},
    "schema-24": _WITH_LIBRARIES,
    "schema-25": _WITH_LIBRARIES,
    "schema-26": _WITH_LIBRARIES | {"imported_videos"},
}
"""The tables that each version had; the others of today came later."""
PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name.split(".")[0])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder: Path = tmp_path / request.param.name.split(".")[0]
    with tarfile.open(request.param) as archive:
        # Not all at once: the filters that newer Pythons ask for came with 3.11.4.
        for member in archive:
            if packed := archive.extractfile(member):
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(packed.read())
    return folder


def test_the_present_version_is_kept_for_those_that_follow() -> None:
    assert len(VERSIONS) >= 5
    assert max(KEPT) == SCHEMA_VERSION, "run: python tests/warehouse/keep_version.py"


def test_what_is_kept_of_a_version_has_a_value_in_every_column(tmp_path: Path) -> None:
    keep_version.fill(tmp_path)

    store = ParquetStore(str(tmp_path))
    for spec in FILE_TABLES:
        for rows in store.iter_tables(spec.name):
            assert rows.num_rows > 0
            assert [name for name in rows.column_names if rows.column(name).null_count] == [], spec.name
    assert all(store.files(spec.name) for spec in FILE_TABLES)


def test_the_parquet_files_of_every_earlier_version_are_read_in_todays_schema(earlier: Path) -> None:
    store = ParquetStore(str(earlier))
    for spec in FILE_TABLES:
        files = store.files(spec.name)
        assert bool(files) == (spec.name in TABLES_OF[earlier.name]), spec.name
        for rows in store.iter_tables(spec.name):
            assert rows.schema.equals(spec.arrow_schema)
            assert rows.num_rows > 0
    (call,) = store.read_file(store.files("api_calls")[0]).to_pylist()
    day = None if earlier.name == "schema-10" else date(2026, 2, 1)
    assert (call["operation"], call["day"]) == ("operation of api_calls", day)


def test_the_database_of_every_earlier_version_answers(earlier: Path) -> None:
    database = earlier / "visualsearch.duckdb"

    assert query(database, "SELECT day, count(*) FROM street GROUP BY ALL ORDER BY ALL").rows == (
        (date(2026, 1, 30), 2),
        (date(2026, 1, 31), 2),
    )
    publication = read_publication(database)
    assert publication is not None
    assert publication.row_counts["hits"] == 4


def test_publishing_over_an_earlier_version_loses_nothing_and_brings_it_up_to_date(earlier: Path) -> None:
    store, database = ParquetStore(str(earlier)), earlier / "visualsearch.duckdb"
    names = [spec.name for spec in FILE_TABLES]
    before = {name: [row for rows in store.iter_tables(name) for row in rows.to_pylist()] for name in names}

    publication = publish(store, database, {}, ["street"])

    assert publication.rebuilt
    after = {name: query(database, f"FROM {name}").table.to_pylist() for name in names}
    assert after == before
    assert query(database, "SELECT count(*) FROM moments").rows == ((2,),), "two days, two overlapping hits each"
    assert query(database, "SELECT schema_version FROM publication").rows == ((SCHEMA_VERSION,),)


def test_the_ledgers_rows_replace_those_of_an_earlier_layout(earlier: Path) -> None:
    store, database = ParquetStore(str(earlier)), earlier / "visualsearch.duckdb"
    files = store.files("coverage")
    rows = pa.concat_tables([store.read_file(file) for file in files])
    assert (files[0].partition == {}) == (earlier.name == "schema-10")

    publish(store, database, {"coverage": rows}, ["street"])

    assert [file.partition_text for file in store.files("coverage")] == [
        "query_set=street/day=2026-01-30",
        "query_set=street/day=2026-01-31",
    ]
    assert query(database, "SELECT count(*) FROM coverage").rows == ((2,),)


def test_the_page_about_the_tables_is_made_of_the_schemas() -> None:
    assert PAGE.read_text() == tables_page(), (
        "run: python -m visualsearch_pipeline.warehouse.documentation > docs/tables.md"
    )
    assert all(column.description in PAGE.read_text() for spec in TABLES.values() for column in spec.columns)
