"""`hits_by_day` says what counting every hit would say, after a rebuild and after an update alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from visualsearch_pipeline.warehouse import ParquetStore, publish, query

MakeTable = Callable[..., pa.Table]
DAYS = (date(2026, 1, 1), date(2026, 1, 2))
COUNTED = """
SELECT query_set, query_id, query_version, day, count(*), count(DISTINCT video_no), count(score), max(score),
       round(avg(score), 6)
FROM hits GROUP BY ALL ORDER BY ALL
"""
SUMMARISED = """
SELECT query_set, query_id, query_version, day, hits, videos, scored_hits, best_score, mean_score
FROM hits_by_day ORDER BY ALL
"""


def check(database: Path) -> None:
    counted, summarised = query(database, COUNTED).rows, query(database, SUMMARISED).rows
    assert [row[:-1] for row in summarised] == [row[:-1] for row in counted]
    for found, expected in zip(summarised, counted, strict=True):
        assert found[-1] == pytest.approx(expected[-1], abs=2e-6)


def test_summaries_follow_the_hits(store: ParquetStore, tmp_path: Path, make_hits: MakeTable) -> None:
    database = tmp_path / "visualsearch.duckdb"
    for day in DAYS:
        store.write_hits("street", day, make_hits("street", day, 6_000))
    phrases = make_hits("speech", DAYS[0], 100)
    place = phrases.column_names.index("score")
    store.write_hits(
        "speech", DAYS[0], phrases.set_column(place, phrases.schema.field("score"), pa.nulls(100, pa.float64()))
    )
    assert publish(store, database, {}, ["street", "speech"]).rebuilt
    check(database)
    assert query(database, "SELECT count(*) FROM hits_by_day WHERE mean_score IS NULL").rows != ((0,),)

    store.write_hits("street", DAYS[1], make_hits("street", DAYS[1], 1_000))
    (speech,) = [file for file in store.files("hits") if file.query_set == "speech"]
    store.remove(speech)
    assert not publish(store, database, {}, ["street", "speech"]).rebuilt
    check(database)
    assert query(database, "SELECT count(*) FROM hits_by_day WHERE query_set = 'speech'").rows == ((0,),)
