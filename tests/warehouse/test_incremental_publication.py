"""What changed is brought into a copy of the published database, and comes to the same as building all of it anew."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from visualsearch_pipeline.warehouse import ParquetStore, Publication, publish, query, read_publication, snapshots_of
from visualsearch_pipeline.warehouse.schemas import FILE_TABLES
from visualsearch_pipeline.warehouse.snapshots import keep_snapshot, prune_snapshots
from visualsearch_pipeline.warehouse.summaries import HITS_BY_DAY

MakeTable = Callable[..., pa.Table]
DAYS = tuple(date(2026, 1, 1) + timedelta(days=number) for number in range(6))
PER_DAY = 5_000
BLOCK_BYTES = 256 * 1024


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "published" / "visualsearch.duckdb"


@pytest.fixture
def published(store: ParquetStore, database: Path, make_hits: MakeTable, make_table: MakeTable) -> Publication:
    for day in DAYS:
        store.write_hits("street", day, make_hits("street", day, PER_DAY))
    videos = make_table("videos", *({"video_no": f"VI{number}"} for number in range(3)))
    return publish(store, database, {"videos": videos}, ["street"])


def content(database: Path) -> dict[str, tuple[object, ...]]:
    """What tells all rows of all tables from any others, in no order."""
    sql = "SELECT count(*), sum(hash(one_row)::HUGEINT)::VARCHAR FROM"
    return {spec.name: query(database, f"{sql} {spec.name} AS one_row").rows[0] for spec in (*FILE_TABLES, HITS_BY_DAY)}


def check_against_rebuild(store: ParquetStore, database: Path, query_sets: list[str]) -> None:
    found = content(database)
    views = "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
    found_views = query(database, views).rows
    rebuilt = publish(store, database, {}, query_sets, rebuild=True)
    assert rebuilt.rebuilt
    assert content(database) == found
    assert query(database, views).rows == found_views


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("change", ["replaced", "added", "removed", "emptied", "ledger", "sets", "all at once"])
def test_a_change_is_brought_in_without_building_anew(
    store: ParquetStore, database: Path, make_hits: MakeTable, make_table: MakeTable, change: str
) -> None:
    ledger_tables: dict[str, pa.Table] = {}
    query_sets = ["street"]
    rows = 6 * PER_DAY
    if change in ("replaced", "all at once"):
        store.write_hits("street", DAYS[0], make_hits("street", DAYS[0], PER_DAY - 7, run_id="again"))
        rows -= 7
    if change in ("added", "all at once"):
        store.write_hits("yard", DAYS[1], make_hits("yard", DAYS[1], 11))
        rows += 11
    if change == "removed":
        store.remove(store.files("hits")[2])
        rows -= PER_DAY
    if change == "emptied":
        store.write_hits("street", DAYS[3], make_hits("street", DAYS[3], 0))
        rows -= PER_DAY
    if change in ("ledger", "all at once"):
        ledger_tables = {
            "videos": make_table("videos", {"video_no": "VI9"}),
            "coverage": make_table("coverage", {"query_set": "street", "day": DAYS[0]}),
        }
    if change in ("sets", "all at once"):
        query_sets = ["yard"]

    publication = publish(store, database, ledger_tables, query_sets)

    assert publication.changed
    assert not publication.rebuilt
    assert publication.row_counts["hits"] == rows
    assert not publish(store, database, ledger_tables, query_sets).changed
    check_against_rebuild(store, database, query_sets)


def test_all_is_built_anew_when_too_much_was_replaced_since(
    store: ParquetStore, database: Path, published: Publication, make_hits: MakeTable
) -> None:
    rebuilt: list[bool] = []
    for number in range(4):
        store.write_hits("street", DAYS[0], make_hits("street", DAYS[0], PER_DAY, run_id=f"run {number}"))
        publication = publish(store, database, {}, ["street"])
        rebuilt.append(publication.rebuilt)
        # Each table that was written to takes whole blocks of 256 KiB.
        assert publication.size_bytes < 1.5 * published.size_bytes + 4 * BLOCK_BYTES

    # A sixth of the rows each time: the second goes over three tenths.
    assert rebuilt == [False, True, False, True]
    assert query(database, "SELECT DISTINCT run_id FROM hits WHERE run_id LIKE 'run%'").rows == (("run 3",),)


def test_a_published_file_that_cannot_be_brought_up_to_date_is_built_anew(
    store: ParquetStore,
    database: Path,
    published: Publication,
    make_hits: MakeTable,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with duckdb.connect(str(database)) as meddling:
        meddling.execute("DELETE FROM hits WHERE video_no = 'VI000007'")
    store.write_hits("street", DAYS[0], make_hits("street", DAYS[0], PER_DAY - 1))

    with caplog.at_level(logging.WARNING):
        publication = publish(store, database, {}, ["street"])

    assert publication.rebuilt
    assert "cannot be brought up to date and is built anew" in caplog.text
    assert query(database, "SELECT count(*) FROM hits").rows == ((6 * PER_DAY - 1,),)
    assert {path.name for path in database.parent.iterdir()} == {
        database.name,
        f".{database.name}.lock",
        f".{database.name}.published",
        "snapshots",
    }


@pytest.mark.usefixtures("published")
def test_a_snapshot_answers_as_the_database_did_before_it_was_replaced(
    store: ParquetStore, database: Path, make_hits: MakeTable
) -> None:
    before = content(database)
    store.write_hits("street", DAYS[0], make_hits("street", DAYS[0], 1))
    publish(store, database, {}, ["street"])

    (snapshot,) = snapshots_of(database)

    assert content(Path(snapshot.path)) == before
    assert content(database) != before
    found = read_publication(snapshot.path)
    assert found is not None
    assert found.published_at == snapshot.published_at


@pytest.mark.usefixtures("published")
def test_without_snapshot_days_nothing_is_kept(store: ParquetStore, database: Path, make_hits: MakeTable) -> None:
    store.write_hits("street", DAYS[0], make_hits("street", DAYS[0], 1))
    publish(store, database, {}, ["street"])
    assert len(snapshots_of(database)) == 1

    store.write_hits("street", DAYS[0], make_hits("street", DAYS[0], 2))
    publish(store, database, {}, ["street"], snapshot_days=0)

    assert snapshots_of(database) == ()


def test_of_each_day_the_last_snapshot_stays_and_old_ones_go(tmp_path: Path) -> None:
    database = tmp_path / "visualsearch.duckdb"
    database.write_bytes(b"published")
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for hours in (1, 2, 20, 23, 30, 70, 71, 200):
        keep_snapshot(database, published_at=now - timedelta(hours=hours))
    foreign = tmp_path / "snapshots" / "visualsearch-before-the-move.duckdb"
    foreign.touch()

    kept = prune_snapshots(database, keep_days=3, now=now)

    # The 10th, twice the 9th and once the 7th are within three days; the 2nd is not.
    assert [(now - snapshot.published_at) / timedelta(hours=1) for snapshot in kept] == [1, 20, 70]
    assert snapshots_of(database) == kept
    assert foreign.exists()
    assert prune_snapshots(database, keep_days=3, now=now + timedelta(days=300)) == kept[:1], "the last one stays"
    assert prune_snapshots(database, keep_days=0, now=now) == ()


def test_keeping_a_snapshot_writes_nothing_where_there_are_hard_links(tmp_path: Path) -> None:
    database = tmp_path / "visualsearch.duckdb"
    database.write_bytes(b"published")
    at = datetime(2026, 3, 10, 12, tzinfo=UTC)

    snapshot = keep_snapshot(database, published_at=at)
    again = keep_snapshot(database, published_at=at)

    assert again == snapshot
    assert Path(snapshot.path).stat().st_ino == database.stat().st_ino
    assert Path(snapshot.path).name == "visualsearch-20260310T120000.000000Z.duckdb"
