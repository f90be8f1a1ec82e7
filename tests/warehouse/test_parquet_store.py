from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from visualsearch_pipeline.warehouse import (
    TABLES,
    ParquetFileError,
    ParquetStore,
    SchemaMismatchError,
    StorageWriteError,
)

MakeTable = Callable[..., pa.Table]
DAY, NEXT_DAY = date(2026, 1, 31), date(2026, 2, 1)


def path_of(store: ParquetStore, query_set: str, day: date) -> Path:
    return Path(store.root) / f"hits/query_set={query_set}/day={day}/hits.parquet"


def test_hits_come_back_as_they_were_written(store: ParquetStore, make_hits: MakeTable) -> None:
    hits = make_hits("street", DAY, 3)

    written = store.write_hits("street", DAY, hits)

    assert (written.row_count, written.changed) == (3, True)
    assert written.size_bytes == path_of(store, "street", DAY).stat().st_size
    assert store.read_hits("street", DAY).equals(hits)
    assert store.read_hits("street", DAY).schema.equals(TABLES["hits"].arrow_schema, check_metadata=True)


def test_days_and_whole_tables_come_back_as_they_were_written(store: ParquetStore, make_table: MakeTable) -> None:
    said = make_table("transcripts", {"day": DAY, "text": "warranty"})
    videos = make_table("videos", {"video_no": "VI1", "tags": ["a", "b"]}, {"video_no": "VI2", "tags": []})

    store.write_day("transcripts", DAY, said)
    store.write_table("videos", videos)

    assert store.read_day("transcripts", DAY).equals(said)
    assert store.read_table("videos").equals(videos)


def test_what_was_never_written_has_no_rows_and_is_told_from_a_search_without_hits(
    store: ParquetStore, make_hits: MakeTable
) -> None:
    assert store.read_hits("street", DAY).num_rows == 0
    assert not store.has_hits("street", DAY)

    store.write_hits("street", DAY, make_hits("street", DAY, 0))

    assert store.read_hits("street", DAY).num_rows == 0
    assert store.has_hits("street", DAY)


def test_rows_are_sorted_so_that_a_query_is_read_in_one_piece(store: ParquetStore, make_hits: MakeTable) -> None:
    hits = pa.concat_tables([make_hits("street", DAY, 3, query_id=query_id) for query_id in ("b", "a")])

    store.write_hits("street", DAY, hits.take([4, 0, 5, 1, 3, 2]))

    rows = store.read_hits("street", DAY)
    assert rows.column("query_id").to_pylist() == ["a", "a", "a", "b", "b", "b"]
    assert rows.column("rank").to_pylist() == [1, 2, 3, 1, 2, 3]
    metadata = pq.ParquetFile(path_of(store, "street", DAY)).metadata
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_same_rows_again_leave_the_file_alone(store: ParquetStore, make_hits: MakeTable) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 3))
    before = path_of(store, "street", DAY).stat()

    again = store.write_hits("street", DAY, make_hits("street", DAY, 3))

    after = path_of(store, "street", DAY).stat()
    assert not again.changed
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in path_of(store, "street", DAY).parent.iterdir()] == ["hits.parquet"]


def test_a_reader_that_has_the_old_file_open_goes_on_reading_it(store: ParquetStore, make_hits: MakeTable) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 2))
    with path_of(store, "street", DAY).open("rb") as held:
        before = held.read()
        store.write_hits("street", DAY, make_hits("street", DAY, 5000))
        held.seek(0)

        assert held.read() == before
    assert store.read_hits("street", DAY).num_rows == 5000


def test_rows_of_another_set_or_day_are_refused(store: ParquetStore, make_hits: MakeTable) -> None:
    for hits, column in ((make_hits("yard", DAY, 1), "query_set"), (make_hits("street", NEXT_DAY, 1), "day")):
        with pytest.raises(SchemaMismatchError, match="rows do not belong") as caught:
            store.write_hits("street", DAY, hits)
        assert caught.value.column == column
    assert store.files("hits") == ()


def test_a_name_that_is_no_query_set_never_becomes_a_path(store: ParquetStore, make_hits: MakeTable) -> None:
    for name in ("../street", "a/b", "Street", ""):
        with pytest.raises(ValueError, match="is not the name of a query set"):
            store.write_hits(name, DAY, make_hits(name, DAY, 1))


def test_other_readers_read_the_folder_without_us(store: ParquetStore, make_hits: MakeTable) -> None:
    for query_set in ("street", "yard"):
        for day in (DAY, NEXT_DAY):
            store.write_hits(query_set, day, make_hits(query_set, day, 2))
    folder = Path(store.root) / "hits"
    # What a writer that was killed leaves behind.
    (folder / "query_set=yard" / f"day={DAY}" / ".hits.parquet.1.abcd.part").write_bytes(b"PAR1 half")

    with duckdb.connect() as connection:
        connection.execute(
            "SELECT query_set, day, count(*), max(score) FROM read_parquet(?, hive_partitioning = true) GROUP BY ALL",
            [f"{folder}/**/*.parquet"],
        )
        by_duckdb = {(query_set, str(day), count, score) for query_set, day, count, score in connection.fetchall()}
    frame = pd.read_parquet(folder)
    by_pandas = {
        (query_set, str(day), len(group), group["score"].max())
        for (query_set, day), group in frame.groupby(["query_set", "day"], observed=True)
    }
    schema = pa.schema([("query_set", pa.string()), ("day", pa.date32())])
    dataset = ds.dataset(folder, partitioning=ds.partitioning(schema, flavor="hive")).to_table()
    by_arrow = {
        (row["query_set"], str(row["day"]), row["score_count"], row["score_max"])
        for row in dataset.group_by(["query_set", "day"]).aggregate([("score", "count"), ("score", "max")]).to_pylist()
    }

    expected = {(query_set, str(day), 2, 1.0) for query_set in ("street", "yard") for day in (DAY, NEXT_DAY)}
    assert by_duckdb == by_pandas == by_arrow == expected
    alone = pq.read_table(path_of(store, "yard", DAY))
    assert alone.schema.metadata[b"partition"] == b"query_set=yard/day=2026-01-31"
    assert alone.schema.field("score").metadata[b"comment"].startswith(b"How well it matches")


def test_files_are_listed_by_set_and_day(store: ParquetStore, make_hits: MakeTable) -> None:
    store.write_hits("yard", DAY, make_hits("yard", DAY, 1))
    store.write_hits("street", NEXT_DAY, make_hits("street", NEXT_DAY, 1))

    assert [(file.query_set, file.day) for file in store.files("hits")] == [("street", NEXT_DAY), ("yard", DAY)]


def test_a_stray_file_in_the_folder_is_named(store: ParquetStore, make_hits: MakeTable) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 1))
    path = path_of(store, "street", DAY)
    stray = path.with_name("hits copy.parquet")
    stray.write_bytes(path.read_bytes())

    with pytest.raises(ParquetFileError, match=r"hits copy\.parquet is no file of the table hits"):
        store.files("hits")


def _cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _without_the_end(content: bytes) -> bytes:
    return content[:-1]


def _empty(content: bytes) -> bytes:
    return b""


def _other_bytes(content: bytes) -> bytes:
    return b"x" * len(content)


def _one_bit_of_the_data_flipped(content: bytes) -> bytes:
    # Somewhere in the first column's page: the footer still says that all is well.
    return content[:60] + bytes([content[60] ^ 0x10]) + content[61:]


@pytest.mark.parametrize("damage", [_cut_in_half, _without_the_end, _empty, _other_bytes, _one_bit_of_the_data_flipped])
def test_a_damaged_file_is_named_and_never_read_as_empty(
    store: ParquetStore, make_hits: MakeTable, damage: Callable[[bytes], bytes]
) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 500))
    path = path_of(store, "street", DAY)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(ParquetFileError, match="it is damaged or cut short") as caught:
        store.read_hits("street", DAY)

    assert caught.value.path == str(path)
    assert "delete it and have its rows made again" in str(caught.value)


def test_a_file_that_was_moved_to_another_day_is_noticed(store: ParquetStore, make_hits: MakeTable) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 1))
    moved = path_of(store, "street", NEXT_DAY)
    moved.parent.mkdir()
    path_of(store, "street", DAY).rename(moved)

    with pytest.raises(ParquetFileError, match="it was written for query_set=street/day=2026-01-31"):
        store.read_hits("street", NEXT_DAY)


def test_a_file_of_another_making_is_refused_by_column(store: ParquetStore) -> None:
    path = Path(store.root) / "videos" / "videos.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"video_no": ["VI1"]}), path)

    with pytest.raises(ParquetFileError, match="column state: the rows lack this column"):
        store.read_table("videos")


def test_leftovers_of_killed_writers_are_swept_when_they_are_old(store: ParquetStore, make_hits: MakeTable) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 1))
    folder = path_of(store, "street", DAY).parent
    young, old, foreign = folder / ".hits.parquet.1.a.part", folder / ".hits.parquet.2.b.part", folder / ".nfs0001"
    for leftover in (young, old, foreign):
        leftover.touch()
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))

    assert store.sweep() == 1
    assert (young.exists(), old.exists(), foreign.exists()) == (True, False, True)


def test_a_disk_that_is_full_leaves_the_old_file_and_says_so(
    store: ParquetStore, make_hits: MakeTable, tmp_path: Path
) -> None:
    store.write_hits("street", DAY, make_hits("street", DAY, 2))
    pq.write_table(make_hits("street", DAY, 60_000), tmp_path / "many.parquet")
    script = """
import resource, sys
from datetime import date
import pyarrow.parquet as pq
from visualsearch_pipeline.warehouse import ParquetStore, StorageWriteError
rows = pq.read_table(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    ParquetStore(sys.argv[1]).write_hits("street", date(2026, 1, 31), rows)
except StorageWriteError as error:
    sys.exit(str(error))
"""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

    ended = subprocess.run(
        [sys.executable, "-c", script, store.root, str(tmp_path / "many.parquet")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1, ended.stderr
    assert "File too large. What stood there before is untouched; make room" in ended.stderr
    assert store.read_hits("street", DAY).num_rows == 2
    assert len(list(path_of(store, "street", DAY).parent.iterdir())) == 1


def test_a_root_that_cannot_be_written_is_a_clear_error(tmp_path: Path, make_hits: MakeTable) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageWriteError, match=r"cannot write .*file/hits/.*: Not a directory"):
        ParquetStore(str(tmp_path / "file")).write_hits("street", DAY, make_hits("street", DAY, 1))


def test_an_object_store_serves_as_well_as_a_folder(make_hits: MakeTable) -> None:
    store = ParquetStore("memory://warehouse-test")
    hits = make_hits("street", DAY, 3)
    try:
        assert store.write_hits("street", DAY, hits).changed
        assert not store.write_hits("street", DAY, hits).changed
        assert store.read_hits("street", DAY).equals(hits)
        assert store.read_hits("street", NEXT_DAY).num_rows == 0
        assert [file.day for file in store.files("hits")] == [DAY]
        assert store.sweep() == 0
    finally:
        fsspec.filesystem("memory").rm("/warehouse-test", recursive=True)
