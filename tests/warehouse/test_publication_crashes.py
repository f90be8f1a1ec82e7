"""Killed at any point, a publication leaves the old database or the new one, and the next run mends the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from visualsearch_pipeline.warehouse import ParquetStore, publish, query
from visualsearch_pipeline.warehouse.snapshots import snapshots_of

MakeTable = Callable[..., pa.Table]
DAYS = (date(2026, 1, 30), date(2026, 1, 31))
SCRIPT = Path(__file__).with_name("crashing_publisher.py")
CONTENT = "SELECT query_version, day, count(*), min(video_no), max(score) FROM street GROUP BY ALL ORDER BY ALL"


@pytest.fixture
def template(tmp_path: Path, make_hits: MakeTable, make_table: MakeTable) -> Path:
    """A published first version, and the inputs of a second beside it."""
    folder = tmp_path / "template"
    (folder / "ready").mkdir(parents=True)
    store = ParquetStore(str(folder / "tables"))
    asked = {"query_set": "street", "query_id": "dog"}

    def inputs(version: str, count: int) -> tuple[list[pa.Table], dict[str, pa.Table]]:
        hits = [make_hits("street", day, count, query_id="dog", query_version=version, run_id=version) for day in DAYS]
        return hits, {
            "videos": make_table("videos", *({"video_no": f"VI{n}", "state": version} for n in range(count))),
            "queries": make_table("queries", {**asked, "query_version": version}),
        }

    hits, ledger_tables = inputs("first", 300)
    for rows, day in zip(hits, DAYS, strict=True):
        store.write_hits("street", day, rows)
    publish(store, folder / "warehouse.duckdb", ledger_tables, ["street"])
    hits, ledger_tables = inputs("second", 500)
    for number, rows in enumerate(hits):
        pq.write_table(rows, folder / "ready" / f"hits-{number}.parquet")
    for name, rows in ledger_tables.items():
        pq.write_table(rows, folder / "ready" / f"{name}.parquet")
    return folder


def expected(version: str, count: int) -> tuple[tuple[object, ...], ...]:
    return tuple((version, day, count, "VI000000", 1.0) for day in DAYS)


def run_trials(mode: str, way: str, template: Path, trials: Path) -> list[dict[str, object]]:
    trials.mkdir()
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), mode, way, str(template), str(trials)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ended.stderr == ""
    return [json.loads(line) for line in ended.stdout.splitlines()]


def check_trial(folder: Path) -> str:
    """Which version the trial's readers see; then run it once more and check that all is as if nothing had happened."""
    database = folder / "warehouse.duckdb"
    seen = query(database, CONTENT).rows
    assert seen in (expected("first", 300), expected("second", 500))
    store = ParquetStore(str(folder / "tables"))
    for day, file in zip(DAYS, store.files("hits"), strict=True):
        assert file.day == day
        assert store.read_file(file).num_rows in (300, 500)

    hits = [pq.read_table(path) for path in sorted((folder / "ready").glob("hits-*.parquet"))]
    for day, rows in zip(DAYS, hits, strict=True):
        store.write_hits("street", day, rows)
    store.sweep(older_than_seconds=0)
    ledger_tables = {name: pq.read_table(folder / "ready" / f"{name}.parquet") for name in ("videos", "queries")}
    publication = publish(store, database, ledger_tables, ["street"])

    assert query(database, CONTENT).rows == expected("second", 500)
    assert (publication.row_counts["hits"], publication.row_counts["videos"]) == (1000, 500)
    (snapshot,) = snapshots_of(database)
    assert query(snapshot.path, CONTENT).rows in (expected("first", 300), expected("second", 500))
    left = {path.name for path in folder.rglob("*") if path.is_file() and path.parent.name != "ready"}
    assert left == {
        ".warehouse.duckdb.lock",
        "warehouse.duckdb",
        Path(snapshot.path).name,
        *(f"{name}.parquet" for name in ("hits", "videos", "queries")),
    }
    return str(seen[0][0])


@pytest.mark.parametrize("way", ["update", pytest.param("rebuild", marks=pytest.mark.soak)])
def test_killed_before_any_step_that_touches_the_disk(template: Path, tmp_path: Path, way: str) -> None:
    lines = run_trials("steps", way, template, tmp_path / "trials")

    trials = [line for line in lines if "folder" in line]
    steps = [str(line["step"]) for line in lines if "step" in line]
    assert [trial["code"] for trial in trials] == [-9] * len(steps) + [0]
    renames = [position for position, step in enumerate(steps) if step == "replace"]
    assert len(renames) == 7, "two days, two tables of the ledger, the snapshot, the database, and the link to it"
    assert ("copy_file_range" in steps) == (way == "update")
    for position in renames:
        on_disk = ("fsync", "link") if position == renames[4] else ("fsync",)
        assert steps[position - 1] in on_disk, "a file is on the disk before it gets its name"
        assert steps[position + 1] == "fsync", "and its name is, before anything builds on it"
    seen = [check_trial(Path(str(trial["folder"]))) for trial in trials]
    assert seen[-1] == "second"
    # Once the new database is there, it stays: the old ones come first, without gaps.
    assert seen == sorted(seen)
    assert seen[0] == "first"


@pytest.mark.parametrize("way", ["update", "rebuild"])
@pytest.mark.soak
def test_killed_at_any_time(template: Path, tmp_path: Path, way: str) -> None:
    trials = run_trials("times", way, template, tmp_path / "trials")

    assert {trial["code"] for trial in trials} <= {-9, 0}
    assert sum(trial["code"] == -9 for trial in trials) >= 3, "none was killed in time to prove anything"
    for trial in trials:
        check_trial(Path(str(trial["folder"])))
