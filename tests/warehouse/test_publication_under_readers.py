"""A hundred publications while four processes of analysts ask all the time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from visualsearch_pipeline.warehouse import ParquetStore, publish

MakeTable = Callable[..., pa.Table]
DAYS = tuple(date(2026, 1, 1) + timedelta(days=number) for number in range(3))
PUBLICATIONS = 100
READERS = 4
SCRIPT = Path(__file__).with_name("reading_in_a_loop.py")


@pytest.mark.soak
def test_a_hundred_publications_lock_out_nobody_and_show_no_mixture(
    store: ParquetStore, tmp_path: Path, make_hits: MakeTable, make_table: MakeTable
) -> None:
    database = tmp_path / "visualsearch.duckdb"
    asked = make_table("queries", {"query_set": "street", "is_current": True})
    rebuilt: list[bool] = []

    def publish_run(number: int) -> None:
        for day in DAYS:
            store.write_hits("street", day, make_hits("street", day, 20 + number, run_id=f"run {number}"))
        videos = make_table("videos", {"state": f"run {number}"})
        # Both ways, as they alternate in real life.
        publication = publish(
            store, database, {"videos": videos, "queries": asked}, ["street"], rebuild=number % 5 == 0
        )
        rebuilt.append(publication.rebuilt)

    publish_run(0)
    readers = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(database), way], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for way in ("fresh", "plain") * (READERS // 2)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        for number in range(1, PUBLICATIONS + 1):
            publish_run(number)
        (tmp_path / "done").touch()
        told = [reader.communicate(timeout=60) for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()

    allowed = {
        json.dumps(
            [[[f"run {number}"], len(DAYS), len(DAYS) * (20 + number), f"run {number}", len(DAYS) * (20 + number)]]
        )
        for number in range(PUBLICATIONS + 1)
    }
    for output, complaints in told:
        assert complaints == ""
        found = json.loads(output)
        assert found["errors"] == []
        assert set(found["seen"]) <= allowed
        assert len(found["seen"]) > 3, "the reader saw the database change"
    assert rebuilt.count(True) == 1 + PUBLICATIONS // 5
